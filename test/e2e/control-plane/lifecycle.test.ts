import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import type { ClusterStatus } from '../../../src/api/cluster-status.ts';
import { asArray, at } from '../../../src/model/object.ts';
import type { TestCluster } from '../../cluster/index.ts';
import {
  askForDualStack,
  conditionOf,
  type Installed,
  isReady,
  PODS,
  startInstalled,
  statusNow,
  stepsCarriedOut,
  untilStatus,
} from '../../support/conversion.ts';
import { eventually } from '../../support/eventually.ts';
import { hostsReported } from '../../support/install.ts';
import { internalIPs, snapshotOf } from '../../support/snapshot.ts';
import { changesSince, eventsOf, observe, type Observer, type ToldEvent } from '../../support/watching.ts';

// One cluster's whole life, in order: each test begins where the one before it ended.

const CONVERT_MS = 240_000;
/** Long enough for the operator to do something, had it a mind to. */
const REST_MS = 5_000;
const RESOURCE = '/apis/dualstack.dev/v1alpha1/dualstackclusters/cluster';

let installed: Installed;
let cluster: TestCluster;
let observer: Observer;
let first: Awaited<ReturnType<typeof snapshotOf>>;
let failed = false;

beforeAll(async () => {
  installed = await startInstalled({ workers: 1, keep: process.env['KEEP'] === '1' });
  cluster = installed.cluster;
  observer = observe(cluster);
  await hostsReported(cluster);
  first = await snapshotOf(cluster);
}, 180_000);

afterAll(async () => {
  await observer?.stop();
  await installed?.stop();
}, 60_000);

afterEach(() => {
  expect(observer.contradictions).toEqual([]);
});

const isDone = (status: ClusterStatus | undefined, group: string): boolean =>
  status?.plan?.steps.find((step) => step.group === group)?.state === 'Satisfied';

/** What comes after a failure would only repeat it, slowly. */
function inOrder(name: string, run: () => Promise<void>, timeoutMs: number): void {
  test(
    name,
    async () => {
      if (failed) throw new Error('an earlier part of this life went wrong');
      failed = true;
      await run();
      failed = false;
    },
    timeoutMs,
  );
}

inOrder(
  'mode Plan shows the plan and changes nothing',
  async () => {
    const since = Date.now();
    await askForDualStack(cluster, { mode: 'Plan' });
    const { plan } = await untilStatus(cluster, 'the plan is shown', saysReady('PlanOnly'), 30_000);

    expect(plan?.hash).toMatch(/^[0-9a-f]{8,}$/u);
    expect(plan).toMatchObject({ direction: 'Forward', done: expect.any(Number), blockers: [] });
    const phases = new Set(plan?.steps.filter(({ state }) => state !== 'Satisfied').map(({ phase }) => phase));
    for (const phase of ['Record', 'NodeIPs', 'APIServer', 'ControllerManager', 'Proxy', 'Pools', 'CNIAgents', 'DNS']) {
      expect(phases).toContain(phase);
    }
    const apiServer = plan?.steps.find(({ phase, group }) => phase === 'APIServer' && group === 'api-server');
    expect(apiServer?.diff).toEqual([
      { path: '--service-cluster-ip-range', before: '10.96.0.0/16', after: '10.96.0.0/16,fd00:10:96::/112' },
    ]);
    await sleep(REST_MS);
    expect(await changesSince(cluster, since)).toEqual([]);
    expect(await snapshotOf(cluster)).toEqual(first);
    expect(course(observer)).toEqual(['InProgress PlanOnly']);
  },
  60_000,
);

inOrder(
  'only the plan that was approved is carried out',
  async () => {
    const since = Date.now();
    await patch({ mode: 'Apply', approvedPlanHash: '0badc0de' });
    const waiting = await untilStatus(cluster, 'it awaits approval', saysReady('AwaitingApproval'), 30_000);
    const hash = waiting.plan?.hash ?? '';
    expect(conditionOf(waiting, 'Ready')?.message).toContain(`spec.approvedPlanHash: ${hash}`);
    await sleep(REST_MS);
    expect(await changesSince(cluster, since)).toEqual([]);

    await patch({ approvedPlanHash: hash });
    await untilStatus(cluster, 'the work begins', saysReady('Converting'), 30_000);
  },
  90_000,
);

