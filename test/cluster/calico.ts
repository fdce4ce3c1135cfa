import { readFileSync } from 'node:fs';
import { stringify } from 'yaml';
import type { CalicoOptions } from './options.ts';

/** The text to be applied for the chosen installation. */
export function calicoManifest(options: CalicoOptions): string {
  if (typeof options.manifest === 'object') return readFileSync(options.manifest.file, 'utf8');
  const backend = options.manifest;
  const objects = [
    ...crds(),
    ...accounts(),
    config(backend, options),
    daemonSet(backend, options.family ?? 'IPv4'),
    controllers(),
    ...(options.typha ? typha() : []),
  ];
  return objects.map((object) => stringify(object)).join('---\n');
}

const meta = (name: string, labels?: Record<string, string>): object => ({
  name,
  namespace: 'kube-system',
  ...(labels ? { labels } : {}),
});

/** Loose schemas, as Calico's own v1 CRDs enforce almost nothing. */
function crds(): object[] {
  const kinds = {
    IPPool: 'ippools',
    FelixConfiguration: 'felixconfigurations',
    BGPConfiguration: 'bgpconfigurations',
    ClusterInformation: 'clusterinformations',
    IPAMBlock: 'ipamblocks',
  };
  return Object.entries(kinds).map(([kind, plural]) => ({
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${plural}.crd.projectcalico.org` },
    spec: {
      group: 'crd.projectcalico.org',
      scope: 'Cluster',
      names: { kind, listKind: `${kind}List`, plural, singular: kind.toLowerCase() },
      versions: [
        {
          name: 'v1',
          served: true,
          storage: true,
          schema: { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } },
        },
      ],
    },
  }));
}

function accounts(): object[] {
  return ['calico-node', 'calico-kube-controllers'].map((name) => ({
    apiVersion: 'v1',
    kind: 'ServiceAccount',
    metadata: meta(name),
  }));
}

/** What install-cni turns into a conflist: not JSON until it has replaced the words in underscores. */
const CNI_NETWORK_CONFIG = `{
  "name": "k8s-pod-network",
  "cniVersion": "0.3.1",
  "plugins": [
    {
      "type": "calico",
      "log_level": "info",
      "datastore_type": "kubernetes",
      "nodename": "__KUBERNETES_NODE_NAME__",
      "mtu": __CNI_MTU__,
      "ipam": {
          "type": "calico-ipam"
      },
      "policy": {
          "type": "k8s"
      },
      "kubernetes": {
          "kubeconfig": "__KUBECONFIG_FILEPATH__"
      }
    },
    {
      "type": "portmap",
      "snat": true,
      "capabilities": {"portMappings": true}
    }
  ]
}
`;

const IPV6_NETWORK_CONFIG = CNI_NETWORK_CONFIG.replace(
  '"type": "calico-ipam"\n',
  '"type": "calico-ipam",\n          "assign_ipv4": "false",\n          "assign_ipv6": "true"\n',
);

function config(backend: 'bird' | 'vxlan', { typha, family }: CalicoOptions): object {
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: meta('calico-config'),
    data: {
      typha_service_name: typha === true ? 'calico-typha' : 'none',
      calico_backend: backend,
      veth_mtu: '0',
      cni_network_config: family === 'IPv6' ? IPV6_NETWORK_CONFIG : CNI_NETWORK_CONFIG,
    },
  };
}

const fromConfig = (name: string, key: string): object => ({
  name,
  valueFrom: { configMapKeyRef: { name: 'calico-config', key } },
});
const nodeName = (name: string): object => ({ name, valueFrom: { fieldRef: { fieldPath: 'spec.nodeName' } } });
const VERSION = 'v3.31.7';

/** By https://docs.tigera.io/calico/latest/networking/ipam/ipv6; the shipped manifest has the first list. */
function familyEnv(backend: 'bird' | 'vxlan', family: 'IPv4' | 'IPv6'): readonly object[] {
  const encapsulation = backend === 'bird' ? { IPIP: 'Always', VXLAN: 'Never' } : { IPIP: 'Never', VXLAN: 'Always' };
  return family === 'IPv4'
    ? [
        { name: 'IP', value: 'autodetect' },
        { name: 'CALICO_IPV4POOL_IPIP', value: encapsulation.IPIP },
        { name: 'CALICO_IPV4POOL_VXLAN', value: encapsulation.VXLAN },
        { name: 'FELIX_IPV6SUPPORT', value: 'false' },
      ]
    : [
        { name: 'IP', value: 'none' },
        { name: 'IP6', value: 'autodetect' },
        { name: 'CALICO_ROUTER_ID', value: 'hash' },
        { name: 'CALICO_IPV4POOL_CIDR', value: 'none' },
        { name: 'CALICO_IPV6POOL_VXLAN', value: encapsulation.VXLAN },
        { name: 'FELIX_IPV6SUPPORT', value: 'true' },
      ];
}

function daemonSet(backend: 'bird' | 'vxlan', family: 'IPv4' | 'IPv6'): object {
  const image = `quay.io/calico/cni:${VERSION}`;
  return {
    apiVersion: 'apps/v1',
    kind: 'DaemonSet',
    metadata: meta('calico-node', { 'k8s-app': 'calico-node' }),
    spec: {
      selector: { matchLabels: { 'k8s-app': 'calico-node' } },
      updateStrategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: 1 } },
      template: {
        metadata: { labels: { 'k8s-app': 'calico-node' } },
        spec: {
          nodeSelector: { 'kubernetes.io/os': 'linux' },
          hostNetwork: true,
          tolerations: [
            { effect: 'NoSchedule', operator: 'Exists' },
            { key: 'CriticalAddonsOnly', operator: 'Exists' },
            { effect: 'NoExecute', operator: 'Exists' },
          ],
          serviceAccountName: 'calico-node',
          terminationGracePeriodSeconds: 0,
          priorityClassName: 'system-node-critical',
          initContainers: [
            {
              name: 'upgrade-ipam',
              image,
              env: [nodeName('KUBERNETES_NODE_NAME'), fromConfig('CALICO_NETWORKING_BACKEND', 'calico_backend')],
            },
            {
              name: 'install-cni',
              image,
              env: [
                { name: 'CNI_CONF_NAME', value: '10-calico.conflist' },
                fromConfig('CNI_NETWORK_CONFIG', 'cni_network_config'),
                nodeName('KUBERNETES_NODE_NAME'),
                fromConfig('CNI_MTU', 'veth_mtu'),
              ],
            },
          ],
          containers: [
            {
              name: 'calico-node',
              image: `quay.io/calico/node:${VERSION}`,
              env: [
                { name: 'DATASTORE_TYPE', value: 'kubernetes' },
                nodeName('NODENAME'),
                fromConfig('CALICO_NETWORKING_BACKEND', 'calico_backend'),
                { name: 'CLUSTER_TYPE', value: backend === 'bird' ? 'k8s,bgp' : 'k8s' },
                ...familyEnv(backend, family),
              ],
              readinessProbe: {
                exec: {
                  command:
                    backend === 'bird'
                      ? ['/bin/calico-node', '-felix-ready', '-bird-ready']
                      : ['/bin/calico-node', '-felix-ready'],
                },
              },
            },
          ],
        },
      },
    },
  };
}

function controllers(): object {
  const labels = { 'k8s-app': 'calico-kube-controllers' };
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: meta('calico-kube-controllers', labels),
    spec: {
      replicas: 1,
      selector: { matchLabels: labels },
      strategy: { type: 'Recreate' },
      template: {
        metadata: { labels },
        spec: {
          tolerations: [
            { key: 'CriticalAddonsOnly', operator: 'Exists' },
            { key: 'node-role.kubernetes.io/control-plane', effect: 'NoSchedule' },
          ],
          serviceAccountName: 'calico-kube-controllers',
          priorityClassName: 'system-cluster-critical',
          containers: [
            {
              name: 'calico-kube-controllers',
              image: `quay.io/calico/kube-controllers:${VERSION}`,
              env: [
                { name: 'ENABLED_CONTROLLERS', value: 'node,loadbalancer' },
                { name: 'DATASTORE_TYPE', value: 'kubernetes' },
              ],
            },
          ],
        },
      },
    },
  };
}

function typha(): object[] {
  const labels = { 'k8s-app': 'calico-typha' };
  return [
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: meta('calico-typha', labels),
      spec: { ports: [{ port: 5473, targetPort: 'calico-typha', name: 'calico-typha' }], selector: labels },
    },
    {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: meta('calico-typha', labels),
      spec: {
        replicas: 1,
        selector: { matchLabels: labels },
        template: {
          metadata: { labels },
          spec: {
            hostNetwork: true,
            tolerations: [{ operator: 'Exists' }],
            serviceAccountName: 'calico-node',
            containers: [
              {
                name: 'calico-typha',
                image: `quay.io/calico/typha:${VERSION}`,
                ports: [{ containerPort: 5473, name: 'calico-typha' }],
              },
            ],
          },
        },
      },
    },
  ];
}
