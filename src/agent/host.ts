import { posix } from 'node:path';
import { EDITABLE_FLAGS, STATIC_PODS } from '../model/host.ts';
import type { HostReport, PatchReport, StaticPod } from '../model/host.ts';
import { HostFileError, sha256 } from './files.ts';
import type { HostFiles } from './files.ts';
import { readK0s } from './k0s.ts';
import type { K0sView } from './k0s.ts';
import { readKubeadmPatches } from './kubeadm-patches.ts';
import { readKubeletSetup } from './kubelet.ts';
import type { KubeletSetup } from './kubelet.ts';
import { parseManifest } from './manifest.ts';
import type { Manifest, Probe } from './manifest.ts';
import { readAddresses, readNetwork } from './netfs.ts';
import type { OwnInterfaces } from './netfs.ts';
import type { SeenAddress } from './netfs.ts';
import { ofHost, ofStaticPod } from './owner.ts';
import { readPodGroups } from './pod-groups.ts';
import { podUids, readContainerLogs } from './pod-logs.ts';
import type { ContainerLog } from './pod-logs.ts';
import { bootId, bootTime, findProcesses, uptime } from './procfs.ts';
import type { HostProcess } from './procfs.ts';
import { readPersisted, readSysctl } from './sysctl.ts';

export const STOP_FILE = '/etc/dualstack/stop';

/** Flags that are reported from running command lines: those that carry families, and what decides how they are to be read. */
export const REPORTED_FLAGS: Readonly<Record<StaticPod | 'kubelet', readonly string[]>> = {
  'kube-apiserver': [
    ...EDITABLE_FLAGS['kube-apiserver'],
    'advertise-address',
    'bind-address',
    'endpoint-reconciler-type',
    'feature-gates',
    'runtime-config',
  ],
  'kube-controller-manager': [
    ...EDITABLE_FLAGS['kube-controller-manager'],
    'allocate-node-cidrs',
    'cidr-allocator-type',
    'cloud-provider',
    'configure-cloud-routes',
    'controllers',
    'feature-gates',
    'leader-elect',
  ],
  kubelet: ['node-ip', 'cloud-provider', 'config', 'feature-gates', 'hostname-override'],
};

export interface PodView {
  readonly file: string;
  readonly hash: string;
  readonly manifest: Manifest;
  readonly processes: readonly HostProcess[];
  /** Those of them that certainly run in this very static pod, by their control group. */
  readonly proven: readonly HostProcess[];
  readonly healthy: boolean | null;
  readonly logs: readonly ContainerLog[];
}

/** All that one look at the host shows. A plain value: deciding needs nothing else. */
export interface HostView {
  readonly hostname: string;
  readonly boot: string;
  readonly bootSeconds: number | null;
  /** Milliseconds since the boot: what time-outs are measured by, because the wall clock may be set at any moment. */
  readonly uptimeMs: number;
  readonly stopped: boolean;
  readonly addresses: readonly SeenAddress[];
  readonly network: HostReport['network'];
  readonly kubelet: {
    readonly setup: KubeletSetup;
    readonly processes: readonly HostProcess[];
    readonly healthy: boolean | null;
  };
  readonly staticPods: { readonly [P in StaticPod]?: PodView };
  /** Null: no k0s controller runs here. */
  readonly k0s: K0sView | null;
  /** Uids of the pods that the kubelet has not finished with; null: that is not seen. */
  readonly podGroups: readonly string[] | null;
  /** Why a component's manifest could not be used, where there is one that looks like it. */
  readonly problems: { readonly [P in StaticPod]?: string };
  /** Values in the kernel of the settings that were asked about; null: there is no such setting. */
  readonly sysctls: Readonly<Record<string, string | null>>;
  readonly persisted: Readonly<Record<string, string>>;
  readonly kubeadmPatches: readonly PatchReport[];
}

/** Asks an endpoint how it is. Null: nobody listens there. */
export type AskHealth = (probe: Probe) => Promise<boolean | null>;

