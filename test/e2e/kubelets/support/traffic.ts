import { setTimeout as sleep } from 'node:timers/promises';
import { urlHost } from '../../../support/url-host.ts';

/** Runs kubectl against the cluster under test; gives what it printed. */
export type Kubectl = (args: readonly string[], input?: string) => Promise<string>;

export const TOOL_IMAGE = 'localhost/podtool:v1';
const NAMESPACE = 'traffic';
const SERVER_PORT = 8080;
const RESULTS_PORT = 8081;
/** What takes longer is lost. Shorter ones would also count what waits its turn on a machine that has two processors for five hosts. */
const PATIENCE = '10s';
/** A packet that is sent again costs a second: what takes as long may have met a gap. */
const SLOW = '900ms';

/** A stream of requests from one node to one target, as its prober has counted it. */
export interface Stream {
  readonly from: string;
  readonly to: string;
  readonly kind: 'pod' | 'service';
  readonly sent: number;
  readonly failed: number;
  /** Answered, but only after 0.9 s or more. */
  readonly slow: number;
  readonly firstFailure?: string;
  readonly lastFailure?: string;
  readonly lastError?: string;
  readonly longestOutageMs: number;
  /** The longest time in which no request was answered within 0.9 s: packets that were lost and sent again show here. */
  readonly longestSilenceMs: number;
  readonly longestSilenceFrom?: string;
}

export interface Failure {
  /** When the request was sent, in milliseconds since the epoch. */
  readonly at: number;
  readonly from: string;
  readonly to: string;
  readonly kind: Stream['kind'];
  readonly error: string;
}

export interface Traffic {
  streams(): Promise<readonly Stream[]>;
  /** Each request that failed, oldest first. */
  failures(): Promise<readonly Failure[]>;
  stop(): Promise<void>;
}

/**
 * HTTP requests, each with a connection of its own, from every node to every other node's pod and through a Service whose one endpoint is
 * that pod. The pods are there from before the change to after it and are never restarted, so they show what a running application sees.
 */
export async function startTraffic(
  kubectl: Kubectl,
  nodes: readonly string[],
  { rate = 10 }: { rate?: number } = {},
): Promise<Traffic> {
  await apply(kubectl, [
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: NAMESPACE } },
    ...nodes.flatMap((node) => [serverPod(node), serverService(node)]),
  ]);
  await ready(kubectl, 'app=server');
  const targets = await addressesOf(kubectl, nodes);
  await apply(
    kubectl,
    nodes.map((node) => proberPod(node, rate, urlsFrom(node, targets))),
  );
  await ready(kubectl, 'app=prober');
  const allFailures = async (): Promise<readonly Failure[]> => {
    const each = await Promise.all(nodes.map((node) => failuresOf(kubectl, node, targets)));
    return each.flat().toSorted((a, b) => a.at - b.at);
  };
  const early = await untilCalm(allFailures);

  return {
    async streams() {
      const each = await Promise.all(nodes.map((node) => resultsOf(kubectl, node, targets)));
      return each.flat().map((stream) => ({
        ...stream,
        failed:
          stream.failed -
          early.filter(({ from, to, kind }) => from === stream.from && to === stream.to && kind === stream.kind).length,
      }));
    },
    failures: async () => (await allFailures()).slice(early.length),
    async stop() {
      await kubectl(['delete', 'namespace', NAMESPACE, '--wait=false']);
    },
  };
}

const CALM_MS = 2_000;
const CALM_WITHIN_MS = 30_000;

/** Waits for the rules that each node's kube-proxy writes for the new Services in its own time. Gives the requests that came before them. */
async function untilCalm(failures: () => Promise<readonly Failure[]>): Promise<readonly Failure[]> {
  const deadline = performance.now() + CALM_WITHIN_MS;
  for (;;) {
    await sleep(CALM_MS);
    const seen = await failures();
    if ((seen.at(-1)?.at ?? 0) < Date.now() - CALM_MS) return seen;
    if (performance.now() > deadline)
      throw new Error(`requests fail with nothing under way: ${JSON.stringify(seen.slice(-3))}`);
  }
}

/** What went wrong, in a line for each stream that lost something. */
export function lossText(streams: readonly Stream[]): string {
  const sent = streams.reduce((sum, stream) => sum + stream.sent, 0);
  const failed = streams.reduce((sum, stream) => sum + stream.failed, 0);
  const lines = streams
    .filter((stream) => stream.failed > 0)
    .map(
      ({ from, to, kind, failed: lost, firstFailure, lastFailure, longestOutageMs, lastError }) =>
        `  ${from} → ${kind} on ${to}: ${lost} lost between ${firstFailure ?? '?'} and ${lastFailure ?? '?'}, at most ${longestOutageMs} ms in a row (${lastError ?? ''})`,
    );
  const slow = streams.reduce((sum, stream) => sum + stream.slow, 0);
  return [
    `${sent} requests over ${streams.length} streams, ${failed} lost, ${slow} answered after 0.9 s or more; longest time without a quick answer: ${silenceText(streams)}`,
    ...lines,
  ].join('\n');
}

