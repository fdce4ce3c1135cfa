import { urlHost } from '../../../support/url-host.ts';
import type { Outcome, RealCluster } from '../../cluster/index.ts';
import { familyOf } from '../../cluster/options.ts';
import { TOOL_IMAGE } from './traffic.ts';

export interface Check {
  readonly name: string;
  readonly ok: boolean;
  readonly detail: string;
}

const NAMESPACE = 'packets';
const FAMILIES = ['IPv4', 'IPv6'] as const;

/**
 * What an application may expect of a dual-stack cluster, asked from one pod on each node by the tests' own tool: other pods, Services, node
 * ports, names over both addresses of the DNS, in both families. It shares no code with the operator's own proof.
 */
export async function checkPackets(cluster: RealCluster): Promise<readonly Check[]> {
  const nodes = cluster.nodes.map(({ name }) => name);
  await deploy(cluster, nodes);
  try {
    const seen = await look(cluster, nodes);
    const checks = [
      ...podAddresses(seen),
      ...(await requests(cluster, nodes, seen)),
      ...(await names(cluster, nodes, seen)),
    ];
    return checks;
  } finally {
    await cluster.kubectl(['delete', 'namespace', NAMESPACE, '--wait=false']);
  }
}

export const failedText = (checks: readonly Check[]): string =>
  checks
    .filter(({ ok }) => !ok)
    .map(({ name, detail }) => `${name}: ${detail}`)
    .join('\n');

interface Seen {
  /** By node: of the ordinary pod, and of the one in the host's network. */
  readonly pods: Readonly<Record<string, readonly string[]>>;
  readonly hostPods: Readonly<Record<string, readonly string[]>>;
  readonly downward: Readonly<Record<string, string>>;
  readonly clusterIPs: readonly string[];
  readonly nodePort: number;
  readonly dnsIPs: readonly string[];
  readonly nodeIPs: Readonly<Record<string, readonly string[]>>;
}

async function deploy(cluster: RealCluster, nodes: readonly string[]): Promise<void> {
  const pod = (name: string, node: string, spec: object): object => ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: NAMESPACE, labels: { app: name.startsWith('host') ? 'host' : 'pod' } },
    spec: {
      nodeName: node,
      automountServiceAccountToken: false,
      terminationGracePeriodSeconds: 1,
      tolerations: [{ operator: 'Exists' }],
      containers: [
        {
          name: 'tool',
          image: TOOL_IMAGE,
          args: ['serve', '8090'],
          env: [{ name: 'POD_IPS', valueFrom: { fieldRef: { fieldPath: 'status.podIPs' } } }],
          readinessProbe: { tcpSocket: { port: 8090 }, periodSeconds: 1 },
        },
      ],
      ...spec,
    },
  });
  const service = (name: string, spec: object): object => ({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace: NAMESPACE },
    spec: {
      selector: { app: 'pod' },
      ipFamilyPolicy: 'RequireDualStack',
      ports: [{ port: 80, targetPort: 8090 }],
      ...spec,
    },
  });
  const items = [
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: NAMESPACE } },
    ...nodes.flatMap((node) => [pod(`pod-${node}`, node, {}), pod(`host-${node}`, node, { hostNetwork: true })]),
    service('both', { type: 'NodePort' }),
    service('headless', { clusterIP: 'None' }),
  ];
  await cluster.kubectl(
    ['apply', '--server-side', '-f', '-'],
    JSON.stringify({ apiVersion: 'v1', kind: 'List', items }),
  );
  await cluster.kubectl(['-n', NAMESPACE, 'wait', '--for=condition=Ready', 'pod', '--all', '--timeout=60s']);
}