inOrder(
  'paused in the middle, it rests and tells the truth; then it goes on',
  async () => {
    await untilStatus(
      cluster,
      'the API server is being changed',
      ({ plan }) => plan?.current?.id.startsWith('api-server/') === true,
      CONVERT_MS,
    );
    await patch({ paused: true });
    const paused = await untilStatus(cluster, 'it rests', saysReady('Paused'), 60_000);
    // The edit that had been begun is ended by its agent: half an edit is no rest.
    await eventually('the API server answers', () => cluster.balancer.backends.every(({ up }) => up), 30_000);
    await eventually('its step is done', async () => isDone(await statusNow(cluster), 'api-server'), 60_000);
    const isTold = async (reason: string, note: string): Promise<boolean> =>
      told(await eventsOf(cluster), reason).some((text) => text.includes(note));
    await eventually('that is told', () => isTold('StepDone', 'kube-apiserver on cp-1: done'), 10_000);
    await eventually('the rest is told', () => isTold('Paused', ''), 10_000);
    const since = Date.now();
    const events = (await eventsOf(cluster)).length;
    await sleep(REST_MS);
    expect(await changesSince(cluster, since)).toEqual([]);
    expect(await eventsOf(cluster)).toHaveLength(events);

    const nodes = asArray((await cluster.api.get('/api/v1/nodes'))?.['items']);
    const both = nodes.filter((node) => internalIPs(node).length === 2).length;
    const now = await statusNow(cluster);
    expect(now?.nodes).toMatchObject({ total: nodes.length, dualStack: both });
    expect(conditionOf(now, 'NodesDualStack')?.status).toBe(both === nodes.length ? 'True' : 'False');
    expect(conditionOf(now, 'ControlPlaneDualStack')?.status).not.toBe('True');
    expect(paused.plan?.done).toBeLessThan(paused.plan?.total ?? 0);

    await patch({ paused: false });
    await untilStatus(cluster, 'it goes on', saysReady('Converting'), 30_000);
  },
  CONVERT_MS,
);

inOrder(
  'it becomes Ready, once, and rests',
  async () => {
    await cluster.kubectl(['wait', '--for=condition=Ready', '--timeout=240s', 'dualstackcluster/cluster']);
    await eventually('the observer sees it too', () => observer.verdicts.at(-1)?.reason === 'Converged');
    expect(course(observer)).toEqual([
      'InProgress PlanOnly',
      'InProgress AwaitingApproval',
      'InProgress Converting',
      'InProgress Paused',
      'InProgress Converting',
      'Current Converged',
    ]);
    const done = (await stepsCarriedOut(installed)).filter(({ step }) => step.startsWith('api-server/'));
    expect(done).toHaveLength(1);
  },
  CONVERT_MS,
);

inOrder(
  'columns and Events for people',
  async () => {
    const { stdout } = await cluster.kubectl(['get', 'dualstackcluster', 'cluster', '-o', 'wide']);
    const [header, row] = stdout.split('\n');
    expect(header?.split(/\s+/u).filter(Boolean)).toEqual([
      'NAME',
      'READY',
      'REASON',
      'DUAL',
      'NODES',
      'AGE',
      'STATUS',
    ]);
    expect(row).toMatch(/^cluster +True +Converged +2 +2 +\S+ +The cluster runs with IPv4 and IPv6: 2 of 2 Nodes/u);

    await eventually('it is told', async () => told(await eventsOf(cluster), 'Converged').length > 0);
    const events = await eventsOf(cluster);
    const verdicts = events.filter(({ reason }) => !reason.startsWith('Step'));
    expect(verdicts.map(({ reason, count }) => `${count} ${reason}`)).toEqual([
      '1 PlanOnly',
      '1 AwaitingApproval',
      '1 Converting',
      '1 Paused',
      '1 Converting',
      '1 Converged',
    ]);
    const begun = told(events, 'StepBegun');
    expect(new Set(begun).size).toBe(begun.length);
    expect(told(events, 'StepDone')).toContain(`kube-apiserver on ${cluster.controlPlanes[0]?.name}: done`);

    const since = Date.now();
    await sleep(REST_MS);
    expect(await eventsOf(cluster)).toEqual(events);
    expect(await changesSince(cluster, since)).toEqual([]);
  },
  60_000,
);

inOrder(
  'back to one family: a Service of both stands in the way and is named with its remedy',
  async () => {
    await cluster.api.create('/api/v1/namespaces/default/services', {
      metadata: { name: 'both' },
      spec: { ipFamilyPolicy: 'RequireDualStack', ports: [{ port: 80 }] },
    });
    await askForOneFamily();
    // What was approved was another plan.
    await untilStatus(cluster, 'it awaits approval', saysReady('AwaitingApproval'), 30_000);
    await patch({ approvedPlanHash: null });
    const blocked = await untilStatus(cluster, 'it is blocked', saysReady('Blocked'), CONVERT_MS);
    const message = conditionOf(blocked, 'Ready')?.message ?? '';
    expect(message).toContain('default/both');
    expect(conditionOf(blocked, 'PreflightPassed')?.status).toBe('False');
    expect(blocked.plan?.blockers).toEqual([expect.objectContaining({ reason: 'DualStackServicesRemain' })]);
    const pools = await enabledPools();
    expect(pools).toEqual(expect.arrayContaining(PODS.split(',')));

    const command = /kubectl (-n default patch service both -p )'([^']+)'/u.exec(message);
    expect(command).not.toBeNull();
    await cluster.kubectl([...(command?.[1] ?? '').trim().split(' '), command?.[2] ?? '']);
    await untilStatus(cluster, 'it goes on', saysReady('ConvertingBack'), 60_000);
  },
  CONVERT_MS,
);

