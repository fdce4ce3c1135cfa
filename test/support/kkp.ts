import type { KKPFacts } from '../../src/distributions/kkp/facts.ts';
import type { Basics, ClusterFacts, NodeFacts } from '../../src/model/facts.ts';
import type { KubeObject } from '../../src/model/object.ts';
import { known } from '../../src/model/reader.ts';
import { basics, clusterFacts, nodeFacts, PODS, SERVICES, workloadFacts } from './facts.ts';

export interface KKPOptions {
  readonly dual?: boolean;
  readonly cni?: 'canal' | 'cilium' | 'none';
  /** Release of Canal. */
  readonly canal?: string;
  /** Before Kubernetes 1.33 there are no ServiceCIDRs. */
  readonly serviceCIDR?: boolean;
  /** Applied to every Node after it is made. */
  readonly node?: (node: NodeFacts) => NodeFacts;
}

export const CLUSTER_ID = 'k4l7x9qz2m';

const inSystem = (name: string): string => `kube-system/${name}`;

/** What the API of a user cluster shows first: no pod of a control plane, and a ConfigMap that looks like kubeadm's. */
export const kkpBasics = (nodes: readonly NodeFacts[], change: Partial<Basics> = {}): Basics =>
  basics({
    nodes,
    groupVersions: [
      'v1',
      'apps/v1',
      'cluster.k8s.io/v1alpha1',
      'apps.kubermatic.k8c.io/v1',
      'crd.projectcalico.org/v1',
    ],
    objects: {
      ConfigMap: ['ca-bundle', 'canal-config', 'coredns', 'kube-proxy', 'kubeadm-config', 'kubelet-config'].map(
        inSystem,
      ),
      DaemonSet: ['canal', 'kube-proxy', 'node-local-dns', 'user-ssh-keys-agent'].map(inSystem),
      Deployment: ['coredns', 'konnectivity-agent', 'metrics-server'].map(inSystem),
      Pod: ['canal-x7k2p', 'coredns-5d78c9869d-2xk9p', 'kube-proxy-9qk2d'].map(inSystem),
    },
    ...change,
  });

function kkpNodes({ dual = false, cni = 'canal', node = (each) => each }: KKPOptions): readonly NodeFacts[] {
  return [1, 2, 3].map((n) =>
    node(
      nodeFacts(
        n,
        { dual, agent: false, name: `md-${n}` },
        {
          labels: { 'system/cluster': CLUSTER_ID, 'system/project': 'p1' },
          osImage: 'Ubuntu 24.04.2 LTS',
          providerID: `aws:///eu-central-1a/i-0${n}`,
          // Cilium gives out pod networks by itself.
          podCIDRs: cni === 'cilium' ? [] : [`10.244.${n}.0/24`, ...(dual ? [`fd00:10:244:${n}::/64`] : [])],
        },
      ),
    ),
  );
}

/** A user cluster of KKP: all facts, with KKP's part of them. */
export function kkpCluster(
  options: KKPOptions = {},
  change: Partial<KKPFacts> = {},
): { readonly facts: ClusterFacts; readonly own: KKPFacts } {
  const { dual = false, cni = 'canal', canal = 'v3.30.3', serviceCIDR = true } = options;
  const nodes = kkpNodes(options);
  const networks = dual ? `${PODS.IPv4},${PODS.IPv6}` : PODS.IPv4;
  const own: KKPFacts = {
    cluster: CLUSTER_ID,
    proxyCIDR: known(PODS.IPv4),
    canal: known(cni === 'canal' ? networks : null),
    canalVersion: known(cni === 'canal' ? canal : null),
    cilium: known(cni === 'cilium' ? { networks, nodeMask: { IPv4: 24, ...(dual ? { IPv6: 64 } : {}) } } : null),
    serviceCIDR: known(serviceCIDR ? [SERVICES.IPv4, ...(dual ? [SERVICES.IPv6] : [])] : null),
    proxy: known(
      workloadFacts(
        'kube-proxy',
        nodes.map(({ name }) => name),
      ),
    ),
    held: cni === 'cilium' ? {} : { IPv4: 24, ...(dual ? { IPv6: 64 } : {}) },
    ...change,
  };
  const facts = clusterFacts({ nodes, dual }, { basics: kkpBasics(nodes) });
  const distribution = { name: 'KKP', detectedBy: 'a test', own };
  return { facts: { ...facts, distribution, cni: { name: 'Unmanaged', detectedBy: 'spec.cni', own: null } }, own };
}

const config = (name: string, data: Readonly<Record<string, string>>): KubeObject => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name, namespace: 'kube-system', labels: { 'kubermatic-addon': name } },
  data,
});

/** Objects as KKP's addons and controllers write them (github.com/kubermatic/kubermatic, addons/). */
export function kkpObjects({ dual = false, cni = 'canal', canal = 'v3.30.3' }: KKPOptions = {}): readonly KubeObject[] {
  return [
    config('kube-proxy', {
      'config.conf': `apiVersion: kubeproxy.config.k8s.io/v1alpha1\nbindAddress: 0.0.0.0\nclusterCIDR: "${PODS.IPv4}"\nconfigSyncPeriod: 15m0s\nkind: KubeProxyConfiguration\nmode: ipvs\n`,
    }),
    ...(cni === 'canal'
      ? [
          config('canal-config', {
            'net-conf.json': `{\n  "Network": "${PODS.IPv4}",\n${dual ? `  "EnableIPv6": true,\n  "IPv6Network": "${PODS.IPv6}",\n` : ''}  "Backend": {\n    "Type": "vxlan"\n  }\n}\n`,
          }),
          {
            apiVersion: 'apps/v1',
            kind: 'DaemonSet',
            metadata: { name: 'canal', namespace: 'kube-system' },
            spec: {
              template: {
                spec: {
                  containers: [
                    { name: 'calico-node', image: `mirror.example:5000/calico/node:${canal}@sha256:0a1b` },
                    { name: 'kube-flannel', image: 'docker.io/flannel/flannel:v0.24.4' },
                  ],
                },
              },
            },
          },
        ]
      : []),
    ...(cni === 'cilium'
      ? [
          config('cilium-config', {
            'enable-ipv6': String(dual),
            'cluster-pool-ipv4-cidr': PODS.IPv4,
            'cluster-pool-ipv4-mask-size': '24',
            // The chart's default stands there with one family too.
            'cluster-pool-ipv6-cidr': dual ? PODS.IPv6 : 'fd00::/104',
            'cluster-pool-ipv6-mask-size': dual ? '64' : '120',
          }),
        ]
      : []),
    {
      apiVersion: 'networking.k8s.io/v1',
      kind: 'ServiceCIDR',
      metadata: { name: 'kubernetes' },
      spec: { cidrs: [SERVICES.IPv4, ...(dual ? [SERVICES.IPv6] : [])] },
    },
  ];
}