async function look(cluster: RealCluster, nodes: readonly string[]): Promise<Seen> {
  const words = async (namespace: string, kind: string, name: string, path: string): Promise<readonly string[]> => {
    const { stdout } = await cluster.kubectl(['-n', namespace, 'get', kind, name, '-o', `jsonpath={${path}}`]);
    return stdout.split(/[\s",[\]]+/u).filter((word) => word !== '');
  };
  const byNode = async (read: (node: string) => Promise<readonly string[]>) =>
    Object.fromEntries(await Promise.all(nodes.map(async (node) => [node, await read(node)] as const)));
  return {
    pods: await byNode((node) => words(NAMESPACE, 'pod', `pod-${node}`, '.status.podIPs[*].ip')),
    hostPods: await byNode((node) => words(NAMESPACE, 'pod', `host-${node}`, '.status.podIPs[*].ip')),
    downward: Object.fromEntries(
      await Promise.all(
        nodes.map(async (node) => {
          const id = await containerOf(cluster, `pod-${node}`);
          const environment = await cluster.node(node).run(['ctr', '-n', 'k8s.io', 'containers', 'info', id]);
          return [node, /POD_IPS=([^"]*)/u.exec(environment)?.[1] ?? ''] as const;
        }),
      ),
    ),
    clusterIPs: await words(NAMESPACE, 'service', 'both', '.spec.clusterIPs'),
    nodePort: Number((await words(NAMESPACE, 'service', 'both', '.spec.ports[0].nodePort'))[0]),
    dnsIPs: await words('kube-system', 'service', 'kube-dns', '.spec.clusterIPs'),
    nodeIPs: await byNode((node) =>
      words('default', 'node', node, '.status.addresses[?(@.type=="InternalIP")].address'),
    ),
  };
}

async function containerOf(cluster: RealCluster, pod: string): Promise<string> {
  const path = 'jsonpath={.status.containerStatuses[0].containerID}';
  const { stdout } = await cluster.kubectl(['-n', NAMESPACE, 'get', 'pod', pod, '-o', path]);
  return stdout.replace('containerd://', '');
}

const both = (what: string, addresses: readonly string[]): Check => ({
  name: `${what} has an address of each family`,
  ok: FAMILIES.every((family) => addresses.some((address) => familyOf(address) === family)),
  detail: addresses.join(', ') || 'none',
});

function podAddresses({ pods, hostPods, downward }: Seen): readonly Check[] {
  return [
    ...Object.entries(pods).map(([node, addresses]) => both(`pod on ${node}`, addresses)),
    ...Object.entries(hostPods).map(([node, addresses]) => both(`hostNetwork pod on ${node}`, addresses)),
    ...Object.entries(downward).map(([node, text]) =>
      both(`status.podIPs in the environment on ${node}`, text.split(',')),
    ),
  ];
}

async function requests(cluster: RealCluster, nodes: readonly string[], seen: Seen): Promise<readonly Check[]> {
  const targets = [
    ...nodes.flatMap((node) => (seen.pods[node] ?? []).map((ip) => ({ name: `pod on ${node}`, ip, port: 8090 }))),
    ...nodes.flatMap((node) =>
      (seen.hostPods[node] ?? []).map((ip) => ({ name: `host pod on ${node}`, ip, port: 8090 })),
    ),
    ...seen.clusterIPs.map((ip) => ({ name: 'Service', ip, port: 80 })),
    ...nodes.flatMap((node) =>
      (seen.nodeIPs[node] ?? []).map((ip) => ({ name: `NodePort of ${node}`, ip, port: seen.nodePort })),
    ),
  ];
  const urls = targets.map(({ ip, port }) => `http://${urlHost(ip)}:${port}/`);
  const each = await Promise.all(
    nodes.map(async (node) => {
      const { stdout } = await inPod(cluster, node, ['get', ...urls]);
      const lines = stdout.split('\n');
      return targets.map(({ name, ip }, index): Check => {
        const line = lines.find((text) => text.startsWith(`${urls[index] ?? ''} `)) ?? 'nothing was printed';
        return { name: `${node} → ${name} (${ip})`, ok: /^\S+ \d+ ms \{/u.test(line), detail: line };
      });
    }),
  );
  return each.flat();
}

async function names(cluster: RealCluster, nodes: readonly string[], { dnsIPs }: Seen): Promise<readonly Check[]> {
  const wanted = nodes.length;
  const servers: readonly Check[] = [
    { name: 'the DNS has an address of each family', ok: dnsIPs.length === 2, detail: dnsIPs.join(', ') },
  ];
  const questions = dnsIPs.flatMap((server) =>
    ['A', 'AAAA'].flatMap((type) => [
      { server, type, name: `both.${NAMESPACE}.svc.cluster.local`, answers: 1 },
      { server, type, name: `headless.${NAMESPACE}.svc.cluster.local`, answers: wanted },
    ]),
  );
  const each = await Promise.all(
    nodes.map(async (node) => {
      const checks: Check[] = [];
      for (const { server, type, name, answers } of questions) {
        const { stdout, stderr } = await inPod(cluster, node, ['dns', name, type, server]);
        const addresses = stdout.split('\n').filter((line) => line !== '');
        const family = type === 'A' ? 'IPv4' : 'IPv6';
        const ok = addresses.length === answers && addresses.every((address) => familyOf(address) === family);
        checks.push({
          name: `${node} asks ${server} for ${type} of ${name}`,
          ok,
          detail: `${addresses.join(', ')}${stderr}`,
        });
      }
      return checks;
    }),
  );
  return [...servers, ...each.flat()];
}

const inPod = (cluster: RealCluster, node: string, args: readonly string[]): Promise<Outcome> =>
  cluster.tryKubectl(['-n', NAMESPACE, 'exec', `pod-${node}`, '--', '/podtool', ...args]);
