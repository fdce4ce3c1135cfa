import { expect, test } from '@jest/globals';
import { conditionOf } from '../../../src/api/conditions.ts';
import type { KubeErrorKind } from '../../../src/kube/errors.ts';
import { pass } from '../../../src/reconcile/pass.ts';
import { watchedPass } from '../../../src/reconcile/mishaps.ts';
import { before } from '../../support/facts.ts';
import { CLUSTER, FINALIZER, kubeadmObjects, RECORDS, resource, type Scene, scene, SPEC } from './scene.ts';

const ready = (run: Scene) => {
  const conditions = run.status().conditions ?? [];
  const statusOf = (type: 'Ready' | 'Reconciling' | 'Stalled') => conditionOf(conditions, type)?.status;
  return {
    reason: conditionOf(conditions, 'Ready')?.reason,
    message: conditionOf(conditions, 'Ready')?.message,
    three: [statusOf('Ready'), statusOf('Reconciling'), statusOf('Stalled')].join(),
  };
};
const on = ({ kube }: Scene) => kube.writes.map(({ verb, on }) => `${verb} ${on}`);
const cluster = (spec: object = SPEC, ...rest: [object?]) => scene([resource(spec, ...rest), ...kubeadmObjects()]);
const refusing = (begin: Scene, verb: string, what: string, kind: KubeErrorKind): Scene => {
  begin.kube.refuse = (asked, object) => (asked === verb && object === what ? kind : null);
  return begin;
};
const STATUS = 'apply DualStackCluster cluster/status';
const SECRET = 'apply Secret dualstack-system/dualstack-records';

test('a resource that is gone needs nothing', async () => {
  const run = scene(kubeadmObjects());
  expect(await pass('cluster', run.deps)).toEqual({ is: 'Gone' });
  expect(run.kube.writes).toEqual([]);
});

test('the intent is in the status before the change is made, and one pass makes one change', async () => {
  const run = cluster();
  expect(await pass('cluster', run.deps)).toMatchObject({ is: 'Again' });
  expect(on(run)).toEqual([STATUS, SECRET]);
  expect(run.kube.writes[0]?.body).toMatchObject({
    status: { plan: { current: { id: 'record/cluster', state: 'Intended' } } },
  });
  expect(run.kube.get(RECORDS)).toBeDefined();
  expect(ready(run)).toMatchObject({ reason: 'Converting', three: 'False,True,False' });
  expect(run.events).toEqual(['Converting', 'StepBegun']);
});

test('when the intent cannot be written, nothing is done', async () => {
  const run = refusing(cluster(), 'apply', 'DualStackCluster cluster/status', 'Conflict');
  expect(await pass('cluster', run.deps)).toEqual({ is: 'BackOff' });
  expect(run.kube.writes).toEqual([]);
  expect(run.kube.get(RECORDS)).toBeUndefined();
  expect(run.events).toEqual([]);
});

test.each<[KubeErrorKind, string, string]>([
  ['Network', 'TransientError', 'BackOff'],
  ['Conflict', 'TransientError', 'BackOff'],
  ['Forbidden', 'Blocked', 'Again'],
])('a change that is refused (%s) is told and tried again', async (kind, reason, next) => {
  const run = refusing(cluster(), 'apply', 'Secret dualstack-system/dualstack-records', kind);
  expect(await pass('cluster', run.deps)).toMatchObject({ is: next });
  expect(ready(run)).toMatchObject({ reason, three: 'False,True,False' });
  run.kube.refuse = () => null;
  await pass('cluster', run.deps);
  expect(run.kube.get(RECORDS)).toBeDefined();
});

test.each([
  ['get', 'DualStackCluster cluster'],
  ['list', 'DualStackCluster'],
])('while the API server is away (%s %s), nothing is said', async (verb, what) => {
  const run = refusing(cluster(), verb, what, 'Network');
  expect(await pass('cluster', run.deps)).toEqual({ is: 'BackOff' });
  expect(run.kube.writes).toEqual([]);
});

test('a cluster that cannot be looked at: told once, and what was said of it stays', async () => {
  const run = cluster({ ...SPEC, paused: true });
  await pass('cluster', run.deps);
  const { plan } = run.status();
  refusing(run, 'list', 'Node', 'ServerError');
  expect(await pass('cluster', run.deps)).toEqual({ is: 'BackOff' });
  expect(ready(run)).toMatchObject({ reason: 'ObservationFailed', three: 'False,True,False' });
  expect(ready(run).message).toContain('Nodes cannot be listed');
  expect(run.status().plan).toEqual(plan);
  const { length } = run.kube.writes;
  await pass('cluster', run.deps);
  expect(run.kube.writes).toHaveLength(length);
});

test('a spec that breaks a rule: stalled with field and remedy, told once', async () => {
  const run = cluster({ ...SPEC, ipFamilies: ['IPv4', 'IPv4'] });
  expect(await pass('cluster', run.deps)).toEqual({ is: 'Idle' });
  expect(ready(run)).toMatchObject({ reason: 'Invalid', three: 'False,False,True' });
  expect(ready(run).message).toContain('spec.ipFamilies');
  await pass('cluster', run.deps);
  expect(on(run)).toEqual([STATUS]);
  expect(run.events).toEqual(['Invalid']);
});

test('the older one governs; the other is stalled and changes nothing', async () => {
  const run = cluster();
  run.kube.put(resource(SPEC, { name: 'older', creationTimestamp: before(3600) }));
  expect(await pass('cluster', run.deps)).toEqual({ is: 'Idle' });
  expect(ready(run)).toMatchObject({ reason: 'AnotherGoverns', three: 'False,False,True' });
  expect(ready(run).message).toContain('older');
  expect(on(run)).toEqual([STATUS]);
});