export async function readHost(
  files: HostFiles,
  sysctls: readonly string[],
  ask: AskHealth,
  interfaces: OwnInterfaces,
): Promise<HostView> {
  const addresses = readAddresses(files, interfaces);
  const kubelets = ofHost(findProcesses(files, 'kubelet'));
  const setup = readKubeletSetup(files, kubelets.at(-1)?.flags);
  const pods = readManifests(files, setup.manifestFolder);
  const views = await Promise.all(STATIC_PODS.map(async (pod) => [pod, await viewOf(files, pods, pod, ask)] as const));
  return {
    // As components see it when they take a Lease. The file may be empty, stale or missing where DHCP or a cloud names the host.
    hostname: files.read('/proc/sys/kernel/hostname')?.trim() || (files.read('/etc/hostname')?.trim() ?? ''),
    boot: bootId(files),
    bootSeconds: bootTime(files),
    uptimeMs: uptimeOf(files),
    stopped: files.exists(STOP_FILE),
    addresses,
    network: readNetwork(files, addresses),
    kubelet: {
      setup,
      processes: kubelets,
      healthy: kubelets.length === 0 ? null : setup.healthz === null ? null : await ask(setup.healthz),
    },
    staticPods: Object.fromEntries(
      views.flatMap(([pod, view]) => (typeof view === 'object' && view !== null ? [[pod, view]] : [])),
    ),
    k0s: await readK0s(files, ask),
    podGroups: readPodGroups(files),
    problems: Object.fromEntries(views.flatMap(([pod, view]) => (typeof view === 'string' ? [[pod, view]] : []))),
    sysctls: Object.fromEntries(sysctls.map((name) => [name, readSysctl(files, name)])),
    persisted: readPersisted(files),
    kubeadmPatches: readKubeadmPatches(files),
  };
}

function uptimeOf(files: HostFiles): number {
  const milliseconds = uptime(files);
  if (milliseconds !== null) return milliseconds;
  throw new HostFileError('/proc/uptime does not tell how long the host has been up: is the host’s /proc mounted?');
}

interface ManifestFile {
  readonly file: string;
  readonly text: string;
}

/** Every file that the kubelet would read: all but dot-files. */
function readManifests(files: HostFiles, folder: string): readonly ManifestFile[] {
  return files
    .list(folder)
    .filter((name) => !name.startsWith('.'))
    .flatMap((name) => {
      const file = posix.join(folder, name);
      try {
        const text = files.read(file);
        return text === null ? [] : [{ file, text }];
      } catch {
        // A folder, or a file that went away: the kubelet skips it too.
        return [];
      }
    });
}

/** The component's view; a text: why there is none although there should be; null: it does not run here. */
async function viewOf(
  files: HostFiles,
  manifests: readonly ManifestFile[],
  pod: StaticPod,
  ask: AskHealth,
): Promise<PodView | string | null> {
  const parsed = manifests.map((entry) => ({ ...entry, result: parseManifest(entry.text, pod) }));
  const mine = parsed.flatMap(({ file, text, result }) =>
    result.ok && result.value !== null ? [{ file, text, manifest: result.value }] : [],
  );
  const [first, second] = mine;
  if (first === undefined) {
    const broken = parsed.find(({ file, result }) => !result.ok && posix.basename(file).startsWith(`${pod}.`));
    return broken === undefined || broken.result.ok ? null : `${broken.file}: ${broken.result.error}`;
  }
  if (second !== undefined) {
    return `${first.file} and ${second.file} both run ${pod}, and the kubelet reads both: move one out of that folder`;
  }
  const probe = first.manifest.probes[0];
  // Before the processes: a run that has a log and is not among the processes has ended, not just begun.
  const { flags, pod: name } = first.manifest;
  const logs = readContainerLogs(files, pod, name);
  const uids = podUids(files, name);
  const processes = ofStaticPod(findProcesses(files, pod), { uids, flags, file: first.file });
  if (!processes.ok) return processes.error;
  return {
    file: first.file,
    hash: sha256(first.text),
    manifest: first.manifest,
    processes: processes.value,
    proven: processes.value.filter((process) => process.pod !== null && uids.includes(process.pod)),
    healthy: probe === undefined ? null : ((await ask(probe)) ?? false),
    logs,
  };
}
