import { execFile } from 'node:child_process';
import { cp, mkdir, readFile, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { stringify } from 'yaml';
import type { NodeAddresses, Network } from './addresses.ts';
import type { HostOptions, Settings } from './options.ts';

const run = promisify(execFile);

export interface KubeadmContext {
  readonly settings: Settings;
  readonly network: Network;
  readonly kubeadm: string;
  /** Folder for configuration files that are not part of any host. */
  readonly scratch: string;
}

export const hostOptions = (settings: Settings, node: string): Required<HostOptions> => ({
  hostFamilies: settings.hostFamilies,
  nodeIP: settings.nodeIP,
  forwarding: settings.forwarding,
  ...settings.nodes[node],
});

/** The family of the cluster's first service range. */
export function primaryFamily(settings: Settings): 'IPv4' | 'IPv6' {
  return settings.serviceSubnet.split(',')[0]?.includes(':') ? 'IPv6' : 'IPv4';
}

const SHARED_PKI = ['ca', 'sa', 'front-proxy-ca', 'etcd/ca'];

/**
 * Writes the host folders of all control-plane nodes by kubeadm's own phases: certificates, kubeconfigs, static pod
 * manifests, kubelet files. The second and third node share the authorities of the first, as after `kubeadm join`.
 */
export async function writeControlPlaneHosts(
  context: KubeadmContext,
  hostRoot: (node: string) => string,
): Promise<void> {
  const nodes = context.network.nodes.filter((node) => node.role === 'control-plane');
  const [first, ...others] = nodes;
  if (!first) throw new Error('a cluster needs a control-plane node');
  await writeControlPlaneHost(context, first, hostRoot(first.name));
  await Promise.all(
    others.map(async (node) => {
      await copyAuthorities(hostRoot(first.name), hostRoot(node.name));
      await writeControlPlaneHost(context, node, hostRoot(node.name));
      await rm(join(hostRoot(node.name), 'etc/kubernetes/super-admin.conf'));
    }),
  );
  await Promise.all(nodes.map((node, index) => writeEtcdMembers(nodes.slice(0, index + 1), hostRoot(node.name))));
}

async function copyAuthorities(from: string, to: string): Promise<void> {
  const pki = 'etc/kubernetes/pki';
  await mkdir(join(to, pki, 'etcd'), { recursive: true });
  const files = SHARED_PKI.flatMap((name) => (name === 'sa' ? ['sa.key', 'sa.pub'] : [`${name}.crt`, `${name}.key`]));
  await Promise.all(files.map((file) => cp(join(from, pki, file), join(to, pki, file))));
}

async function writeControlPlaneHost(context: KubeadmContext, node: NodeAddresses, root: string): Promise<void> {
  const kubernetes = join(root, 'etc/kubernetes');
  await mkdir(join(kubernetes, 'manifests'), { recursive: true });
  const certificates = await writeConfiguration(context, node, 'certificates', join(kubernetes, 'pki'));
  const manifests = await writeConfiguration(context, node, 'host');
  await kubeadm(context, node, ['certs', 'all', '--config', certificates]);
  const dryRun = join(context.scratch, `${node.name}-dry-run`);
  await mkdir(dryRun, { recursive: true });
  await kubeadm(context, node, ['kubeconfig', 'all', '--config', certificates, '--kubeconfig-dir', kubernetes]);
  for (const phase of [['control-plane', 'all'], ['etcd', 'local'], ['kubelet-start']]) {
    await kubeadm(context, node, [...phase, '--config', manifests, '--dry-run'], { KUBEADM_INIT_DRYRUN_DIR: dryRun });
  }
  await placeDryRun(dryRun, root);
}

const KUBELET_FILES = ['kubeadm-flags.env', 'config.yaml', 'instance-config.yaml'];

async function placeDryRun(dryRun: string, root: string): Promise<void> {
  const kubelet = join(root, 'var/lib/kubelet');
  await mkdir(kubelet, { recursive: true });
  for (const file of await readdir(dryRun)) {
    if (KUBELET_FILES.includes(file)) await rename(join(dryRun, file), join(kubelet, file));
    else if (file.endsWith('.yaml')) await rename(join(dryRun, file), join(root, 'etc/kubernetes/manifests', file));
  }
}

/** A member that joined names all members before it; each starts as part of the final cluster (see launch). */
async function writeEtcdMembers(members: readonly NodeAddresses[], root: string): Promise<void> {
  if (members.length === 1) return;
  const file = join(root, 'etc/kubernetes/manifests/etcd.yaml');
  const text = await readFile(file, 'utf8');
  const own = /--initial-cluster=[^=]+=(\S+)/.exec(text)?.[1] ?? '';
  const last = members.at(-1);
  const list = members
    .map((member) => `${member.name}=${last ? own.replace(hostOf(own), urlHost(member, own)) : own}`)
    .join(',');
  await writeFile(
    file,
    text.replace(/( *- )--initial-cluster=\S+/, `$1--initial-cluster=${list}\n$1--initial-cluster-state=existing`),
  );
}

const hostOf = (url: string): string => /^https:\/\/(.*):\d+$/.exec(url)?.[1] ?? '';
const urlHost = (node: NodeAddresses, like: string): string => (like.includes('[') ? `[${node.IPv6}]` : node.IPv4);

/** A worker's kubelet files, as kubeadm writes them. */
export async function writeWorkerHost(
  context: KubeadmContext,
  node: NodeAddresses,
  root: string,
  firstRoot: string,
): Promise<void> {
  const dryRun = join(context.scratch, `${node.name}-dry-run`);
  await mkdir(dryRun, { recursive: true });
  await mkdir(join(root, 'etc/kubernetes/pki'), { recursive: true });
  await mkdir(join(root, 'etc/kubernetes/manifests'), { recursive: true });
  await cp(join(firstRoot, 'etc/kubernetes/pki/ca.crt'), join(root, 'etc/kubernetes/pki/ca.crt'));
  const file = await writeConfiguration(context, node, 'host');
  await kubeadm(context, node, ['kubelet-start', '--config', file, '--dry-run'], { KUBEADM_INIT_DRYRUN_DIR: dryRun });
  await placeDryRun(dryRun, root);
}

/**
 * kubeadm's configuration for one node. Certificates must also be good for the loopback addresses that are really
 * dialled; the configuration that goes into the cluster does not speak of those.
 */
export async function writeConfiguration(
  context: KubeadmContext,
  node: NodeAddresses,
  purpose: 'certificates' | 'host',
  certificatesDir?: string,
): Promise<string> {
  const loopback = [node.loopback, context.network.balancer];
  const names = purpose === 'certificates' ? loopback : [];
  const documents = [
    initConfiguration(context, node),
    clusterConfiguration(context, names, certificatesDir),
    { apiVersion: 'kubeproxy.config.k8s.io/v1alpha1', kind: 'KubeProxyConfiguration' },
  ];
  const file = join(context.scratch, `kubeadm-${node.name}-${purpose}.yaml`);
  await writeFile(file, documents.map((document) => stringify(document)).join('---\n'));
  return file;
}

function initConfiguration({ settings }: KubeadmContext, node: NodeAddresses): unknown {
  const primary = primaryFamily(settings);
  const nodeIP = nodeIPFlag(node, primary, hostOptions(settings, node.name).nodeIP);
  return {
    apiVersion: 'kubeadm.k8s.io/v1beta4',
    kind: 'InitConfiguration',
    localAPIEndpoint: { advertiseAddress: node[primary], bindPort: 6443 },
    nodeRegistration: {
      name: node.name,
      criSocket: 'unix:///run/containerd/containerd.sock',
      kubeletExtraArgs: nodeIP ? [{ name: 'node-ip', value: nodeIP }] : [],
    },
  };
}

function nodeIPFlag(
  node: NodeAddresses,
  primary: 'IPv4' | 'IPv6',
  wanted: Required<HostOptions>['nodeIP'],
): string | undefined {
  if (wanted === 'unset') return undefined;
  const pair = primary === 'IPv4' ? [node.IPv4, node.IPv6] : [node.IPv6, node.IPv4];
  return (wanted === 'single' ? pair.slice(0, 1) : pair).join(',');
}

function clusterConfiguration(
  { settings, network }: KubeadmContext,
  names: readonly string[],
  certificatesDir?: string,
): unknown {
  const primary = primaryFamily(settings);
  const virtual = network.virtual[primary];
  const endpoint =
    settings.controlPlanes > 1
      ? { controlPlaneEndpoint: primary === 'IPv6' ? `[${virtual}]:6443` : `${virtual}:6443` }
      : {};
  const more =
    names.length > 0
      ? {
          apiServer: { certSANs: names },
          etcd: { local: { dataDir: '/var/lib/etcd', serverCertSANs: names, peerCertSANs: names } },
        }
      : {};
  return {
    apiVersion: 'kubeadm.k8s.io/v1beta4',
    kind: 'ClusterConfiguration',
    kubernetesVersion: `v${settings.kubernetesVersion}`,
    clusterName: 'kubernetes',
    encryptionAlgorithm: 'ECDSA-P256', // RSA keys for three nodes take seconds
    networking: { podSubnet: settings.podSubnet, serviceSubnet: settings.serviceSubnet },
    ...endpoint,
    ...(certificatesDir ? { certificatesDir } : {}),
    ...settings.clusterConfiguration,
    ...more,
  };
}

/** What `kubeadm init` puts into the cluster once the API answers. */
export async function uploadToCluster(context: KubeadmContext, kubeconfig: string): Promise<void> {
  const first = context.network.nodes[0];
  if (!first) throw new Error('a cluster needs a control-plane node');
  const file = join(context.scratch, `kubeadm-${first.name}-host.yaml`);
  // Not mark-control-plane: the played kubelet registers its Node with that label and taint.
  for (const phase of [['upload-config', 'all'], ['bootstrap-token'], ['addon', 'all']]) {
    await kubeadm(context, first, [...phase, '--config', file, '--kubeconfig', kubeconfig]);
  }
}

/** Runs one init phase under the node's host name: kubeadm writes an override flag when names differ. */
async function kubeadm(
  context: KubeadmContext,
  node: NodeAddresses,
  args: readonly string[],
  env: NodeJS.ProcessEnv = {},
): Promise<void> {
  const userNamespace = process.getuid?.() === 0 ? [] : ['-r'];
  const script = 'echo "$1" > /proc/sys/kernel/hostname; shift; exec "$@"';
  const command = ['--uts', 'sh', '-c', script, 'sh', node.name, context.kubeadm, 'init', 'phase', ...args];
  try {
    await run('unshare', [...userNamespace, ...command], { env: { ...process.env, ...env }, maxBuffer: 16 << 20 });
  } catch (error) {
    const { stderr } = error as { stderr?: string };
    throw new Error(
      `kubeadm init phase ${args.slice(0, 2).join(' ')} for ${node.name}: ${stderr?.trim() || String(error)}`,
      { cause: error },
    );
  }
}
