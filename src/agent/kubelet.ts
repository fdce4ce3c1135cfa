import { posix } from 'node:path';
import { parse } from 'yaml';
import { at, asNumber, asString } from '../model/object.ts';
import { editArgument, findAssignment, readArgument } from './env-file.ts';
import { err } from '../result.ts';
import type { Result } from '../result.ts';
import type { HostFiles } from './files.ts';
import type { Probe } from './manifest.ts';

const NODE_IP = 'node-ip';
const CONFIG = '/var/lib/kubelet/config.yaml';
const DEFAULT_MANIFESTS = '/etc/kubernetes/manifests';
const KUBELET_HEALTHZ_PORT = 10248;
/** Unit folders of systemd, weakest first. */
const UNIT_FOLDERS = [
  '/lib/systemd/system',
  '/usr/lib/systemd/system',
  '/usr/local/lib/systemd/system',
  '/etc/systemd/system',
];

/** One variable of the kubelet's command line, and the file that sets it. Later ones beat earlier ones. */
interface KubeletSource {
  readonly file: string;
  readonly variable: string;
  /** Set in the unit itself: systemd must read its units again before a restart shows the change. */
  readonly inUnit: boolean;
}

export interface KubeletSetup {
  /** The source whose `--node-ip` wins, or where it would be set; null: no file of the kubelet was found. */
  readonly source: KubeletSource | null;
  /** The value that the sources come to; null: none sets it. */
  readonly nodeIP: string | null;
  /** The file, else the variable, from which the unit takes the value of `--node-ip`: a script fills it at boot. Null: none. */
  readonly nodeIPFrom: string | null;
  readonly manifestFolder: string;
  /** Null: switched off. */
  readonly healthz: Probe | null;
}

/** How kubeadm's packages put the command line together where no unit can be read. */
const KUBEADM_SOURCES: readonly KubeletSource[] = [
  { file: '/var/lib/kubelet/kubeadm-flags.env', variable: 'KUBELET_KUBEADM_ARGS', inUnit: false },
  { file: '/etc/default/kubelet', variable: 'KUBELET_EXTRA_ARGS', inUnit: false },
  { file: '/etc/sysconfig/kubelet', variable: 'KUBELET_EXTRA_ARGS', inUnit: false },
];

/** @param flags Those of the kubelet that runs: they beat its configuration. */
export function readKubeletSetup(files: HostFiles, flags: Readonly<Record<string, string>> = {}): KubeletSetup {
  const unit = readUnit(files);
  const sources = kubeletSources(files, unit).filter((source) => files.exists(source.file));
  const setting = sources.filter((source) => valueIn(files, source) !== null).at(-1);
  const source =
    setting ?? sources.find((candidate) => candidate.variable === 'KUBELET_KUBEADM_ARGS') ?? sources.at(-1) ?? null;
  const config = readConfig(files, flags['config'] ?? CONFIG);
  const port = asNumber(at(config, 'healthzPort')) ?? KUBELET_HEALTHZ_PORT;
  return {
    source,
    nodeIP: setting === undefined ? null : valueIn(files, setting),
    nodeIPFrom: nodeIPVariable(files, unit),
    manifestFolder: flags['pod-manifest-path'] || (asString(at(config, 'staticPodPath')) ?? DEFAULT_MANIFESTS),
    healthz:
      port === 0
        ? null
        : { scheme: 'http', host: asString(at(config, 'healthzBindAddress')) ?? '127.0.0.1', port, path: '/healthz' },
  };
}

/** The source's file with `--node-ip` set, or removed for null. */
export function editKubeletSource(text: string, source: KubeletSource, nodeIP: string | null): Result<string, string> {
  if (text.includes('\0')) return err('it is not a text file');
  return editArgument(text, source.variable, NODE_IP, nodeIP);
}

const valueIn = (files: HostFiles, source: KubeletSource): string | null =>
  readArgument(files.read(source.file) ?? '', source.variable, NODE_IP);

/** The kubelet's unit with its drop-ins, weakest first. */
interface Unit {
  readonly files: readonly { readonly file: string; readonly text: string }[];
  /** Empty: no unit could be read. */
  readonly command: string;
  readonly environmentFiles: readonly string[];
}

function readUnit(files: HostFiles): Unit {
  const units = unitFiles(files).map((file) => ({ file, text: files.read(file) ?? '' }));
  const commands = units.flatMap(({ text }) =>
    // A backslash at the end of a line carries the command on to the next one.
    [...text.matchAll(/^ExecStart=((?:[^\\\n]|\\[^])+)$/gm)].map((match) => match[1] ?? ''),
  );
  return {
    files: units,
    command: commands.at(-1) ?? '',
    environmentFiles: units.flatMap(({ text }) =>
      [...text.matchAll(/^EnvironmentFile=-?(.+)$/gm)].map((match) => (match[1] ?? '').trim()),
    ),
  };
}

/** Every variable of the command line in its order, with the file that sets it last. */
function kubeletSources(files: HostFiles, unit: Unit): readonly KubeletSource[] {
  const variables = [...unit.command.matchAll(/\$\{?([A-Z_][A-Z0-9_]*)\}?/g)].map((match) => match[1] ?? '');
  if (variables.length === 0) return KUBEADM_SOURCES;
  return variables.flatMap((variable): KubeletSource[] => {
    const source = sourceOf(files, unit, variable);
    if (source !== null) return [source];
    const known = KUBEADM_SOURCES.filter(
      (each) => each.variable === variable && unit.environmentFiles.includes(each.file),
    );
    return known.filter((each) => files.exists(each.file));
  });
}

function sourceOf(files: HostFiles, unit: Unit, variable: string): KubeletSource | null {
  const sets = (file: string): boolean => findAssignment(files.read(file) ?? '', variable) !== null;
  // An EnvironmentFile beats Environment=, and the later of each beats the earlier.
  const fromFile = unit.environmentFiles.filter(sets).at(-1);
  if (fromFile !== undefined) return { file: fromFile, variable, inUnit: false };
  const fromUnit = unit.files.filter(({ text }) => findAssignment(text, variable) !== null).at(-1);
  return fromUnit === undefined ? null : { file: fromUnit.file, variable, inUnit: true };
}

/** `--node-ip ${KUBELET_NODE_IP}`, as machine-controller's hosts have it: the variable is filled before the kubelet starts. */
function nodeIPVariable(files: HostFiles, unit: Unit): string | null {
  const variable = /--node-ip[= ]"?\$\{?([A-Z_][A-Z0-9_]*)/.exec(unit.command)?.[1];
  return variable === undefined ? null : (sourceOf(files, unit, variable)?.file ?? variable);
}

function unitFiles(files: HostFiles): readonly string[] {
  const unit = UNIT_FOLDERS.map((folder) => `${folder}/kubelet.service`).findLast((path) => files.exists(path));
  const dropIns = new Map<string, string>();
  // A drop-in of a stronger folder replaces one of the same name; all are read in the order of their names.
  for (const folder of UNIT_FOLDERS.map((path) => `${path}/kubelet.service.d`)) {
    for (const name of files.list(folder)) if (name.endsWith('.conf')) dropIns.set(name, posix.join(folder, name));
  }
  const ordered = [...dropIns].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, path]) => path);
  return unit === undefined ? ordered : [unit, ...ordered];
}

function readConfig(files: HostFiles, path: string): unknown {
  try {
    return parse(files.read(path) ?? '', { logLevel: 'error' }) as unknown;
  } catch {
    // A configuration that the kubelet could not read either: its defaults are the best guess.
    return null;
  }
}
