import { createHash } from 'node:crypto';
import {
  closeSync,
  existsSync,
  fchmodSync,
  fchownSync,
  fstatSync,
  fsyncSync,
  lstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  readSync,
  readdirSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, posix } from 'node:path';
import { err, ok } from '../result.ts';
import type { Result } from '../result.ts';

/**
 * The host's files, by their absolute paths on the host. Synchronous: the agent is one small loop over small files, and code that
 * cannot be interleaved is easier to trust with a control plane.
 */
export interface HostFiles {
  /** The file's text, or null when it is not there. Throws `HostFileError` when it is there and cannot be read. */
  read(path: string): string | null;
  /** The first or last bytes of a file that may be long, as text; null when it cannot be had. */
  readPart(path: string, bytes: number, end: 'head' | 'tail'): string | null;
  /** Names in a folder, sorted; empty when it is not there. */
  list(path: string): readonly string[];
  exists(path: string): boolean;
  /**
   * Replaces a file in one step: a dot-file beside it, fsync, rename, fsync of the folder. Mode and owner stay as they were;
   * a new file gets `mode`. The error names the file and the cause.
   */
  replace(path: string, text: string, mode?: number): Result<void, string>;
  /** Writes straight into a file of the kernel (below `/proc/sys`), which can be neither renamed nor synced. */
  writeKernel(path: string, text: string): Result<void, string>;
  remove(path: string): Result<void, string>;
  /** Where a path of the host is to be found by this process. */
  onDisk(path: string): string;
}

const MAX_SYMLINKS = 40;

export function hostFiles(root: string): HostFiles {
  const onDisk = (path: string): string => resolveBelow(root, path);

  return {
    onDisk,
    read(path) {
      try {
        return readFileSync(onDisk(path), 'utf8');
      } catch (error) {
        if (isMissing(error)) return null;
        throw new HostFileError(`${path} cannot be read: ${reasonOf(error)}`);
      }
    },
    readPart(path, bytes, end) {
      try {
        return readPart(onDisk(path), bytes, end);
      } catch {
        return null;
      }
    },
    list(path) {
      try {
        return readdirSync(onDisk(path)).sort();
      } catch (error) {
        if (isMissing(error)) return [];
        throw new HostFileError(`folder ${path} cannot be listed: ${reasonOf(error)}`);
      }
    },
    exists: (path) => existsSync(onDisk(path)),
    replace(path, text, mode = 0o600) {
      try {
        replaceFile(onDisk(path), text, mode);
        return ok(undefined);
      } catch (error) {
        return err(`${path} cannot be written: ${reasonOf(error)}. ${remedyFor(error)}`);
      }
    },
    writeKernel(path, text) {
      try {
        writeFileSync(onDisk(path), text);
        return ok(undefined);
      } catch (error) {
        return err(`${path} cannot be written: ${reasonOf(error)}. ${remedyFor(error)}`);
      }
    },
    remove(path) {
      try {
        rmSync(onDisk(path), { force: true });
        return ok(undefined);
      } catch (error) {
        return err(`${path} cannot be removed: ${reasonOf(error)}. ${remedyFor(error)}`);
      }
    },
  };
}

/** A file of the host that is there and cannot be used. */
export class HostFileError extends Error {
  override readonly name = 'HostFileError';
}

export const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

function readPart(file: string, bytes: number, end: 'head' | 'tail'): string {
  const handle = openSync(file, 'r');
  try {
    const from = end === 'head' ? 0 : Math.max(0, fstatSync(handle).size - bytes);
    const buffer = Buffer.alloc(bytes);
    return buffer.toString('utf8', 0, readSync(handle, buffer, 0, bytes, from));
  } finally {
    closeSync(handle);
  }
}

function replaceFile(target: string, text: string, mode: number): void {
  const folder = dirname(target);
  mkdirSync(folder, { recursive: true });
  const before = existsSync(target) ? statSync(target) : null;
  const beside = join(folder, `.${posix.basename(target)}.dualstack`);
  const file = openSync(beside, 'w', mode);
  try {
    writeFileSync(file, text);
    fchmodSync(file, before === null ? mode : before.mode & 0o7777);
    if (before !== null) fchownSync(file, before.uid, before.gid);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(beside, target);
  syncFolder(folder);
}

/** Without this a power cut may bring the old name back although the rename was answered. */
function syncFolder(folder: string): void {
  const handle = openSync(folder, 'r');
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}

/**
 * Follows symbolic links as the host would: an absolute link in a mounted root file system means a path on the host, and would lead
 * into this container if the operating system followed it.
 */
function resolveBelow(root: string, path: string): string {
  if (path.startsWith('/proc/') || path.startsWith('/sys/')) return join(root, path);
  const pending = path.split('/').filter((part) => part !== '');
  let here = '/';
  let links = 0;
  for (let part = pending.shift(); part !== undefined; part = pending.shift()) {
    const next = posix.join(here, part);
    const link = linkTarget(join(root, next));
    if (link === null) {
      here = next;
      continue;
    }
    links += 1;
    if (links > MAX_SYMLINKS) throw new HostFileError(`${path} leads through more than ${MAX_SYMLINKS} symbolic links`);
    pending.unshift(...link.split('/').filter((piece) => piece !== ''));
    if (posix.isAbsolute(link)) here = '/';
  }
  return join(root, here);
}

function linkTarget(path: string): string | null {
  try {
    return lstatSync(path).isSymbolicLink() ? readlinkSync(path) : null;
  } catch {
    return null;
  }
}

const codeOf = (error: unknown): string =>
  typeof error === 'object' && error !== null && 'code' in error ? String(error.code) : '';

/** What ends between listing and reading: a process, of which the kernel then says ESRCH, or a control group (ENODEV). */
const isMissing = (error: unknown): boolean => ['ENOENT', 'ENOTDIR', 'ESRCH', 'ENODEV'].includes(codeOf(error));

const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

function remedyFor(error: unknown): string {
  switch (codeOf(error)) {
    case 'EROFS':
      return 'The file system is read-only: mount it writable in the agent’s DaemonSet, or on the host.';
    case 'EACCES':
    case 'EPERM':
      return 'Let the agent write there: it needs root on the host, and the file must not be immutable (lsattr).';
    case 'ENOSPC':
    case 'EDQUOT':
      return 'Free some space on that file system.';
    default:
      return 'See to the file on the host; the agent tries again.';
  }
}
