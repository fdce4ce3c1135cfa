import { Resolver } from 'node:dns/promises';
import { request } from 'node:http';
import { connect, isIPv6 } from 'node:net';
import PQueue from 'p-queue';
import type { ProbeFailure, ProbeOrder, ProbeResult, ProbeTask } from '../model/probe.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Answer } from './serve.ts';

type HTTPTask = Extract<ProbeTask, { readonly do: 'http' }>;

export interface RunDeps {
  readonly clock: Clock;
  /** A few characters that no request had before. */
  readonly newId: () => string;
  /** The cluster's domain, such as `cluster.local`. */
  readonly domain: string;
}

/** So many tasks at the same time: most of them only wait. */
const AT_ONCE = 16;
const BETWEEN_TRIES_MS = 500;
const SAMPLES = 3;
/** More than any usual packet holds, in both directions. */
const LARGE = 'y'.repeat(9000);

/** Carries out every task and gives the results in the same order. */
export async function runTasks(order: ProbeOrder, deps: RunDeps): Promise<readonly ProbeResult[]> {
  const until = deps.clock.monotonic() + order.deadline;
  const lanes = new PQueue({ concurrency: AT_ONCE });
  const results = await Promise.all(order.tasks.map((task) => runTask(task, order.timeout, until, lanes, deps)));
  return timeAgain(order, results, deps);
}

/** Latencies are taken one after another: side by side the tasks would measure each other. */
async function timeAgain(
  { tasks, timeout }: ProbeOrder,
  results: readonly ProbeResult[],
  deps: RunDeps,
): Promise<readonly ProbeResult[]> {
  const timed: ProbeResult[] = [];
  for (const [index, result] of results.entries()) {
    const task = tasks[index];
    const again = result.ok && task?.do === 'http' ? await timeSmall(task, timeout, deps) : null;
    timed.push(again ?? result);
  }
  return timed;
}

/** The best of some: the others tell how busy this machine is. Null: it passed before and not now; the first figure stands. */
async function timeSmall(task: HTTPTask, timeout: number, deps: RunDeps): Promise<ProbeResult | null> {
  let best: number | null = null;
  for (let sample = 0; sample < SAMPLES; sample += 1) {
    const started = deps.clock.monotonic();
    const failure = await exchange(task, '', timeout, deps.newId()).catch(failureOf);
    if (failure !== null) break;
    const took = deps.clock.monotonic() - started;
    best = best === null ? took : Math.min(best, took);
  }
  return best === null ? null : passed(best);
}

/** A task waits for its next try outside the queue, so that those which cannot succeed do not hold up the others. */
async function runTask(
  task: ProbeTask,
  timeout: number,
  until: number,
  lanes: PQueue,
  deps: RunDeps,
): Promise<ProbeResult> {
  for (;;) {
    const result = await lanes.add(() => tryOnce(task, timeout, deps));
    if (result.ok || deps.clock.monotonic() + BETWEEN_TRIES_MS >= until) return result;
    await deps.clock.sleep(BETWEEN_TRIES_MS);
  }
}

async function tryOnce(task: ProbeTask, timeout: number, deps: RunDeps): Promise<ProbeResult> {
  const started = deps.clock.monotonic();
  try {
    switch (task.do) {
      case 'http':
        return await tryHTTP(task, timeout, deps);
      case 'tcp': {
        const failure = await tryTCP(task, timeout);
        return failure === null ? passed(deps.clock.monotonic() - started) : { ok: false, failure };
      }
      case 'dns': {
        const failure = await tryDNS(task, timeout, deps.domain);
        return failure === null ? passed(deps.clock.monotonic() - started) : { ok: false, failure };
      }
    }
  } catch (error) {
    return { ok: false, failure: failureOf(error) };
  }
}

const passed = (milliseconds: number): ProbeResult => ({ ok: true, microseconds: Math.round(milliseconds * 1000) });

/** Small packets first; only when they pass is it of interest whether large ones do. */
async function tryHTTP(task: HTTPTask, timeout: number, deps: RunDeps): Promise<ProbeResult> {
  const started = deps.clock.monotonic();
  const small = await exchange(task, '', timeout, deps.newId());
  const took = deps.clock.monotonic() - started;
  if (small !== null) return { ok: false, failure: small };
  // Where anybody may answer, a second connection may be led to another pod than the first: that would say nothing of sizes.
  if (task.node === undefined) return passed(took);
  try {
    const large = await exchange(task, LARGE, timeout, deps.newId());
    return large === null ? passed(took) : { ok: false, failure: large };
  } catch (error) {
    const failure = failureOf(error);
    return { ok: false, failure: failure === 'Timeout' ? 'LargeLost' : failure };
  }
}