inOrder(
  'back at one family, nothing is left of the second',
  async () => {
    await untilSettled('it is single-stack');
    expect(await snapshotOf(cluster)).toEqual(first);
    expect(await enabledPools()).toEqual(['10.244.0.0/16']);
    const status = await statusNow(cluster);
    expect(conditionOf(status, 'NodesDualStack')).toMatchObject({ status: 'False', reason: 'SingleStack' });
  },
  CONVERT_MS,
);

inOrder(
  'and forward again, with the pool of before',
  async () => {
    await askForDualStack(cluster);
    await untilSettled('it is dual-stack again');
    expect(await enabledPools()).toEqual(expect.arrayContaining(PODS.split(',')));
    const pools = asArray((await cluster.api.get('/apis/crd.projectcalico.org/v1/ippools'))?.['items']);
    expect(pools).toHaveLength(2);
  },
  CONVERT_MS,
);

inOrder(
  'deletionPolicy Orphan: deleted at once, and the cluster stays as it is',
  async () => {
    const before = await snapshotOf(cluster);
    const since = Date.now();
    await cluster.kubectl(['delete', 'dualstackcluster', 'cluster', '--timeout=10s']);
    expect(await cluster.api.get(RESOURCE)).toBeUndefined();
    await sleep(REST_MS);
    expect(await snapshotOf(cluster)).toEqual(before);
    expect(await changesSince(cluster, since)).toEqual([]);
  },
  60_000,
);

inOrder(
  'deletionPolicy Revert: the first state is restored, and only then the resource goes',
  async () => {
    const since = Date.now();
    await askForDualStack(cluster, { deletionPolicy: 'Revert' });
    await untilSettled('what is there already is seen');
    // Nothing but the probes of the proof.
    expect((await changesSince(cluster, since)).filter((write) => !/ services \S*dualstack-/u.test(write))).toEqual([]);
    expect((await cluster.api.get(RESOURCE))?.metadata).toMatchObject({ finalizers: [expect.any(String)] });

    await cluster.kubectl(['delete', 'dualstackcluster', 'cluster', '--wait=false']);
    await untilStatus(cluster, 'it reverts', saysReady('Reverting'), 30_000);
    await eventually('the observer sees it too', () => observer.verdicts.at(-1)?.kstatus === 'Terminating');
    await cluster.kubectl(['wait', '--for=delete', '--timeout=240s', 'dualstackcluster/cluster']);
    expect(await snapshotOf(cluster)).toEqual(first);
  },
  CONVERT_MS + 60_000,
);

const saysReady =
  (reason: string) =>
  (status: ClusterStatus): boolean =>
    conditionOf(status, 'Ready')?.reason === reason;

const told = (events: readonly ToldEvent[], reason: string): readonly string[] =>
  events.filter((event) => event.reason === reason).map(({ note }) => note);

/** What a watching tool concluded, one after another. A server that restarts is no news. */
const course = ({ verdicts }: Observer): readonly string[] =>
  verdicts
    .filter(({ reason }) => !['', 'ObservationFailed', 'TransientError'].includes(reason))
    .map(({ kstatus, reason }) => `${kstatus} ${reason}`)
    .filter((entry, index, all) => entry !== all[index - 1]);

async function patch(spec: Readonly<Record<string, unknown>>): Promise<void> {
  await cluster.api.mergePatch(RESOURCE, { spec });
}

async function askForOneFamily(): Promise<void> {
  await patch({ ipFamilies: ['IPv4'], clusterNetwork: null });
}

/** Ready, about the very spec that is there. */
async function untilSettled(what: string): Promise<void> {
  const generation = (await cluster.api.get(RESOURCE))?.metadata.generation;
  await untilStatus(cluster, what, (status) => isReady(status) && status.observedGeneration === generation, CONVERT_MS);
}

async function enabledPools(): Promise<readonly unknown[]> {
  const pools = asArray((await cluster.api.get('/apis/crd.projectcalico.org/v1/ippools'))?.['items']);
  return pools.filter((pool) => at(pool, 'spec', 'disabled') !== true).map((pool) => at(pool, 'spec', 'cidr'));
}
