import { type ChildProcess, spawn } from 'node:child_process';
import { openSync, closeSync, readFileSync, existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { NodeAddresses, Network } from './addresses.ts';

/** What of a host is needed to start a process "on" it. */
export interface LaunchHost {
  readonly node: NodeAddresses;
  readonly network: Network;
  readonly root: string;
  /** Folder outside the host for what a real host would not show: logs, mapped kubeconfigs. */
  readonly scratch: string;
  readonly fast: boolean;
}

/** Paths that a manifest names and that lie on the host's own disk. */
const HOST_PATH = /^\/(etc|var|usr|run|opt)\//;
/** Values that speak of cluster networks or of how a node is known, not of where to listen or dial. */
const LEFT_ALONE = /^--(advertise-address|.*cidr.*|.*ip-range.*|name|service-account-issuer)=/;

/**
 * The arguments with which the real process starts: what the manifest says, with documentation addresses as
 * this cluster's loopback ones, paths below the host's folder, and a few additions that a manifest does not show.
 */
export async function launchArguments(
  host: LaunchHost,
  component: string,
  manifest: readonly string[],
): Promise<string[]> {
  const mapped = await Promise.all(
    startingPoint(host, component, manifest).map((argument) => mapArgument(host, argument)),
  );
  return addMissing(mapped, additions(host, component));
}

/** All etcd members start together as one new cluster, instead of joining one by one as their manifests tell. */
function startingPoint(host: LaunchHost, component: string, manifest: readonly string[]): readonly string[] {
  if (component !== 'etcd') return manifest;
  const members = host.network.nodes.filter((node) => node.role === 'control-plane');
  const cluster = members.map((node) => `${node.name}=https://${node.loopback}:2380`).join(',');
  return [
    ...manifest.filter((argument) => !argument.startsWith('--initial-cluster')),
    `--initial-cluster=${cluster}`,
    '--initial-cluster-state=new',
  ];
}

async function mapArgument(host: LaunchHost, argument: string): Promise<string> {
  const { flag, value } = split(argument);
  if (value === undefined || LEFT_ALONE.test(argument)) return argument;
  if (HOST_PATH.test(value)) return `${flag}=${await mapPath(host, value)}`;
  return `${flag}=${mapAddresses(host, value)}`;
}

function split(argument: string): { flag: string; value: string | undefined } {
  const at = argument.indexOf('=');
  return at < 0 ? { flag: argument, value: undefined } : { flag: argument.slice(0, at), value: argument.slice(at + 1) };
}

/** A kubeconfig names its server by documentation address: the process gets a mapped copy. */
async function mapPath(host: LaunchHost, path: string): Promise<string> {
  const real = join(host.root, path);
  if (!path.endsWith('.conf') || !existsSync(real)) return real;
  const copy = join(host.scratch, basename(path));
  await mkdir(host.scratch, { recursive: true });
  await writeFile(copy, mapAddresses(host, readFileSync(real, 'utf8')), { mode: 0o600 });
  return copy;
}

/** Replaces whole addresses only; a host's own 127.0.0.1 is its loopback address too. Equal entries fold into one. */
export function mapAddresses(host: Pick<LaunchHost, 'node' | 'network'>, text: string): string {
  const own = new Set(['127.0.0.1', '0.0.0.0', '::1', '::', 'localhost']);
  const replaced = text.replace(
    /\[[0-9a-f:]+\]|(?<![\w.:])(?:\d+\.){3}\d+(?![\w.])|(?<![\w.:])[0-9a-f]*:[0-9a-f:]*:[0-9a-f]*(?![\w.:])|\blocalhost\b/g,
    (found) => (own.has(found.replace(/^\[(.*)\]$/, '$1')) ? host.node.loopback : host.network.map(found)),
  );
  return replaced.includes('\n') ? replaced : [...new Set(replaced.split(','))].join(',');
}

function additions(host: LaunchHost, component: string): string[] {
  const election = host.fast
    ? ['--leader-elect-lease-duration=3s', '--leader-elect-renew-deadline=2s', '--leader-elect-retry-period=500ms']
    : [];
  switch (component) {
    case 'kube-apiserver':
      return [
        `--bind-address=${host.node.loopback}`,
        // Else it waits up to a minute for open watches when it is stopped.
        `--shutdown-watch-termination-grace-period=${host.fast ? '1s' : '3s'}`,
        `--audit-policy-file=${join(host.scratch, 'audit-policy.yaml')}`,
        `--audit-log-path=${join(host.scratch, 'audit.log')}`,
        // After 100 MB it would begin another file, and who reads this one would miss what was before.
        '--audit-log-maxsize=10000',
      ];
    case 'kube-controller-manager':
      // Its forty controllers share one request rate, by default 20 a second: seconds of its start.
      return host.fast ? [...election, '--kube-api-qps=500', '--kube-api-burst=1000'] : [];
    case 'kube-scheduler':
      return election;
    case 'etcd':
      return ['--unsafe-no-fsync'];
    default:
      return [];
  }
}

function addMissing(given: readonly string[], more: readonly string[]): string[] {
  const flags = new Set(given.map((argument) => split(argument).flag));
  return [...given, ...more.filter((argument) => !flags.has(split(argument).flag))];
}

/**
 * Starts a process in a UTS namespace of its own, so that it sees the node's name as its host name (it is part of
 * a controller manager's election identity), and bound to die with this one. All by exec: the pid is the binary's.
 */
export function launch(hostname: string, binary: string, args: readonly string[], logFile: string): ChildProcess {
  const log = openSync(logFile, 'a');
  try {
    const userNamespace = process.getuid?.() === 0 ? [] : ['-r'];
    const script = 'echo "$1" > /proc/sys/kernel/hostname; shift; exec setpriv --pdeathsig KILL "$@"';
    return spawn('unshare', [...userNamespace, '--uts', 'sh', '-c', script, 'sh', hostname, binary, ...args], {
      stdio: ['ignore', log, log],
      // A group of its own, so that Ctrl-C reaches the owner alone, which then stops things in order.
      detached: true,
    });
  } finally {
    closeSync(log);
  }
}
