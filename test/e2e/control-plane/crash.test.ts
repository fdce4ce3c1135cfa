import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import type { ClusterStatus } from '../../../src/api/cluster-status.ts';
import type { AuditedWrite, TestCluster } from '../../cluster/index.ts';
import {
  askForDualStack,
  flagOf,
  type Installed,
  isReady,
  PODS,
  SERVICES,
  startInstalled,
  statusNow,
  stepsCarriedOut,
  untilStatus,
} from '../../support/conversion.ts';

const DEADLINE_MS = 420_000;
const OPERATOR = 'system:serviceaccount:dualstack-system:dualstack-operator';
const LEASE = '/apis/coordination.k8s.io/v1/namespaces/dualstack-system/leases/dualstack-operator';

let installed: Installed;
let cluster: TestCluster;
let status: ClusterStatus;
let writes: readonly AuditedWrite[];
const killedAfter = new Set<string>();

beforeAll(async () => {
  installed = await startInstalled({ controlPlanes: 1, workers: 1, keep: process.env['KEEP'] === '1' });
  cluster = installed.cluster;
  const asked = Date.now();
  await askForDualStack(cluster);
  const killing = new AbortController();
  const killer = killAfterEachStep(killing.signal);
  status = await untilStatus(cluster, 'the cluster is Ready', isReady, DEADLINE_MS).finally(() => killing.abort());
  await killer;
  writes = await cluster.auditedWrites(asked);
  console.log(`killed ${killedAfter.size} times; Ready after ${((Date.now() - asked) / 1000).toFixed(1)} s`);
}, DEADLINE_MS + 120_000);

afterAll(async () => {
  await installed?.stop();
}, 60_000);

test('it was killed after every step', async () => {
  expect([...killedAfter].sort()).toEqual(
    [...new Set((await stepsCarriedOut(installed)).map(({ step }) => step))].sort(),
  );
  expect(killedAfter.size).toBeGreaterThan(12);
});

test('no step was done twice', async () => {
  const counts = countBy((await stepsCarriedOut(installed)).map(({ step }) => step));
  // One pod for each node; and a proof that could not be written down any more is made anew, which changes nothing.
  const { 'calico/rollout': rollouts, 'verify/api': proofs, ...others } = counts;
  expect(rollouts).toBe(cluster.nodes.length);
  expect(proofs).toBeLessThanOrEqual(2);
  expect(Object.entries(others).filter(([, count]) => count !== 1)).toEqual([]);
});

test('each object was written as often as there are steps on it', () => {
  const changes = writes.filter(
    ({ user, verb, resource, namespace, code, dryRun }) =>
      user === OPERATOR &&
      code < 300 &&
      !dryRun &&
      !/status$|events|leases/u.test(resource) &&
      // Every Node gets one, with or without a DualStackCluster; and the probes come and go.
      !(verb === 'create' && resource === 'dualstack.dev/dualstacknodes') &&
      !(resource === 'services' && namespace === 'dualstack-system'),
  );
  expect(
    countBy(
      changes.map(
        ({ verb, resource, name }) => `${verb} ${resource} ${name.replace(/^calico-node-.*/u, 'calico-node-*')}`,
      ),
    ),
  ).toEqual({
    'patch secrets dualstack-records': 1,
    'patch dualstack.dev/dualstacknodes worker-1': 1,
    'patch dualstack.dev/dualstacknodes cp-1': 3,
    'patch configmaps kubeadm-config': 1,
    'patch configmaps kube-proxy': 1,
    'patch apps/daemonsets kube-proxy': 1,
    'create crd.projectcalico.org/ippools default-ipv6-ippool': 1,
    'patch configmaps calico-config': 1,
    'patch apps/daemonsets calico-node': 2,
    'delete pods calico-node-*': 2,
    'patch apps/deployments coredns': 1,
    'patch services kube-dns': 1,
  });
});

test('each component was given new arguments once', () => {
  for (const component of ['kube-apiserver', 'kube-controller-manager', 'kube-scheduler', 'etcd']) {
    const lives = cluster.history.of(component, 'cp-1');
    const edits = lives.filter((life, index) => index > 0 && !isDeepStrictEqual(life.args, lives[index - 1]?.args));
    expect([component, edits.length]).toEqual([component, /apiserver|controller/u.test(component) ? 1 : 0]);
  }
  expect(cluster.history.of('kube-apiserver')).toHaveLength(2);
  expect(cluster.nodes.map((node) => node.kubelet.starts.length)).toEqual([2, 2]);
});

test('the end is the same as without any crash', async () => {
  expect(status.plan).toMatchObject({ total: status.plan?.done, blockers: [] });
  expect(status.nodes).toMatchObject({ total: 2, dualStack: 2 });
  const manager = cluster.history.running('kube-controller-manager', 'cp-1')!;
  expect(flagOf(manager, 'cluster-cidr')).toBe(PODS);
  expect(flagOf(cluster.history.running('kube-apiserver', 'cp-1')!, 'service-cluster-ip-range')).toBe(SERVICES);
  const daemonSet = await cluster.api.get('/apis/apps/v1/namespaces/kube-system/daemonsets/calico-node');
  expect(daemonSet?.['spec']).toMatchObject({ updateStrategy: { type: 'RollingUpdate' } });
  expect((await statusNow(cluster))?.corrections ?? []).toEqual([]);
});

/** SIGKILL right after each step, before its result can be written down; and no waiting for the Lease of the dead. */
async function killAfterEachStep(signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    const last = (await stepsCarriedOut(installed)).at(-1);
    if (last !== undefined && !killedAfter.has(last.step)) {
      const { operator } = installed;
      await operator.stop('SIGKILL');
      killedAfter.add(last.step);
      await cluster.api.delete(LEASE).catch(() => undefined);
    }
    await sleep(10);
  }
}

function countBy(names: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const name of names) counts[name] = (counts[name] ?? 0) + 1;
  return counts;
}
