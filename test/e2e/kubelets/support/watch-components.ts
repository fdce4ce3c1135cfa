import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { findBinaries } from '../../../../hack/binaries.mjs';
import type { RealCluster } from '../../cluster/index.ts';

/** A time in which something did not answer. */
export interface Gap {
  readonly what: string;
  readonly from: number;
  readonly to: number;
}

export interface Target {
  readonly what: string;
  readonly url: string;
  readonly alive: 'Ok' | 'AnyAnswer';
}

export interface Watched {
  /** What was away since it began, oldest first. What has not come back yet ends now. */
  stop(): Promise<readonly Gap[]>;
}

/**
 * Watches API servers and kubelets from the network between the hosts, and the Lease of the controller managers. An API server is away from
 * the first refused connection until /readyz says ok; the controllers are away while the Lease is not renewed, beyond its usual two seconds.
 */
export function watchComponents(cluster: RealCluster): Watched {
  const gaps: Gap[] = [];
  const downSince = new Map<string, number>();
  const hosts = watchHosts(cluster, ({ what, up, at }) => {
    const from = downSince.get(what);
    if (!up) downSince.set(what, at);
    else if (from !== undefined) {
      gaps.push({ what, from, to: at });
      downSince.delete(what);
    }
  });
  const lease = watchLease(cluster, gaps);
  return {
    async stop() {
      await Promise.all([end(hosts), lease.stop()]);
      for (const [what, from] of downSince) gaps.push({ what, from, to: Date.now() });
      return gaps.toSorted((a, b) => a.from - b.from);
    },
  };
}

interface Change {
  readonly what: string;
  readonly up: boolean;
  readonly at: number;
}

function watchHosts(cluster: RealCluster, onChange: (change: Change) => void): ChildProcess {
  const { primary } = cluster.settings;
  const targets = cluster.nodes.flatMap((node): readonly Target[] => {
    const host = primary === 'IPv4' ? node.IPv4 : `[${node.IPv6}]`;
    const kubelet: Target = { what: `kubelet ${node.name}`, url: `https://${host}:10250/healthz`, alive: 'AnyAnswer' };
    if (node.role === 'worker') return [kubelet];
    return [kubelet, { what: `kube-apiserver ${node.name}`, url: `https://${host}:6443/readyz`, alive: 'Ok' }];
  });
  const child = spawn(
    'nsenter',
    [
      '--target',
      String(cluster.fabric.pid),
      '--net',
      '--',
      process.execPath,
      join(import.meta.dirname, 'watch-hosts.ts'),
      JSON.stringify(targets),
    ],
    { stdio: ['pipe', 'pipe', 'inherit'], env: { ...process.env, NODE_OPTIONS: '' } },
  );
  createInterface({ input: child.stdout }).on('line', (line) => onChange(JSON.parse(line) as Change));
  return child;
}

const LEASE_LINE = 'jsonpath={.spec.holderIdentity} {.spec.renewTime}{"\\n"}';
/** The Lease is renewed every two seconds; what is longer is a gap. */
const RENEWED_WITHIN_MS = 5000;

function watchLease(cluster: RealCluster, gaps: Gap[]): { stop(): Promise<void> } {
  const stopping = new AbortController();
  const name = 'kube-controller-manager';
  let last: { readonly holder: string; readonly renewed: number } | undefined;
  let child: ChildProcess | undefined;
  const follow = async (): Promise<void> => {
    const { kubectl = 'kubectl' } = await findBinaries({ names: ['kubectl'] });
    const env = { ...process.env, KUBECONFIG: cluster.kubeconfig };
    while (!stopping.signal.aborted) {
      const args = ['-n', 'kube-system', 'get', 'lease', name, '--watch', '-o', LEASE_LINE];
      child = spawn(kubectl, args, { stdio: ['ignore', 'pipe', 'ignore'], env });
      if (child.stdout !== null) createInterface({ input: child.stdout }).on('line', seen);
      await once(child, 'close');
      // The API server that it asked restarts: another one, or the same a little later, goes on.
      await sleep(500);
    }
  };
  const seen = (line: string): void => {
    const [holder = '', time = ''] = line.split(' ');
    const renewed = Date.parse(time);
    if (Number.isNaN(renewed)) return;
    if (last !== undefined && renewed - last.renewed > RENEWED_WITHIN_MS) {
      gaps.push({ what: `controllers (now ${holder.split('_')[0]})`, from: last.renewed, to: renewed });
    }
    last = { holder, renewed };
  };
  const following = follow();
  return {
    async stop() {
      stopping.abort();
      child?.kill();
      await following;
    },
  };
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill();
  await once(child, 'exit');
}
