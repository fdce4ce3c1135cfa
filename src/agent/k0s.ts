import { parse } from 'yaml';
import { STATIC_PODS } from '../model/host.ts';
import type { K0sWish, StaticPod } from '../model/host.ts';
import { type K0sSettings, readK0sSettings } from '../model/k0s.ts';
import { sameRange } from '../model/networks.ts';
import { HostFileError } from './files.ts';
import type { HostFiles } from './files.ts';
import type { AskHealth } from './host.ts';
import { k0sConfigProblem } from './k0s-config.ts';
import type { Probe } from './manifest.ts';
import { ofHost } from './owner.ts';
import { findProcesses } from './procfs.ts';
import type { HostProcess } from './procfs.ts';
import { SYSTEM_BUS } from './systemd.ts';
import { unreachable } from '../result.ts';

/** A k0s controller on this host: one process that runs the control plane as processes of its own, configured by one file. */
export interface K0sView {
  readonly file: string;
  /** Of the file; null: it is not there, or cannot be read. */
  readonly text: string | null;
  readonly settings: K0sSettings;
  readonly problem: string;
  /** Why the file is left to people; empty: it can be edited here, and k0s be restarted. */
  readonly byHand: string;
  readonly dynamic: boolean;
  readonly controller: HostProcess;
  /** Whether both components answer well; null: none of them runs. */
  readonly healthy: boolean | null;
  readonly processes: { readonly [P in StaticPod]: HostProcess | null };
}

/** Where k0s looks when it is not told (github.com/k0sproject/k0s, pkg/constant). */
const DEFAULT_FILE = '/etc/k0s/k0s.yaml';

/** As `k0s install controller` calls it. */
export const K0S_UNIT = 'k0scontroller.service';

/** Null: no k0s controller runs here; a worker alone has nothing of this. */
export async function readK0s(files: HostFiles, ask: AskHealth): Promise<K0sView | null> {
  const controller = ownProcesses(files, 'k0s').findLast(({ pid }) => isController(wordsOf(files, pid)));
  if (controller === undefined) return null;
  const file = configFile(wordsOf(files, controller.pid));
  const config = readK0sFile(files, file);
  const processes = {
    'kube-apiserver': newest(files, 'kube-apiserver'),
    'kube-controller-manager': newest(files, 'kube-controller-manager'),
  };
  return {
    file,
    ...config,
    byHand: reasonForHands(files, { file, ...config, controller }),
    dynamic: (controller.flags['enable-dynamic-config'] ?? 'false') !== 'false',
    controller,
    healthy: await healthOf(processes, ask),
    processes,
  };
}

/** Only the usual k0s is edited: its file where k0s looks for it by itself, as the service of systemd that its installer makes. */
function reasonForHands(
  files: HostFiles,
  { file, text, problem, controller }: Pick<K0sView, 'file' | 'text' | 'problem' | 'controller'>,
): string {
  if (problem !== '') return problem;
  if (file !== DEFAULT_FILE) return `k0s was told to read ${file}, and the agent edits ${DEFAULT_FILE} alone`;
  if (text === null) return `there is no ${file}`;
  const form = k0sConfigProblem(text);
  if (form !== null) return `${file} cannot be edited in place: ${form}`;
  if (!controller.cgroups.some((path) => `${path}/`.includes(`/${K0S_UNIT}/`))) {
    return `k0s does not run as ${K0S_UNIT} of systemd`;
  }
  return files.exists(SYSTEM_BUS) ? '' : `${SYSTEM_BUS} is not there, by which k0s would be restarted`;
}

async function healthOf(processes: K0sView['processes'], ask: AskHealth): Promise<boolean | null> {
  const probes = STATIC_PODS.flatMap((component) => {
    const process = processes[component];
    return process === null ? [] : [probeOf(component, process.flags)];
  });
  if (probes.length === 0) return null;
  const answers = await Promise.all(probes.map(ask));
  return probes.length === STATIC_PODS.length && answers.every((answer) => answer === true);
}

/** Where a component answers by its own arguments (Kubernetes: their defaults; the API server listens on all of its addresses). */
function probeOf(component: StaticPod, flags: Readonly<Record<string, string>>): Probe {
  switch (component) {
    case 'kube-apiserver': {
      const host = flags['advertise-address'] ?? flags['bind-address'] ?? '';
      return { scheme: 'https', host, port: Number(flags['secure-port'] ?? 6443), path: '/readyz' };
    }
    case 'kube-controller-manager': {
      const port = Number(flags['secure-port'] ?? 10_257);
      return { scheme: 'https', host: flags['bind-address'] ?? '', port, path: '/healthz' };
    }
    default:
      return unreachable(component);
  }
}

type Shows = { readonly [P in StaticPod]?: K0sWish['shows'][P] | undefined };

/** What the processes do not run with of what they shall; null: they do. */
export function notShown({ processes }: K0sView, shows: Shows): string | null {
  for (const component of STATIC_PODS) {
    const wanted = Object.entries(shows[component] ?? {});
    const flags = processes[component]?.flags;
    if (wanted.length > 0 && flags === undefined) return `${component} is not running`;
    const other = wanted.find(([flag, value]) => !sameRange(flags?.[flag], value));
    if (other !== undefined) return `${component} runs with --${other[0]}=${flags?.[other[0]] ?? ''}`;
  }
  return null;
}

/** Both, where they run. */
export const k0sProcesses = ({ processes }: K0sView): readonly HostProcess[] =>
  STATIC_PODS.flatMap((component) => processes[component] ?? []);

/** A cluster may run k0s controllers of other clusters in its pods: those are not the host's. */
const ownProcesses = (files: HostFiles, program: string): readonly HostProcess[] =>
  ofHost(findProcesses(files, program).filter(({ pod }) => pod === null));

const newest = (files: HostFiles, component: StaticPod): HostProcess | null =>
  ownProcesses(files, component).at(-1) ?? null;

function wordsOf(files: HostFiles, pid: number): readonly string[] {
  try {
    return (files.read(`/proc/${pid}/cmdline`) ?? '').split('\0').slice(1);
  } catch {
    // It ended while it was read.
    return [];
  }
}

/** `server` is the older name of the command. */
const isController = (words: readonly string[]): boolean => {
  const command = words.find((word) => !word.startsWith('-'));
  return command === 'controller' || command === 'server';
};

function configFile(words: readonly string[]): string {
  const named = words.flatMap((word, index) => {
    const match = /^(?:--config|-c)(?:=(.*))?$/s.exec(word);
    return match === null ? [] : [match[1] ?? words[index + 1] ?? ''];
  });
  return named.at(-1) || DEFAULT_FILE;
}

/** What a configuration file says. No text without a problem: k0s runs with its defaults. */
export function readK0sFile(files: HostFiles, file: string): Pick<K0sView, 'text' | 'settings' | 'problem'> {
  const none = { text: null, settings: {} };
  if (!file.startsWith('/')) return { ...none, problem: `it is given as "${file}", which is no absolute path` };
  try {
    const text = files.read(file);
    // Of the usual one k0s can do without; one that it was told it has read, so it is merely not seen from here.
    if (text === null && file !== DEFAULT_FILE) {
      return { ...none, problem: `${file} is not seen by the agent: mount its folder into the agent’s DaemonSet` };
    }
    return { text, settings: readK0sSettings(parse(text ?? '', { logLevel: 'error' })), problem: '' };
  } catch (error) {
    const why = error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error);
    return { ...none, problem: error instanceof HostFileError ? why : `${file} is not YAML: ${why}` };
  }
}