/** One request with its own connection. Null: the right one answered, and in full. */
function exchange(
  { address, port, node }: HTTPTask,
  body: string,
  timeout: number,
  nonce: string,
): Promise<ProbeFailure | null> {
  return new Promise((resolve, reject) => {
    const sent = request(
      {
        host: address,
        port,
        path: `/?nonce=${nonce}`,
        method: body === '' ? 'GET' : 'POST',
        agent: false,
        signal: AbortSignal.timeout(timeout),
        headers: body === '' ? {} : { 'content-length': body.length },
      },
      (response) => {
        let text = '';
        response.setEncoding('utf8');
        response.on('data', (chunk: string) => {
          text += chunk;
        });
        response.on('end', () => resolve(judgeAnswer(text, node, body.length, nonce)));
        response.on('error', reject);
      },
    );
    sent.on('error', reject);
    sent.end(body);
  });
}

function judgeAnswer(text: string, node: string | undefined, length: number, nonce: string): ProbeFailure | null {
  try {
    const answer = JSON.parse(text) as Partial<Answer>;
    const isOurs = answer.nonce === nonce && answer.received === length && answer.padding?.length === length;
    return isOurs && (node === undefined || answer.node === node) ? null : 'WrongAnswer';
  } catch {
    return 'WrongAnswer';
  }
}

/** Null: it was connected. */
const tryTCP = ({ address, port }: Extract<ProbeTask, { do: 'tcp' }>, timeout: number): Promise<ProbeFailure | null> =>
  new Promise((resolve) => {
    const socket = connect({ host: address, port });
    const end = (failure: ProbeFailure | null): void => {
      socket.destroy();
      resolve(failure);
    };
    socket.setTimeout(timeout, () => end('Timeout'));
    socket.once('connect', () => end(null));
    socket.on('error', (error) => end(failureOf(error)));
  });

async function tryDNS(
  { server, name, type, expect }: Extract<ProbeTask, { do: 'dns' }>,
  timeout: number,
  domain: string,
): Promise<ProbeFailure | null> {
  const resolver = new Resolver({ timeout, tries: 1 });
  resolver.setServers([isIPv6(server) ? `[${server}]` : server]);
  const full = `${name}.${domain}.`;
  const found = type === 'A' ? await resolver.resolve4(full) : await resolver.resolve6(full);
  return found.some((address) => expect.includes(address)) ? null : 'NoRecord';
}

const FAILURES: Readonly<Record<string, ProbeFailure>> = {
  ECONNREFUSED: 'Refused',
  EHOSTUNREACH: 'Unreachable',
  ENETUNREACH: 'Unreachable',
  EADDRNOTAVAIL: 'Unreachable',
  EAFNOSUPPORT: 'Unreachable',
  EACCES: 'Unreachable',
  EPERM: 'Unreachable',
  ECONNRESET: 'Reset',
  EPIPE: 'Reset',
  ETIMEDOUT: 'Timeout',
  ETIMEOUT: 'Timeout',
  ABORT_ERR: 'Timeout',
  ENODATA: 'NoRecord',
  ENOTFOUND: 'NoRecord',
  ESERVFAIL: 'ServerError',
  EREFUSED: 'ServerError',
  EFORMERR: 'ServerError',
  ENOTIMP: 'ServerError',
  EBADRESP: 'ServerError',
};

/** An abort by time-out carries its cause in `cause`, a refused DNS query a code of c-ares. */
function failureOf(error: unknown): ProbeFailure {
  const { code, name } = error as { readonly code?: unknown; readonly name?: unknown };
  if (name === 'TimeoutError' || name === 'AbortError') return 'Timeout';
  return FAILURES[String(code)] ?? 'Other';
}

/** The domain in the search list that the kubelet writes for a pod: `NAMESPACE.svc.DOMAIN` comes first. */
export function clusterDomain(resolvConf: string): string {
  const searched = resolvConf
    .split('\n')
    .flatMap((line) => (/^\s*search\s/u.test(line) ? line.trim().split(/\s+/u).slice(1) : []));
  const found = searched.map((each) => /^[^.]+\.svc\.(.+?)\.?$/u.exec(each)?.[1]).find((each) => each !== undefined);
  return found ?? 'cluster.local';
}
