import { parse } from 'yaml';
import { STATIC_PODS } from '../model/host.ts';
import type { StaticPod } from '../model/host.ts';
import { type K0sSettings, readK0sSettings } from '../model/k0s.ts';
import { HostFileError } from './files.ts';
import type { HostFiles } from './files.ts';
import { ofHost } from './owner.ts';
import { findProcesses } from './procfs.ts';
import type { HostProcess } from './procfs.ts';

/** A k0s controller on this host: one process that runs the control plane as processes of its own. It is looked at and not changed. */
export interface K0sView {
  readonly file: string;
  readonly settings: K0sSettings;
  readonly problem: string;
  readonly dynamic: boolean;
  readonly processes: { readonly [P in StaticPod]: HostProcess | null };
}

/** Where k0s looks when it is not told (github.com/k0sproject/k0s, pkg/constant). */
const DEFAULT_FILE = '/etc/k0s/k0s.yaml';

/** Null: no k0s controller runs here; a worker alone has nothing of this. */
export function readK0s(files: HostFiles): K0sView | null {
  const controller = ownProcesses(files, 'k0s').findLast(({ pid }) => isController(wordsOf(files, pid)));
  if (controller === undefined) return null;
  const file = configFile(wordsOf(files, controller.pid));
  return {
    file,
    ...readConfig(files, file),
    dynamic: (controller.flags['enable-dynamic-config'] ?? 'false') !== 'false',
    processes: {
      'kube-apiserver': newest(files, 'kube-apiserver'),
      'kube-controller-manager': newest(files, 'kube-controller-manager'),
    },
  };
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

function readConfig(files: HostFiles, file: string): Pick<K0sView, 'settings' | 'problem'> {
  if (!file.startsWith('/')) return { settings: {}, problem: `it is given as "${file}", which is no absolute path` };
  try {
    const text = files.read(file);
    // Of the usual one k0s can do without; one that it was told it has read, so it is merely not seen from here.
    if (text === null && file !== DEFAULT_FILE) {
      return { settings: {}, problem: `${file} is not seen by the agent: mount its folder into the agent’s DaemonSet` };
    }
    return { settings: readK0sSettings(parse(text ?? '', { logLevel: 'error' })), problem: '' };
  } catch (error) {
    const why = error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error);
    return { settings: {}, problem: error instanceof HostFileError ? why : `${file} is not YAML: ${why}` };
  }
}