function silenceText(streams: readonly Stream[]): string {
  const longest = streams.toSorted((a, b) => b.longestSilenceMs - a.longestSilenceMs).slice(0, 3);
  const each = longest.map(
    ({ from, to, kind, longestSilenceMs, longestSilenceFrom }) =>
      `${longestSilenceMs} ms from ${longestSilenceFrom ?? '?'} (${from} → ${kind} on ${to})`,
  );
  return each.join(', ');
}

export const longestSilence = (streams: readonly Stream[]): number =>
  Math.max(0, ...streams.map(({ longestSilenceMs }) => longestSilenceMs));

interface Target {
  readonly node: string;
  readonly kind: Stream['kind'];
  readonly url: string;
}

const urlsFrom = (node: string, targets: readonly Target[]): readonly string[] =>
  targets.filter((target) => target.node !== node).map(({ url }) => url);

const object = (kind: string, name: string, labels: object, spec: object): object => ({
  apiVersion: 'v1',
  kind,
  metadata: { name, namespace: NAMESPACE, labels },
  spec,
});

const pod = (name: string, app: string, node: string, args: readonly string[], port: number): object =>
  object(
    'Pod',
    name,
    { app, node },
    {
      nodeName: node,
      automountServiceAccountToken: false,
      terminationGracePeriodSeconds: 1,
      tolerations: [{ operator: 'Exists' }],
      containers: [
        {
          name: app,
          image: TOOL_IMAGE,
          args,
          readinessProbe: { tcpSocket: { port }, periodSeconds: 1 },
        },
      ],
    },
  );

const serverPod = (node: string): object =>
  pod(`server-${node}`, 'server', node, ['serve', String(SERVER_PORT)], SERVER_PORT);

const serverService = (node: string): object =>
  object(
    'Service',
    `server-${node}`,
    { app: 'server' },
    {
      selector: { app: 'server', node },
      ports: [{ port: 80, targetPort: SERVER_PORT }],
    },
  );

const proberPod = (node: string, rate: number, urls: readonly string[]): object =>
  pod(
    `prober-${node}`,
    'prober',
    node,
    ['probe', '-rate', String(rate), '-timeout', PATIENCE, '-slow', SLOW, '-listen', `:${RESULTS_PORT}`, ...urls],
    RESULTS_PORT,
  );

const apply = (kubectl: Kubectl, items: readonly object[]): Promise<string> =>
  kubectl(['apply', '--server-side', '-f', '-'], JSON.stringify({ apiVersion: 'v1', kind: 'List', items }));

const ready = (kubectl: Kubectl, selector: string): Promise<string> =>
  kubectl(['-n', NAMESPACE, 'wait', '--for=condition=Ready', 'pod', '-l', selector, '--timeout=60s']);

async function addressesOf(kubectl: Kubectl, nodes: readonly string[]): Promise<readonly Target[]> {
  const field = async (kind: string, node: string, path: string): Promise<string> =>
    kubectl(['-n', NAMESPACE, 'get', kind, `server-${node}`, '-o', `jsonpath={${path}}`]);
  const each = await Promise.all(
    nodes.map(async (node): Promise<readonly Target[]> => {
      const [podIP, clusterIP] = await Promise.all([
        field('pod', node, '.status.podIP'),
        field('service', node, '.spec.clusterIP'),
      ]);
      return [
        { node, kind: 'pod', url: `http://${urlHost(podIP)}:${SERVER_PORT}/` },
        { node, kind: 'service', url: `http://${urlHost(clusterIP)}/` },
      ];
    }),
  );
  return each.flat();
}

type Counted = Omit<Stream, 'from' | 'to' | 'kind'> & { readonly target: string };

async function resultsOf(kubectl: Kubectl, node: string, targets: readonly Target[]): Promise<readonly Stream[]> {
  const path = `/api/v1/namespaces/${NAMESPACE}/pods/prober-${node}:${RESULTS_PORT}/proxy/results`;
  const counted = JSON.parse(await persistently(() => kubectl(['get', '--raw', path]))) as readonly Counted[];
  return counted.flatMap(({ target, ...rest }) => {
    const known = targets.find(({ url }) => url === target);
    return known === undefined ? [] : [{ from: node, to: known.node, kind: known.kind, ...rest }];
  });
}

/** The prober prints each failure when it happens: time, target, error. */
async function failuresOf(kubectl: Kubectl, node: string, targets: readonly Target[]): Promise<readonly Failure[]> {
  const log = await persistently(() => kubectl(['-n', NAMESPACE, 'logs', `prober-${node}`]));
  return log.split('\n').flatMap((line) => {
    const parts = /^(\d{4}-\S+Z) (http\S+): (.*)$/u.exec(line);
    const known = targets.find(({ url }) => url === parts?.[2]);
    if (parts === null || known === undefined) return [];
    return [{ at: Date.parse(parts[1] ?? ''), from: node, to: known.node, kind: known.kind, error: parts[3] ?? '' }];
  });
}

/** Reading the counts goes by the API, which may be at a restart. */
async function persistently(read: () => Promise<string>): Promise<string> {
  const end = performance.now() + 60_000;
  for (;;) {
    try {
      return await read();
    } catch (error) {
      if (performance.now() > end) throw error;
      await sleep(1000);
    }
  }
}
