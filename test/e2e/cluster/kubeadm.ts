import { randomBytes } from 'node:crypto';
import { cpSync, mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { stringify } from 'yaml';
import type { RealNode } from './node.ts';
import type { NodeAddresses, Settings } from './options.ts';
import { urlHost } from '../../support/url-host.ts';
import { failure } from './run.ts';

const API_VERSION = 'kubeadm.k8s.io/v1beta4';
const API_PORT = 6443;
/** The kernel here and its cgroups v1 are not on the list of what is supported; everything else is checked. */
const IGNORED = '--ignore-preflight-errors=SystemVerification';

export interface JoinSecret {
  readonly token: string;
}

export const newToken = (): JoinSecret => ({
  token: `${randomBytes(3).toString('hex')}.${randomBytes(8).toString('hex')}`,
});

export async function kubeadmInit(node: RealNode, settings: Settings, { token }: JoinSecret): Promise<void> {
  const documents = [
    {
      apiVersion: API_VERSION,
      kind: 'InitConfiguration',
      bootstrapTokens: [
        {
          token,
          ttl: '24h0m0s',
          usages: ['signing', 'authentication'],
          groups: ['system:bootstrappers:kubeadm:default-node-token'],
        },
      ],
      localAPIEndpoint: { advertiseAddress: node[settings.primary], bindPort: API_PORT },
      nodeRegistration: registration(node, settings),
    },
    clusterConfiguration(settings),
    kubeletConfiguration(settings),
    kubeProxyConfiguration(settings),
  ];
  await kubeadm(node, 'init', documents);
}

export async function kubeadmJoin(
  node: RealNode,
  settings: Settings,
  first: RealNode,
  { token }: JoinSecret,
): Promise<void> {
  if (node.role === 'control-plane') shareAuthorities(first, node);
  const document = {
    apiVersion: API_VERSION,
    kind: 'JoinConfiguration',
    discovery: {
      bootstrapToken: { apiServerEndpoint: endpoint(settings, first), token, unsafeSkipCAVerification: true },
    },
    nodeRegistration: registration(node, settings),
    ...(node.role === 'control-plane'
      ? { controlPlane: { localAPIEndpoint: { advertiseAddress: node[settings.primary], bindPort: API_PORT } } }
      : {}),
  };
  await kubeadm(node, 'join', [document]);
}

async function kubeadm(node: RealNode, command: 'init' | 'join', documents: readonly unknown[]): Promise<void> {
  const file = '/etc/kubernetes/kubeadm.yaml';
  node.writeFile(file, documents.map((document) => stringify(document)).join('---\n'));
  const argv = ['kubeadm', command, '--config', file, IGNORED];
  const outcome = await node.exec(argv);
  node.writeFile(`/var/log/kubeadm-${command}.log`, outcome.stdout + outcome.stderr);
  if (outcome.code !== 0)
    throw new Error(`${node.name}: ${failure(argv, outcome)}\n${node.readLog('kubelet').slice(-2000)}`);
}

/** Nobody reads what cAdvisor counts here: less of it leaves more of two processors to the rest. */
const HOUSEKEEPING = { name: 'housekeeping-interval', value: '60s' } as const;

/** Members share two processors: one that waits its turn for a second is not gone. */
const PATIENT_ETCD = {
  local: {
    extraArgs: [
      { name: 'heartbeat-interval', value: '500' },
      { name: 'election-timeout', value: '5000' },
    ],
  },
} as const;

function registration(node: NodeAddresses, settings: Settings): unknown {
  const nodeIP = nodeIPFlag(node, settings);
  return {
    name: node.name,
    criSocket: 'unix:///run/containerd/containerd.sock',
    imagePullPolicy: 'IfNotPresent',
    kubeletExtraArgs: [HOUSEKEEPING, ...(nodeIP === undefined ? [] : [{ name: 'node-ip', value: nodeIP }])],
  };
}

function nodeIPFlag(node: NodeAddresses, settings: Settings): string | undefined {
  const pair = settings.primary === 'IPv4' ? [node.IPv4, node.IPv6] : [node.IPv6, node.IPv4];
  switch (settings.host(node.name).nodeIP) {
    case 'unset':
      return undefined;
    case 'single':
      return pair[0];
    case 'pair':
      return pair.join(',');
  }
}

/** Where clients find the API: the balancer where there are several servers. */
function endpoint(settings: Settings, first: NodeAddresses): string {
  const host = hasBalancer(settings) ? settings.network.balancer[settings.primary] : first[settings.primary];
  return `${urlHost(host)}:${API_PORT}`;
}

const hasBalancer = (settings: Settings): boolean =>
  settings.network.nodes.filter((node) => node.role === 'control-plane').length > 1;

function clusterConfiguration(settings: Settings): unknown {
  const { balancer } = settings.network;
  return {
    apiVersion: API_VERSION,
    kind: 'ClusterConfiguration',
    kubernetesVersion: `v${settings.kubernetesVersion}`,
    clusterName: 'kubernetes',
    encryptionAlgorithm: 'ECDSA-P256', // RSA keys for three nodes take seconds
    networking: { podSubnet: settings.podSubnet, serviceSubnet: settings.serviceSubnet },
    etcd: PATIENT_ETCD,
    ...(hasBalancer(settings) ? { controlPlaneEndpoint: `${urlHost(balancer[settings.primary])}:${API_PORT}` } : {}),
    ...settings.kubeadm.clusterConfiguration,
  };
}

const kubeletConfiguration = (settings: Settings): unknown => ({
  apiVersion: 'kubelet.config.k8s.io/v1beta1',
  kind: 'KubeletConfiguration',
  cgroupDriver: 'cgroupfs',
  failCgroupV1: false,
  failSwapOn: false,
  resolvConf: '/etc/resolv.conf',
  // Images cannot be pulled again, and the disk is the test machine's: nothing may be cleaned up because it is full.
  imageGCHighThresholdPercent: 100,
  evictionHard: { 'nodefs.available': '0%', 'nodefs.inodesFree': '0%', 'imagefs.available': '0%' },
  ...settings.kubeadm.kubeletConfiguration,
});

const kubeProxyConfiguration = (settings: Settings): unknown => ({
  apiVersion: 'kubeproxy.config.k8s.io/v1alpha1',
  kind: 'KubeProxyConfiguration',
  mode: 'nftables',
  // These limits are the test machine's as a whole.
  conntrack: { maxPerCore: 0, min: 0, tcpEstablishedTimeout: '0s', tcpCloseWaitTimeout: '0s' },
  ...settings.kubeadm.kubeProxyConfiguration,
});

const AUTHORITIES = [
  'ca.crt',
  'ca.key',
  'sa.key',
  'sa.pub',
  'front-proxy-ca.crt',
  'front-proxy-ca.key',
  'etcd/ca.crt',
  'etcd/ca.key',
];

/** What an administrator copies before a further control-plane node joins. */
function shareAuthorities(from: RealNode, to: RealNode): void {
  for (const file of AUTHORITIES) {
    const target = join(to.onDisk('/etc/kubernetes/pki'), file);
    mkdirSync(dirname(target), { recursive: true });
    cpSync(join(from.onDisk('/etc/kubernetes/pki'), file), target);
  }
}
