import { copyFileSync, linkSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type Binaries, CONTAINERD } from './containerd.ts';
import type { NodeAddresses, Settings } from './options.ts';
import { run } from './run.ts';
import { copyStore } from './store.ts';

const NODE_PROGRAMS = ['kubelet', 'kubeadm', 'kubectl', 'containerd', 'containerd-shim-runc-v2', 'ctr', 'runc'];
export const CNI_PLUGINS = ['bridge', 'host-local', 'loopback', 'portmap'];
export const NODE_BINARIES = [...NODE_PROGRAMS, ...CNI_PLUGINS];
const ETCD_DISK_SIZE = '2G';

/**
 * The disk of one node: what its boot mounts over the host's own folders (see boot.sh). It outlives a reboot.
 * `images` is a prepared containerd folder, shared by hard links: layers are never written to.
 */
export async function makeDisk(
  disk: string,
  node: NodeAddresses,
  settings: Settings,
  binaries: Binaries,
  images: string,
): Promise<void> {
  for (const folder of [
    'etc',
    'usr/bin',
    'var/lib/kubelet',
    'var/lib/etcd',
    'var/log',
    'opt/cni/bin',
    'root',
    'tmp',
    'covered/etc',
  ]) {
    mkdirSync(join(disk, folder), { recursive: true });
  }
  for (const program of NODE_PROGRAMS) place(pathOf(binaries, program), join(disk, 'usr/bin', program));
  for (const plugin of CNI_PLUGINS) place(pathOf(binaries, plugin), join(disk, 'opt/cni/bin', plugin));
  for (const [path, text] of Object.entries(nodeFiles(node, settings))) {
    const file = join(disk, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text);
  }
  await copyStore(images, join(disk, 'var/lib/containerd'));
  if (settings.ownEtcdDisk && node.role === 'control-plane') await makeEtcdDisk(join(disk, 'etcd.img'));
}

function pathOf(binaries: Binaries, name: string): string {
  const path = binaries[name];
  if (path === undefined) throw new Error(`${name}: no such binary was found; run make tools`);
  return path;
}

/** One file for all nodes where the file system allows it: their memory for program text is shared, too. */
function place(from: string, to: string): void {
  try {
    linkSync(from, to);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EXDEV') throw error;
    copyFileSync(from, to);
  }
}

async function makeEtcdDisk(file: string): Promise<void> {
  await run(['truncate', '--size', ETCD_DISK_SIZE, file]);
  await run(['mkfs.ext4', '-q', '-F', '-E', 'nodiscard,lazy_itable_init=1,lazy_journal_init=1', file]);
}

/** Below `covered/` lie folders that hide the host's own; elsewhere a file stands in for the host's file alone. */
function nodeFiles(node: NodeAddresses, settings: Settings): Readonly<Record<string, string>> {
  const { forwarding } = settings.host(node.name);
  return {
    'etc/hostname': `${node.name}\n`,
    'etc/hosts': hosts(settings),
    'etc/resolv.conf': `nameserver ${settings.network.gateway[settings.primary]}\n`,
    'etc/fstab': '',
    'etc/machine-id': `${machineId(settings.id, node.name)}\n`,
    'etc/default/kubelet': 'KUBELET_EXTRA_ARGS=\n',
    'etc/containerd/config.toml': CONTAINERD,
    'etc/crictl.yaml': 'runtime-endpoint: unix:///run/containerd/containerd.sock\n',
    'covered/etc/sysctl.d/99-kubernetes.conf': forwardingSettings(forwarding),
    'covered/etc/systemd/system/node.target': NODE_TARGET,
    'covered/etc/systemd/system/containerd.service': CONTAINERD_UNIT,
    'covered/etc/systemd/system/kubelet.service.d/20-log.conf': logTo('kubelet'),
    'usr/lib/systemd/system/kubelet.service': KUBELET_UNIT,
    'usr/lib/systemd/system/kubelet.service.d/10-kubeadm.conf': KUBEADM_DROP_IN,
  };
}

