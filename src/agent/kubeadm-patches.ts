import { posix } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { parseFlags } from '../model/flags.ts';
import { EDITABLE_FLAGS, type PatchReport, STATIC_PODS } from '../model/host.ts';
import type { HostFiles } from './files.ts';

/**
 * Where patches usually are. kubeadm knows no default: whoever calls it names the folder (`patches.directory`, `--patches`), and nothing of that is kept in
 * the cluster.
 */
const PATCHES_FOLDER = '/etc/kubernetes/patches';

/** So many are told, as the resource's schema has it. */
const MAX_PATCHES = 16;
const MAX_VALUE = 200;

/** Patches that set flags which are edited here: kubeadm lays them over each manifest that it writes anew. */
export function readKubeadmPatches(files: HostFiles): readonly PatchReport[] {
  return files
    .list(PATCHES_FOLDER)
    .flatMap((name) => patchOf(files, name) ?? [])
    .slice(0, MAX_PATCHES);
}

/** Names as kubeadm takes them (cmd/kubeadm/app/util/patches): a component, anything, and one of two endings. */
function patchOf(files: HostFiles, name: string): PatchReport | null {
  const component = STATIC_PODS.find((each) => name.startsWith(each));
  if (component === undefined || !/\.(?:json|yaml)$/u.test(name)) return null;
  const file = posix.join(PATCHES_FOLDER, name);
  const editable: readonly string[] = EDITABLE_FLAGS[component];
  const flags = Object.entries(parseFlags(wordsIn(files, file))).filter(([flag]) => editable.includes(flag));
  if (flags.length === 0) return null;
  return { file, component, args: Object.fromEntries(flags.map(([flag, value]) => [flag, value.slice(0, MAX_VALUE)])) };
}

/** Every text in it, whatever kind of patch it is. One that cannot be read is none to kubeadm either: it ends with an error. */
function wordsIn(files: HostFiles, file: string): readonly string[] {
  try {
    return [...parseAllDocuments(files.read(file) ?? '', { logLevel: 'error' })].flatMap((document) =>
      document.errors.length > 0 ? [] : textsOf(document.toJS()),
    );
  } catch {
    // A folder, a file that went away, or aliases without end.
    return [];
  }
}

function textsOf(value: unknown): readonly string[] {
  if (typeof value === 'string') return [value];
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(textsOf) : [];
}
