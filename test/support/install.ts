import { type ChildProcess, spawn } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parse, stringify } from 'yaml';
import { createAgent } from '../../src/agent/run.ts';
import type { WatchOptions } from '../../src/agent/watch.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { createLogger, silentLogger } from '../../src/runtime/log.ts';
import type { TestCluster, TestNode } from '../cluster/index.ts';
import { connectTo } from './connect.ts';
import { crdsServed } from './crds.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
export const NAMESPACE = 'dualstack-system';
export const PROGRAM = join(ROOT, 'dist/main.js');
/** The same in parts, as the image starts it. */
const IN_IMAGE = join(ROOT, 'dist/image/main.js');

/**
 * Installs what `kubectl apply -k config/default` installs, but for the pods: here the operator and the agents run as processes, with the
 * service accounts and the rights of those pods.
 */
export async function install(cluster: TestCluster): Promise<void> {
  const { stdout } = await cluster.kubectl(['kustomize', join(ROOT, 'config/default')]);
  const withoutPods = stdout
    .split(/^---$/mu)
    .filter((text) => !/^kind: (Deployment|DaemonSet)$/mu.test(text))
    .join('---');
  await cluster.kubectl(['apply', '--server-side', '-f', '-'], withoutPods);
  await crdsServed(cluster);
}

/** The Pod of the agent on that node, to which its token is bound as in a real cluster: so it outlives the Node object. */
async function agentPod(cluster: TestCluster, account: string, node: string): Promise<string> {
  const name = `${account}-${node}`;
  const pod = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: NAMESPACE },
    spec: {
      nodeName: node,
      serviceAccountName: account,
      hostNetwork: true,
      tolerations: [{ operator: 'Exists' }],
      containers: [{ name: 'agent', image: 'agent' }],
    },
  };
  await cluster.kubectl(['apply', '--server-side', '-f', '-'], JSON.stringify(pod));
  return name;
}

/** A kubeconfig for a service account, by way of the balancer as a pod would go by the Service. */
export async function serviceAccountKubeconfig(cluster: TestCluster, account: string, node?: string): Promise<string> {
  const bound =
    node === undefined
      ? []
      : ['--bound-object-kind', 'Pod', '--bound-object-name', await agentPod(cluster, account, node)];
  const { stdout: token } = await cluster.kubectl([
    'create',
    'token',
    account,
    '-n',
    NAMESPACE,
    '--duration',
    '8h',
    ...bound,
  ]);
  const admin = parse(await readFile(cluster.kubeconfig, 'utf8')) as { clusters: unknown };
  const folder = join(cluster.dir, '.run', 'accounts');
  await mkdir(folder, { recursive: true });
  const file = join(folder, `${account}${node === undefined ? '' : `-${node}`}.conf`);
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: admin.clusters,
    users: [{ name: account, user: { token: token.trim() } }],
    contexts: [{ name: account, context: { cluster: 'kubernetes', user: account, namespace: NAMESPACE } }],
    'current-context': account,
  };
  await writeFile(file, stringify(config), { mode: 0o600 });
  return file;
}

const REPORT_DEADLINE_MS = 60_000;

/** Until the agent of every node has told what its host is. */
export async function hostsReported(cluster: TestCluster): Promise<void> {
  const deadline = Date.now() + REPORT_DEADLINE_MS;
  for (;;) {
    const { stdout } = await cluster.kubectl(['get', 'dualstacknodes', '-o', 'jsonpath={.items[*].status.hostname}']);
    if (stdout.split(' ').filter(Boolean).length === cluster.nodes.length) return;
    if (Date.now() > deadline) throw new Error(`not every host has reported: only ${stdout || 'none'}`);
    await sleep(200);
  }
}

export interface OperatorProcess {
  readonly pid: number;
  /** Log of all operators of this cluster. */
  readonly log: string;
  /** Ends it and waits until it is gone. */
  stop(signal?: NodeJS.Signals): Promise<void>;
  readonly exited: Promise<number | null>;
}

/** The bundled program, as its own process and with its own service account; `more` adds to its arguments. */
export async function startOperator(cluster: TestCluster, more: readonly string[] = []): Promise<OperatorProcess> {
  const kubeconfig = await serviceAccountKubeconfig(cluster, 'dualstack-operator');
  const log = join(cluster.dir, '.run', 'operator.log');
  const sink = createWriteStream(log, { flags: 'a' });
  const child: ChildProcess = spawn(
    process.execPath,
    [
      IN_IMAGE,
      'operator',
      '--kubeconfig',
      kubeconfig,
      '--log-level',
      'debug',
      '--metrics-bind-address',
      '127.0.0.1:0',
      '--health-probe-bind-address',
      '127.0.0.1:0',
      ...more,
    ],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  );
  child.stdout?.pipe(sink, { end: false });
  child.stderr?.pipe(sink, { end: false });
  const exited = new Promise<number | null>((resolve) => child.once('exit', (code) => resolve(code)));
  return {
    pid: child.pid ?? 0,
    log,
    exited,
    async stop(signal = 'SIGTERM') {
      child.kill(signal);
      await exited;
    },
  };
}

export interface Agents {
  stop(): Promise<void>;
}

/** One agent for each host, with a token that names its node; together in this process, to save memory. */
export async function startAgents(
  cluster: TestCluster,
  watch: Partial<WatchOptions> = {},
  nodes: readonly TestNode[] = cluster.nodes,
): Promise<Agents> {
  const stopping = new AbortController();
  const sink = createWriteStream(join(cluster.dir, '.run', 'agents.log'), { flags: 'a' });
  const running = await Promise.all(
    nodes.map(async (node) => {
      const kubeconfig = await serviceAccountKubeconfig(cluster, 'dualstack-agent', node.name);
      const access = await connectTo(kubeconfig);
      const log = createLogger({ level: 'debug', format: 'json', sink, now: () => Date.now() });
      const agent = createAgent(
        { nodeName: node.name, hostRoot: node.hostRoot, watch },
        {
          client: access.client,
          direct: access.direct,
          clock: systemClock,
          random: Math.random,
          log: cluster.settings.keep ? log.child({ node: node.name }) : silentLogger,
          mapAddress: node.mapAddress,
        },
      );
      const loop = agent.run(stopping.signal);
      return async (): Promise<void> => {
        await loop;
        await access.close();
      };
    }),
  );
  return {
    async stop() {
      stopping.abort();
      await Promise.all(running.map((ended) => ended()));
      sink.end();
    },
  };
}
