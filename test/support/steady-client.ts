import { readFile } from 'node:fs/promises';
import { Agent, request } from 'undici';
import { parse } from 'yaml';

const PERIOD_MS = 50;
const TIMEOUT_MS = 5_000;

export interface SteadyClient {
  readonly requests: number;
  /** Requests that needed their one retry. */
  readonly retried: readonly string[];
  /** Requests that failed again. */
  readonly failed: readonly string[];
  /** Longest time to an answer, with the retry. */
  readonly slowestMs: number;
  stop(): Promise<void>;
}

/**
 * Lists the Nodes every 50 ms by way of a kubeconfig's server, whatever became of the requests before, and tries each again once at most: on a
 * connection of its own, as one would that saw its own fail.
 */
export async function startSteadyClient(kubeconfig: string): Promise<SteadyClient> {
  const { server, ...connect } = await accessOf(kubeconfig);
  const usual = new Agent({ connect, connections: 4, pipelining: 1 });
  const fresh = new Agent({ connect, pipelining: 0 });
  const counts = { requests: 0, slowestMs: 0, retried: new Array<string>(), failed: new Array<string>() };
  const pending = new Set<Promise<void>>();

  const list = async (dispatcher: Agent): Promise<string | null> => {
    try {
      const answer = await request(`${server}/api/v1/nodes?limit=500`, {
        dispatcher,
        signal: AbortSignal.timeout(TIMEOUT_MS),
      });
      await answer.body.text();
      return answer.statusCode === 200 ? null : `answered ${answer.statusCode}`;
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
  };
  const listWithRetry = async (): Promise<void> => {
    const at = new Date().toISOString();
    const began = performance.now();
    counts.requests += 1;
    const first = await list(usual);
    if (first !== null) {
      counts.retried.push(`${at} ${first}`);
      const second = await list(fresh);
      if (second !== null) counts.failed.push(`${at} ${first}, then ${second}`);
    }
    counts.slowestMs = Math.max(counts.slowestMs, performance.now() - began);
  };
  const timer = setInterval(() => {
    const one = listWithRetry().finally(() => pending.delete(one));
    pending.add(one);
  }, PERIOD_MS);

  let stopping: Promise<void> | undefined;
  const end = async (): Promise<void> => {
    clearInterval(timer);
    await Promise.all(pending);
    await Promise.all([usual.close(), fresh.close()]);
  };
  return {
    get requests() {
      return counts.requests;
    },
    get slowestMs() {
      return counts.slowestMs;
    },
    retried: counts.retried,
    failed: counts.failed,
    stop: () => (stopping ??= end()),
  };
}

export interface Access {
  readonly server: string;
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
}

const decode = (text: string): string => Buffer.from(text, 'base64').toString();

export async function accessOf(kubeconfig: string): Promise<Access> {
  const config = parse(await readFile(kubeconfig, 'utf8')) as {
    clusters: { cluster: { server: string; 'certificate-authority-data': string } }[];
    users: { user: { 'client-certificate-data': string; 'client-key-data': string } }[];
  };
  const [cluster, user] = [config.clusters[0]?.cluster, config.users[0]?.user];
  if (cluster === undefined || user === undefined) throw new Error(`${kubeconfig} names no cluster or no user`);
  return {
    server: cluster.server,
    ca: decode(cluster['certificate-authority-data']),
    cert: decode(user['client-certificate-data']),
    key: decode(user['client-key-data']),
  };
}