test('one that does not govern is deleted without undoing what the other does', async () => {
  const run = cluster({ ...SPEC, deletionPolicy: 'Revert' }, { finalizers: [FINALIZER], deletionTimestamp: before(1) });
  run.kube.put(resource(SPEC, { name: 'older', creationTimestamp: before(3600) }));
  await pass('cluster', run.deps);
  expect(run.kube.get(CLUSTER)).toBeUndefined();
  expect(on(run)).toEqual(['mergePatch DualStackCluster cluster']);
});

test.each<[string, object]>([
  ['paused', { paused: true }],
  ['only a plan', { mode: 'Plan' }],
  ['another plan was approved', { approvedPlanHash: 'abcd' }],
])('%s: nothing is changed but the status, and that once', async (_name, change) => {
  const run = cluster({ ...SPEC, ...change });
  expect(await pass('cluster', run.deps)).toEqual({ is: 'Idle' });
  expect(ready(run).three).toBe('False,False,False');
  await run.clock.advance(3_600_000);
  await pass('cluster', run.deps);
  await run.clock.advance(3_600_000);
  await pass('cluster', run.deps);
  expect(on(run)).toEqual([STATUS]);
});

test('the approved plan is carried out', async () => {
  const run = cluster({ ...SPEC, approvedPlanHash: 'abcd' });
  await pass('cluster', run.deps);
  const hash = run.status().plan?.hash;
  run.kube.put({ ...run.kube.get(CLUSTER)!, spec: { ...SPEC, approvedPlanHash: hash } });
  await pass('cluster', run.deps);
  expect(run.kube.get(RECORDS)).toBeDefined();
  expect(run.status().plan?.hash).toBe(hash);
});

const finalizers = ({ kube }: Scene) => kube.get(CLUSTER)?.metadata.finalizers;

test('a finalizer is there only as long as deleting has something to do', async () => {
  const run = cluster({ ...SPEC, paused: true });
  await pass('cluster', run.deps);
  expect(finalizers(run)).toBeUndefined();
  run.kube.put({ ...run.kube.get(CLUSTER)!, spec: { ...SPEC, paused: true, deletionPolicy: 'Revert' } });
  await pass('cluster', run.deps);
  expect(finalizers(run)).toEqual([FINALIZER]);
  run.kube.put({ ...run.kube.get(CLUSTER)!, spec: { ...SPEC, paused: true } });
  await pass('cluster', run.deps);
  expect(finalizers(run)).toEqual([]);
});

test('finalizers of others stay', async () => {
  const run = cluster({ ...SPEC, deletionPolicy: 'Revert' }, { finalizers: ['others.example/keep'] });
  await pass('cluster', run.deps);
  expect(finalizers(run)).toEqual(['others.example/keep', FINALIZER]);
});

const DELETED = { finalizers: [FINALIZER], deletionTimestamp: before(1) };

test('deleted with Orphan: let go at once, nothing is undone', async () => {
  const run = cluster({ ...SPEC, deletionPolicy: 'Orphan' }, DELETED);
  expect(await pass('cluster', run.deps)).toEqual({ is: 'Gone' });
  expect(run.kube.get(CLUSTER)).toBeUndefined();
  expect(on(run)).toEqual(['mergePatch DualStackCluster cluster']);
});

test('deleted with Revert: let go only after the way back', async () => {
  const run = cluster({ ...SPEC, deletionPolicy: 'Revert', verification: { mode: 'None' } }, DELETED);
  const reasons: unknown[] = [];
  for (let turn = 0; turn < 10 && run.kube.get(CLUSTER) !== undefined; turn += 1) {
    refusing(run, 'apply', 'Secret dualstack-system/dualstack-records', turn < 2 ? 'ServerError' : 'Unknown');
    if (turn >= 3) run.kube.refuse = () => null;
    await pass('cluster', run.deps);
    reasons.push(run.kube.get(CLUSTER) === undefined ? 'let go' : ready(run).reason);
  }
  expect(reasons.slice(0, 3)).toEqual(['TransientError', 'TransientError', 'Blocked']);
  expect(reasons.at(-1)).toBe('let go');
  expect(on(run).at(-1)).toBe('mergePatch DualStackCluster cluster');
});

test('a mistake of ours: told, counted for each resource, stalled after five in a row, and over with the next good pass', async () => {
  const run = cluster({ ...SPEC, paused: true });
  const go = watchedPass(run.deps);
  const broken = () => {
    run.kube.refuse = (verb, what) => {
      if (verb === 'list' && what === 'Node') throw new TypeError('x is not a function');
      return null;
    };
  };
  broken();
  const seen: string[] = [];
  for (let turn = 0; turn < 6; turn += 1) {
    await expect(go('cluster')).rejects.toThrow('x is not a function');
    seen.push(ready(run).three);
  }
  expect(seen).toEqual([...Array<string>(4).fill('False,True,False'), ...Array<string>(2).fill('False,False,True')]);
  expect(ready(run)).toMatchObject({
    reason: 'InternalError',
    message: expect.stringContaining('x is not a function'),
  });
  // Once when it began, once when it was given up.
  expect(on(run)).toEqual([STATUS, STATUS]);

  run.kube.refuse = () => null;
  await go('cluster');
  expect(ready(run)).toMatchObject({ reason: 'Paused', three: 'False,False,False' });
  broken();
  await expect(go('cluster')).rejects.toThrow();
  expect(ready(run).three).toBe('False,True,False');
});

test('a mistake that cannot even be told is still thrown', async () => {
  const run = cluster();
  run.kube.refuse = () => {
    throw new Error('everything is broken');
  };
  await expect(watchedPass(run.deps)('cluster')).rejects.toThrow('everything is broken');
});
