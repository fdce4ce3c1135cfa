import { setTimeout as sleep } from 'node:timers/promises';
import { asArray, asString, at, type KubeObject } from '../../../../src/model/object.ts';
import { urlHost } from '../../../support/url-host.ts';
import type { RealCluster } from '../../cluster/index.ts';
import { TOOL_IMAGE } from './traffic.ts';

export const NAMESPACE = 'services';
const PORT = 8080;
const RESULTS_PORT = 8081;
/** Requests a second to each of them from each client: twenty Services and more, on a machine that has two processors for three hosts. */
export const RATE = 3;
/** As in `traffic.ts`: what takes longer is lost. */
const PATIENCE_MS = 10_000;
/** A request that gets no answer is printed at the end of its patience only: less quiet than that shows nothing. */
const CALM_MS = PATIENCE_MS + 2_000;
const CALM_WITHIN_MS = 60_000;

/**
 * Of each five Services one is of each kind. With `externalTrafficPolicy: Local` kube-proxy leads what comes from pods to any endpoint and leaves its source as it is,
 * so that the answer of one on another node would not find its way back: behind that kind is the pod alone whose node's port is asked.
 */
const kindsOf = (node: string): readonly object[] => [
  {},
  { type: 'NodePort' },
  { sessionAffinity: 'ClientIP' },
  { type: 'NodePort', externalTrafficPolicy: 'Local', selector: { app: 'server', node } },
  { publishNotReadyAddresses: true },
];

const service = (n: number, kinds: readonly object[]): object => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: `s${n}`, namespace: NAMESPACE },
  spec: { selector: { app: 'server' }, ports: [{ port: 80, targetPort: PORT }], ...kinds[n % kinds.length] },
});

/** Of the only pod of which the program listens on its IPv4 address alone. */
export const DEAF = 'deaf';

export async function openDeaf(cluster: RealCluster, node: string): Promise<void> {
  const args = ['probe', '-rate', '1', '-listen', `$(POD_IP):${PORT}`, `http://$(POD_IP):${PORT}/results`];
  await apply(cluster, [
    pod(DEAF, node, args, PORT),
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: DEAF, namespace: NAMESPACE },
      spec: { selector: { app: DEAF }, ports: [{ port: 80, targetPort: PORT }] },
    },
  ]);
  await ready(cluster, DEAF);
}

const nameOf = (network: Place['network']): string => (network === 'pod' ? 'client' : 'outside');

const pod = (
  app: string,
  node: string,
  args: readonly string[],
  port: number,
  network: Place['network'] = 'pod',
): object => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: `${app}-${node}`, namespace: NAMESPACE, labels: { app, node } },
  spec: {
    nodeName: node,
    hostNetwork: network === 'host',
    automountServiceAccountToken: false,
    terminationGracePeriodSeconds: 1,
    tolerations: [{ operator: 'Exists' }],
    containers: [
      {
        name: app,
        image: TOOL_IMAGE,
        args,
        env: [{ name: 'POD_IP', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } }],
        readinessProbe: { tcpSocket: { port }, periodSeconds: 1 },
      },
    ],
  },
});

/** So many Services, with a pod on each of these nodes behind them. The last is the node whose ports are asked. */
export async function openServices(cluster: RealCluster, count: number, nodes: readonly string[]): Promise<void> {
  const kinds = kindsOf(nodes.at(-1) ?? '');
  await apply(cluster, [
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: NAMESPACE } },
    ...nodes.map((node) => pod('server', node, ['serve', String(PORT)], PORT)),
    ...Array.from({ length: count }, (_, n) => service(n, kinds)),
  ]);
  await ready(cluster, 'server');
}

export async function servicesNow(cluster: RealCluster): Promise<readonly KubeObject[]> {
  const { stdout } = await cluster.kubectl(['-n', NAMESPACE, 'get', 'services', '-o', 'json']);
  return (JSON.parse(stdout) as { readonly items: readonly KubeObject[] }).items;
}

/** Address types of the EndpointSlices of each Service that have an endpoint. */
export async function slicesNow(cluster: RealCluster): Promise<Readonly<Record<string, readonly string[]>>> {
  const { stdout } = await cluster.kubectl(['-n', NAMESPACE, 'get', 'endpointslices', '-o', 'json']);
  const { items } = JSON.parse(stdout) as { readonly items: readonly KubeObject[] };
  const types: Record<string, string[]> = {};
  for (const slice of items) {
    const name = slice.metadata.labels?.['kubernetes.io/service-name'] ?? '';
    if (asArray(at(slice, 'endpoints')).length > 0) (types[name] ??= []).push(asString(at(slice, 'addressType')) ?? '');
  }
  return types;
}

