import type { RunningProcess } from '../model/host.ts';
import type { HostFiles } from './files.ts';

/** Jiffies a second in what `/proc` tells user space: fixed by the kernel's ABI on every platform that Kubernetes runs on. */
const TICKS_PER_SECOND = 100;
/** The kernel keeps this many characters of a command's name. */
const COMM_LENGTH = 15;

/** One process of a component. `key` names it for good: process ids are used again, an id with its start time is not. */
export interface HostProcess {
  readonly pid: number;
  readonly key: string;
  readonly startTicks: number;
  readonly flags: Readonly<Record<string, string>>;
  /** Its control groups, as paths seen from here: outside the reader's own they begin with `/..`. */
  readonly cgroups: readonly string[];
  /** Uid of the Pod that it runs in, by its control group, without dashes or as the API writes it; null: in none that is seen. */
  readonly pod: string | null;
  /** How many process-id namespaces below the host's it is in; null where the kernel does not tell. */
  readonly depth: number | null;
}

/** Flags of a command line. Of a repeated flag the last counts, as the components see it. */
export function parseFlags(words: readonly string[]): Readonly<Record<string, string>> {
  const flags: Record<string, string> = {};
  for (let i = 0; i < words.length; i += 1) {
    const match = /^--([^=]+)(?:=(.*))?$/s.exec(words[i] ?? '');
    if (match?.[1] === undefined) continue;
    const next = words[i + 1];
    if (match[2] !== undefined) flags[match[1]] = match[2];
    else if (next !== undefined && !next.startsWith('-')) flags[match[1]] = next;
    else flags[match[1]] = 'true';
  }
  return flags;
}

/** The running processes of a program, oldest first. While a static pod is replaced there may be two for a while. */
export function findProcesses(files: HostFiles, program: string): readonly HostProcess[] {
  return files
    .list('/proc')
    .filter((name) => /^[0-9]+$/.test(name))
    .map((pid) => readProcess(files, Number(pid), program))
    .filter((process) => process !== null)
    .sort((a, b) => a.startTicks - b.startTicks || a.pid - b.pid);
}

/** The process of that id, if it is one of that program and has not ended. */
export function readProcess(files: HostFiles, pid: number, program: string): HostProcess | null {
  try {
    const comm = files.read(`/proc/${pid}/comm`)?.trim();
    if (comm !== program.slice(0, COMM_LENGTH)) return null;
    const words = (files.read(`/proc/${pid}/cmdline`) ?? '').split('\0');
    if (words[0]?.split('/').at(-1) !== program) return null;
    const stat = parseStat(files.read(`/proc/${pid}/stat`) ?? '');
    if (stat === null || stat.state === 'Z') return null;
    const cgroups = parseCgroups(files.read(`/proc/${pid}/cgroup`) ?? '');
    return {
      pid,
      key: `${pid}:${stat.startTicks}`,
      startTicks: stat.startTicks,
      flags: parseFlags(words.slice(1)),
      cgroups,
      pod: podOf(cgroups),
      depth: namespaceDepth(files.read(`/proc/${pid}/status`) ?? ''),
    };
  } catch {
    // It ended while it was read: it is not running.
    return null;
  }
}

/** Paths of `/proc/<pid>/cgroup`, each once: one for all controllers (version 2), or one for each hierarchy (version 1). */
function parseCgroups(text: string): readonly string[] {
  const paths = text.split('\n').flatMap((line) => /^\d+:[^:]*:(\/.*)$/.exec(line)?.[1] ?? []);
  return [...new Set(paths)];
}

/** `pod<uid>` of the cgroupfs driver, `kubepods-burstable-pod<uid>.slice` with `_` for `-` of the systemd driver. */
const POD = /(?:^|[/-])pod([0-9a-f]{8}(?:[-_]?[0-9a-f]{4}){3}[-_]?[0-9a-f]{12})(?=[./]|$)/g;

/** A Pod inside a container of another Pod has both in its path: the inner one is its own. */
export function podOfPath(path: string): string | null {
  const uid = [...path.matchAll(POD)].at(-1)?.[1];
  return uid === undefined ? null : uid.replaceAll('_', '-');
}

function podOf(cgroups: readonly string[]): string | null {
  for (const path of cgroups) {
    const uid = podOfPath(path);
    if (uid !== null) return uid;
  }
  return null;
}

function namespaceDepth(status: string): number | null {
  const ids = /^NSpid:\s*(.*)$/m.exec(status)?.[1];
  return ids === undefined ? null : ids.trim().split(/\s+/).length - 1;
}

/** Milliseconds since the host was booted, which no setting of the clock changes; null when the kernel does not tell. */
export function uptime(files: HostFiles): number | null {
  const seconds = Number.parseFloat(files.read('/proc/uptime') ?? '');
  return Number.isNaN(seconds) ? null : Math.round(seconds * 1000);
}

/** State and start time from `/proc/<pid>/stat`. The name in parentheses may itself hold spaces and parentheses. */
export function parseStat(text: string): { readonly state: string; readonly startTicks: number } | null {
  const fields = text
    .slice(text.lastIndexOf(')') + 1)
    .trim()
    .split(/\s+/);
  const state = fields[0];
  const startTicks = Number(fields[19]);
  return state === undefined || fields[19] === undefined || !Number.isFinite(startTicks) ? null : { state, startTicks };
}

/** When the host was booted, in seconds since the epoch; null when the kernel does not tell. */
export function bootTime(files: HostFiles): number | null {
  const match = /^btime (\d+)$/m.exec(files.read('/proc/stat') ?? '');
  return match === null ? null : Number(match[1]);
}

/** Tells one boot from the next. */
export const bootId = (files: HostFiles): string =>
  (files.read('/proc/sys/kernel/random/boot_id') ?? '').trim() || `btime ${String(bootTime(files))}`;

/** Start of a process (RFC 3339). */
export const startedAt = (startTicks: number, bootSeconds: number): string =>
  new Date((bootSeconds + startTicks / TICKS_PER_SECOND) * 1000).toISOString();

export function asRunning(process: HostProcess, started: string, reported: readonly string[]): RunningProcess {
  const args = Object.fromEntries(Object.entries(process.flags).filter(([flag]) => reported.includes(flag)));
  return { startedAt: started, args };
}
