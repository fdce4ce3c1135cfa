import { controlPlane, type KubeadmFacts, type MirrorPod } from '../../src/distributions/kubeadm/facts.ts';
import type { ClusterFacts, NodeFacts } from '../../src/model/facts.ts';
import { known } from '../../src/model/reader.ts';
import {
  APISERVER_DUAL,
  APISERVER_SINGLE,
  before,
  type ClusterOptions,
  clusterFacts,
  KCM_DUAL,
  KCM_SINGLE,
  POD_RANGES,
  SERVICE_RANGES,
  SERVICES,
  workloadFacts,
} from './facts.ts';

/** The text that kubeadm uploads, in v1beta4 unless told otherwise. */
export const clusterConfigText = (options: { readonly dual?: boolean; readonly args?: string } = {}): string =>
  `apiServer: {}
apiVersion: kubeadm.k8s.io/v1beta4
caCertificateValidityPeriod: 87600h0m0s
certificateValidityPeriod: 8760h0m0s
certificatesDir: /etc/kubernetes/pki
clusterName: kubernetes
controllerManager:${options.args ?? ' {}'}
dns: {}
encryptionAlgorithm: RSA-2048
etcd:
  local:
    dataDir: /var/lib/etcd
imageRepository: registry.k8s.io
kind: ClusterConfiguration
kubernetesVersion: v1.36.3
networking:
  dnsDomain: cluster.local
  podSubnet: ${options.dual ? POD_RANGES.dual : POD_RANGES.single}
  serviceSubnet: ${options.dual ? SERVICE_RANGES.dual : SERVICE_RANGES.single}
proxy: {}
scheduler: {}
`;

export const proxyConfigText = (clusterCIDR: string): string =>
  `apiVersion: kubeproxy.config.k8s.io/v1alpha1
bindAddress: 0.0.0.0
bindAddressHardFail: false
clusterCIDR: ${clusterCIDR}
configSyncPeriod: 0s
detectLocalMode: ""
kind: KubeProxyConfiguration
mode: ""
nodePortAddresses: null`;

/** The mirror Pods that the API shows of a control-plane node whose processes run with these flags. */
export const mirrorPods = (node: NodeFacts, dual: boolean): readonly MirrorPod[] => {
  const reported = node.agent?.report?.staticPods;
  const flags = {
    'kube-apiserver': reported?.['kube-apiserver']?.running?.args ?? (dual ? APISERVER_DUAL : APISERVER_SINGLE),
    'kube-controller-manager': reported?.['kube-controller-manager']?.running?.args ?? (dual ? KCM_DUAL : KCM_SINGLE),
    etcd: {},
  };
  return (['kube-apiserver', 'kube-controller-manager', 'etcd'] as const).map((component) => ({
    name: `${component}-${node.name}`,
    component,
    node: node.name,
    flags: flags[component],
    ready: true,
  }));
};

/** kubeadm's part of the facts for these nodes: as they report, each mirror Pod agreeing with its process. */
export function kubeadmFacts(
  nodes: readonly NodeFacts[],
  options: { readonly dual?: boolean; readonly mirrors?: readonly MirrorPod[] } = {},
  change: Partial<KubeadmFacts> = {},
): KubeadmFacts {
  const dual = options.dual ?? false;
  const members = nodes.filter((node) => node.controlPlane);
  const mirrors = options.mirrors ?? members.flatMap((node) => mirrorPods(node, dual));
  return {
    ...controlPlane(nodes, known(mirrors)),
    clusterConfig: known({ text: clusterConfigText({ dual }), resourceVersion: '7', changedAt: before(86_400) }),
    proxyConfig: known({
      text: proxyConfigText(dual ? POD_RANGES.dual : POD_RANGES.single),
      resourceVersion: '8',
      changedAt: before(86_400),
    }),
    proxy: known(
      workloadFacts(
        'kube-proxy',
        nodes.map((node) => node.name),
      ),
    ),
    lease: known({
      holder: `${members[0]?.name ?? 'nobody'}_0f2e`,
      acquiredAt: before(3500),
      renewedAt: before(1),
    }),
    transfer: null,
    defaultServiceCIDR: known({
      uid: 'uid-kubernetes',
      cidrs: dual ? [SERVICES.IPv4, SERVICES.IPv6] : [SERVICES.IPv4],
      deleting: false,
    }),
    keeperServiceCIDR: known(null),
    ...change,
  };
}

/** A kubeadm cluster: all facts, with kubeadm's part of them. */
export function kubeadmCluster(
  options: ClusterOptions = {},
  change: Partial<KubeadmFacts> = {},
): { readonly facts: ClusterFacts; readonly own: KubeadmFacts } {
  const facts = clusterFacts(options);
  const own = kubeadmFacts(facts.nodes, { dual: options.dual ?? false }, change);
  return { facts: { ...facts, distribution: { ...facts.distribution, own } }, own };
}