function hosts(settings: Settings): string {
  const lines = settings.network.nodes.map((node) => `${node[settings.primary]} ${node.name}`);
  return ['127.0.0.1 localhost', '::1 localhost ip6-localhost ip6-loopback', ...lines, ''].join('\n');
}

const ID_LENGTH = 32;
const machineId = (id: string, node: string): string =>
  Buffer.from(`${id}-${node}`).toString('hex').padEnd(ID_LENGTH, '0').slice(0, ID_LENGTH);

/** What kubeadm's documentation asks for, and what systemd's own settings would have been. */
const ALWAYS = [
  'net.bridge.bridge-nf-call-iptables = 1',
  'net.bridge.bridge-nf-call-ip6tables = 1',
  'net.ipv4.conf.all.promote_secondaries = 1',
];

function forwardingSettings(forwarding: 'IPv4' | 'IPv6' | 'dual'): string {
  const on = {
    IPv4: 'net.ipv4.ip_forward = 1',
    IPv6: 'net.ipv6.conf.all.forwarding = 1',
  };
  const lines = forwarding === 'dual' ? [on.IPv4, on.IPv6] : [on[forwarding]];
  return [...lines, ...ALWAYS, ''].join('\n');
}

const logTo = (service: string): string =>
  `[Service]\nStandardOutput=append:/var/log/${service}.log\nStandardError=inherit\n`;

/** All that a node starts at boot. Nothing of the host's own services is pulled in: their `.wants` folders are covered. */
const NODE_TARGET = `[Unit]
Description=Kubernetes node
Wants=dbus.socket systemd-sysctl.service containerd.service
AllowIsolate=yes
`;

const CONTAINERD_UNIT = `[Unit]
Description=containerd container runtime
Documentation=https://containerd.io

[Service]
ExecStart=/usr/bin/containerd
Type=notify
Delegate=yes
KillMode=process
Restart=always
RestartSec=5
LimitNOFILE=infinity
TasksMax=infinity
OOMScoreAdjust=-999
${logTo('containerd').replace('[Service]\n', '')}
[Install]
WantedBy=multi-user.target
`;

/** The unit and the drop-in of kubeadm's packages: the agent reads them to find the kubelet's flags. */
const KUBELET_UNIT = `[Unit]
Description=kubelet: The Kubernetes Node Agent
Documentation=https://kubernetes.io/docs/
Wants=network-online.target
After=network-online.target

[Service]
ExecStart=/usr/bin/kubelet
Restart=always
StartLimitInterval=0
RestartSec=10

[Install]
WantedBy=multi-user.target node.target
`;

const KUBEADM_DROP_IN = `# Note: This dropin only works with kubeadm and kubelet v1.11+
[Service]
Environment="KUBELET_KUBECONFIG_ARGS=--bootstrap-kubeconfig=/etc/kubernetes/bootstrap-kubelet.conf --kubeconfig=/etc/kubernetes/kubelet.conf"
Environment="KUBELET_CONFIG_ARGS=--config=/var/lib/kubelet/config.yaml"
# This is a file that "kubeadm init" and "kubeadm join" generates at runtime, populating the KUBELET_KUBEADM_ARGS variable dynamically
EnvironmentFile=-/var/lib/kubelet/kubeadm-flags.env
# This is a file that the user can use for overrides of the kubelet args as a last resort. Preferably, the user should use
# the .NodeRegistration.KubeletExtraArgs object in the configuration files instead. KUBELET_EXTRA_ARGS should be sourced from this file.
EnvironmentFile=-/etc/default/kubelet
ExecStart=
ExecStart=/usr/bin/kubelet $KUBELET_KUBECONFIG_ARGS $KUBELET_CONFIG_ARGS $KUBELET_KUBEADM_ARGS $KUBELET_EXTRA_ARGS
`;
