import { readFile, writeFile } from 'node:fs/promises';
import { encodeResults, type ProbeOrder, type ProbeResult } from '../model/probe.ts';
import { err, ok, type Result } from '../result.ts';
import { clusterDomain, type RunDeps, runTasks } from './run.ts';
import { serveProbe } from './serve.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** Answers until the signal aborts. The error is one sentence. */
export async function serveUntil(
  port: number,
  environment: Environment,
  signal: AbortSignal,
  onListening: (port: number) => void,
): Promise<Result<void, string>> {
  const { NODE_NAME: node = '', POD_NAME: pod = '' } = environment;
  const server = await serveProbe(port, { node, pod });
  if (!server.ok) return server;
  onListening(server.value.port);
  await new Promise<void>((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
  await server.value.close();
  return ok(undefined);
}

export interface Files {
  readonly resolvConf: string;
  /** Kubernetes keeps what is written there as the pod's termination message. */
  readonly terminationLog: string;
}

export const FILES: Files = { resolvConf: '/etc/resolv.conf', terminationLog: '/dev/termination-log' };

/** Carries out the order in `PROBE_ORDER` and leaves the results as the termination message. The value is one line of JSON for people. */
export async function runOrder(
  environment: Environment,
  deps: Omit<RunDeps, 'domain'>,
  files: Files = FILES,
): Promise<Result<string, string>> {
  const order = parseOrder(environment['PROBE_ORDER']);
  if (order === null)
    return err('PROBE_ORDER is no order: give {"timeout": ms, "deadline": ms, "tasks": [...]} as JSON');
  const domain = clusterDomain(await readFile(files.resolvConf, 'utf8').catch(() => ''));
  const results = await runTasks(order, { ...deps, domain });
  // Run by hand there is no such file, and the line is all that is wanted.
  await writeFile(files.terminationLog, encodeResults(results), { flag: 'r+' }).catch(() => undefined);
  return ok(JSON.stringify(told(environment, order, results)));
}

function parseOrder(text: string | undefined): ProbeOrder | null {
  try {
    const order = JSON.parse(text ?? '') as Partial<ProbeOrder>;
    const { timeout, deadline, tasks } = order;
    return typeof timeout === 'number' && typeof deadline === 'number' && Array.isArray(tasks)
      ? { timeout, deadline, tasks }
      : null;
  } catch {
    return null;
  }
}

const told = (
  { NODE_NAME: node = '' }: Environment,
  { tasks }: ProbeOrder,
  results: readonly ProbeResult[],
): object => ({
  node,
  passed: results.filter((result) => result.ok).length,
  results: tasks.map((task, index) => ({ ...task, ...results[index] })),
});