const isOf = (family: 'IPv4' | 'IPv6', address: string): boolean => address.includes(':') === (family === 'IPv6');

/** Where a Service is reached over that family: its cluster IP, and its node port on a node that has one of its pods. */
export function urlsOf(services: readonly KubeObject[], family: 'IPv4' | 'IPv6', nodeIP: string): readonly string[] {
  return services.flatMap((each) => {
    const clusterIP = asArray(at(each, 'spec', 'clusterIPs')).find((ip) => isOf(family, asString(ip) ?? ''));
    const nodePort = at(each, 'spec', 'ports', 0, 'nodePort');
    return [
      ...(typeof clusterIP === 'string' ? [`http://${urlHost(clusterIP)}/`] : []),
      ...(typeof nodePort === 'number' && typeof clusterIP === 'string'
        ? [`http://${urlHost(nodeIP)}:${nodePort}/`]
        : []),
    ];
  });
}

/** Asks each once, from a pod on that node; gives those that did not answer. */
export async function unanswered(
  cluster: RealCluster,
  node: string,
  urls: readonly string[],
): Promise<readonly string[]> {
  const exec = ['-n', NAMESPACE, 'exec', `client-${node}`, '--', '/podtool', 'get', ...urls];
  const { stdout, stderr } = await cluster.tryKubectl(exec);
  const lines = stdout.split('\n');
  return urls.flatMap((url) => {
    const line = lines.find((text) => text.startsWith(`${url} `)) ?? `${url} nothing was printed ${stderr}`;
    return /^\S+ \d+ ms \{/u.test(line) ? [] : [line];
  });
}

export interface Clients {
  /** Requests that failed since all of them had begun to be answered, and until now: it waits for those that have no answer yet. */
  failures(): Promise<readonly string[]>;
  /** Requests that have ended. */
  sent(): Promise<number>;
}

/** Where a client is: in a pod with an address of its own, or on the node's network, which for kube-proxy on other nodes is outside of the cluster. */
export interface Place {
  readonly node: string;
  readonly network: 'pod' | 'host';
}

/** Requests without end from these places, each with a connection of its own. */
export async function startClients(
  cluster: RealCluster,
  places: readonly Place[],
  urls: readonly string[],
): Promise<Clients> {
  const probe = ['probe', '-rate', `${RATE}`, '-timeout', `${PATIENCE_MS}ms`, '-listen', `:${RESULTS_PORT}`, ...urls];
  await apply(
    cluster,
    places.map(({ node, network }) => pod(nameOf(network), node, probe, RESULTS_PORT, network)),
  );
  const names = places.map(({ node, network }) => `${nameOf(network)}-${node}`);
  for (const app of new Set(places.map(({ network }) => nameOf(network)))) await ready(cluster, app);
  const all = async (): Promise<readonly string[]> => {
    const logs = await Promise.all(names.map((name) => cluster.kubectl(['-n', NAMESPACE, 'logs', name])));
    return logs.flatMap(({ stdout }) => stdout.split('\n').filter((line) => /^\d{4}-\S+Z http/u.test(line)));
  };
  const early = await untilCalm(all);
  return {
    async failures() {
      await sleep(CALM_MS);
      return (await all()).filter((line) => !early.includes(line));
    },
    async sent() {
      const each = await Promise.all(
        names.map(async (name) => {
          const path = `/api/v1/namespaces/${NAMESPACE}/pods/${name}:${RESULTS_PORT}/proxy/results`;
          const { stdout } = await cluster.kubectl(['get', '--raw', path]);
          return (JSON.parse(stdout) as readonly { readonly sent: number }[]).reduce((sum, { sent }) => sum + sent, 0);
        }),
      );
      return each.reduce((sum, sent) => sum + sent, 0);
    },
  };
}

/** Each node's kube-proxy writes the rules for new Services in its own time. Gives the requests that came before them. */
async function untilCalm(failures: () => Promise<readonly string[]>): Promise<readonly string[]> {
  const deadline = performance.now() + CALM_WITHIN_MS;
  let before = await failures();
  for (;;) {
    await sleep(CALM_MS);
    const now = await failures();
    if (now.length === before.length) return now;
    if (performance.now() > deadline)
      throw new Error(`requests fail with nothing under way: ${now.slice(-3).join('; ')}`);
    before = now;
  }
}

const apply = (cluster: RealCluster, items: readonly object[]): Promise<unknown> =>
  cluster.kubectl(['apply', '--server-side', '-f', '-'], JSON.stringify({ apiVersion: 'v1', kind: 'List', items }));

const ready = (cluster: RealCluster, app: string): Promise<unknown> =>
  cluster.kubectl(['-n', NAMESPACE, 'wait', '--for=condition=Ready', 'pod', '-l', `app=${app}`, '--timeout=90s']);
