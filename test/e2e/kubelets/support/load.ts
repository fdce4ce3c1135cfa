import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { LoadResult } from '../../../support/request-load.ts';
import { accessOf } from '../../../support/steady-client.ts';
import type { RealCluster, RealNode } from '../../cluster/index.ts';
import type { LoadEvent, LoadSetup } from './load-process.ts';

export interface Load {
  /** Requests of every kind to that API server, until it was away and is back. `begun`: they are under way. */
  throughRestart(holdMs: readonly number[], begun: () => Promise<void>): Promise<LoadResult>;
  stop(): Promise<void>;
}

const END_MS = 10_000;

/** A client of one API server in the network between the hosts, with an admission webhook that holds up creations. */
export async function startLoad(cluster: RealCluster, node: RealNode, configMaps: number): Promise<Load> {
  const { primary, network } = cluster.settings;
  const { ca, cert, key } = await accessOf(cluster.kubeconfig);
  const setup: LoadSetup = {
    access: { host: node[primary], port: 6443, tls: { ca, cert, key } },
    webhookHost: network.gateway[primary],
    configMaps,
  };
  const program = join(import.meta.dirname, 'load-process.ts');
  const child = spawn(
    'nsenter',
    ['--target', String(cluster.fabric.pid), '--net', '--', process.execPath, program, JSON.stringify(setup)],
    { stdio: ['pipe', 'pipe', 'inherit'], env: { ...process.env, NODE_OPTIONS: '' } },
  );
  const events = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const next = async <Is extends LoadEvent['is']>(is: Is): Promise<Extract<LoadEvent, { is: Is }>> => {
    const line = await events.next();
    const event = line.done === true ? undefined : (JSON.parse(line.value) as LoadEvent);
    if (event?.is !== is) throw new Error(`the load says ${event?.is ?? 'nothing more'} instead of ${is}`);
    return event as Extract<LoadEvent, { is: Is }>;
  };
  const webhook = await next('Webhook');
  await cluster.kubectl(['apply', '-f', '-'], JSON.stringify(webhook.configuration));
  await next('Filled');
  return {
    async throughRestart(holdMs, begun) {
      child.stdin.write(`${JSON.stringify(holdMs)}\n`);
      await next('Begun');
      await begun();
      return (await next('Result')).result;
    },
    stop: () => end(child, cluster),
  };
}

/** By the end of its input, so that the program takes away what it made. */
async function end(child: ChildProcess, cluster: RealCluster): Promise<void> {
  const exited = child.exitCode === null ? once(child, 'exit') : Promise.resolve();
  child.stdin?.end();
  const late = setTimeout(() => child.kill('SIGKILL'), END_MS);
  await exited;
  clearTimeout(late);
  await cluster.tryKubectl(['delete', 'validatingwebhookconfiguration', 'slow', '--ignore-not-found']);
}
