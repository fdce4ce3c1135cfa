import type { RealCluster } from '../../cluster/index.ts';
import { TOOL_IMAGE } from './traffic.ts';

const NAMESPACE = 'shop';
const REPLICAS = 2;

/** A Deployment that is named for a restart, one that is not, and a budget that lets one pod of the first be away at a time. */
const SHOP = [
  { apiVersion: 'v1', kind: 'Namespace', metadata: { name: NAMESPACE } },
  deployment('web', { 'dualstack.dev/restart': 'true' }),
  deployment('left', {}),
  {
    apiVersion: 'policy/v1',
    kind: 'PodDisruptionBudget',
    metadata: { name: 'web', namespace: NAMESPACE },
    spec: { minAvailable: REPLICAS - 1, selector: { matchLabels: { app: 'web' } } },
  },
];

function deployment(name: string, labels: Readonly<Record<string, string>>): object {
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name, namespace: NAMESPACE, labels },
    spec: {
      replicas: REPLICAS,
      selector: { matchLabels: { app: name } },
      template: {
        metadata: { labels: { app: name } },
        spec: {
          terminationGracePeriodSeconds: 1,
          containers: [
            {
              name: 'server',
              image: TOOL_IMAGE,
              args: ['serve', '8080'],
              readinessProbe: { httpGet: { path: '/', port: 8080 } },
            },
          ],
        },
      },
    },
  };
}

/** Workloads of a user, running before anything is changed. */
export async function openShop(cluster: RealCluster): Promise<void> {
  await cluster.kubectl(['apply', '-f', '-'], SHOP.map((each) => JSON.stringify(each)).join('\n---\n'));
  for (const name of ['web', 'left']) {
    await cluster.kubectl(['-n', NAMESPACE, 'rollout', 'status', `deployment/${name}`, '--timeout=120s']);
  }
}

export async function scaleShop(cluster: RealCluster, name: string, replicas: number): Promise<void> {
  await cluster.kubectl(['-n', NAMESPACE, 'scale', `deployment/${name}`, `--replicas=${replicas}`]);
  await cluster.kubectl(['-n', NAMESPACE, 'rollout', 'status', `deployment/${name}`, '--timeout=120s']);
}

/** Where the pods of one of its Deployments run, each node once. */
export async function nodesOfShop(cluster: RealCluster, app: string): Promise<readonly string[]> {
  const path = 'jsonpath={.items[*].spec.nodeName}';
  const { stdout } = await cluster.kubectl(['-n', NAMESPACE, 'get', 'pods', '-l', `app=${app}`, '-o', path]);
  return [...new Set(stdout.split(' '))].toSorted();
}

/** How many addresses each pod of one of its Deployments has. */
export async function addressesInShop(cluster: RealCluster, app: string): Promise<readonly number[]> {
  const { stdout } = await cluster.kubectl(['-n', NAMESPACE, 'get', 'pods', '-l', `app=${app}`, '-o', 'json']);
  const { items } = JSON.parse(stdout) as { items: { status: { podIPs?: readonly unknown[] } }[] };
  return items.map(({ status }) => status.podIPs?.length ?? 0);
}
