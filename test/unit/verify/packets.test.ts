import { describe, expect, test } from '@jest/globals';
import type { KubeObject } from '../../../src/model/object.ts';
import { type ProbeRun, packetServices, podState, runnerPod, serverPod } from '../../../src/verify/packets.ts';
import { type Harvest, latencyOf, summarize } from '../../../src/verify/summary.ts';
import { checksOf, planOf, probed, targetsFor } from '../../support/packets.ts';

const run: ProbeRun = { namespace: 'dualstack-system', suffix: 'abc', by: 'operator', plan: planOf(3) };

describe('pods of a proof', () => {
  const pods = [serverPod(run, 'node-1', 0), runnerPod(run, 'node-1', 0, 'pod', checksOf(run.plan))];

  test.each(pods)('satisfy the Pod Security Standard restricted and carry no token', ({ spec }) => {
    expect(spec).toMatchObject({
      nodeName: 'node-1',
      automountServiceAccountToken: false,
      restartPolicy: 'Never',
      tolerations: [{ operator: 'Exists' }],
      securityContext: { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } },
      containers: [
        {
          securityContext: {
            allowPrivilegeEscalation: false,
            readOnlyRootFilesystem: true,
            capabilities: { drop: ['ALL'] },
          },
        },
      ],
    });
    expect(spec).not.toHaveProperty('hostNetwork');
    expect(spec).not.toHaveProperty('volumes');
  });

  test('end by themselves, should nobody be left to remove them', () => {
    for (const { spec } of pods) expect(spec).toMatchObject({ activeDeadlineSeconds: 300 });
  });

  test('that try the way of the host are on its network', () => {
    expect(runnerPod(run, 'node-1', 0, 'host', []).spec).toMatchObject({ hostNetwork: true, dnsPolicy: 'Default' });
  });
});

test('Services ask for each wanted family, and on a single-stack cluster for one', () => {
  expect(packetServices(run).cluster['spec']).toMatchObject({
    ipFamilyPolicy: 'PreferDualStack',
    ipFamilies: ['IPv4', 'IPv6'],
  });
  const single = { ...run, plan: planOf(3, { families: ['IPv6'] }) };
  for (const service of Object.values(packetServices(single)))
    expect(service['spec']).toMatchObject({ ipFamilyPolicy: 'SingleStack', ipFamilies: ['IPv6'] });
});

test('what is tried goes to each node that is a target, in each wanted family and no other', () => {
  const single = planOf(3, { families: ['IPv6'], dns: [{ address: 'fd00:10:96::a', hasEndpoint: true }] });
  const checks = checksOf(single);
  expect(new Set(checks.map(({ family }) => family))).toEqual(new Set(['IPv6']));
  const own = checks.filter(({ source, path }) => source === 'node-1' && path === 'PodToPod');
  expect(own.map(({ target }) => target ?? '').toSorted((a, b) => a.localeCompare(b))).toEqual([
    'node-1',
    'node-2',
    'node-3',
  ]);
  expect(
    checks.filter(({ path }) => path === 'DNS').map(({ task }) => (task.do === 'dns' ? task.type : '')),
  ).not.toContain('A');
});

const pod = (status: object): KubeObject => ({ apiVersion: 'v1', kind: 'Pod', metadata: { name: 'p' }, status });

test.each<[string, object, object]>([
  ['nothing said yet', {}, { is: 'Waiting', why: 'Pending' }],
  [
    'an image that cannot be had',
    { phase: 'Pending', containerStatuses: [{ state: { waiting: { reason: 'ErrImagePull', message: 'no host' } } }] },
    { is: 'Waiting', why: 'ErrImagePull: no host' },
  ],
  [
    'running',
    { phase: 'Running', podIPs: [{ ip: '10.0.0.1' }, { ip: 'fd00::1' }] },
    { is: 'Running', podIPs: ['10.0.0.1', 'fd00::1'], ready: false },
  ],
  [
    'ended with results',
    { phase: 'Succeeded', containerStatuses: [{ state: { terminated: { reason: 'Completed', message: '1:a' } } }] },
    { is: 'Ended', message: '1:a', why: 'Completed' },
  ],
  [
    'refused by the kubelet',
    { phase: 'Failed', reason: 'OutOfpods', message: 'Node didn’t have enough resource' },
    { is: 'Ended', message: '', why: 'OutOfpods: Node didn’t have enough resource' },
  ],
])('a pod: %s', (_case, status, expected) => {
  expect(podState(pod(status))).toEqual(expected);
});

const harvest = (change: Partial<Harvest> = {}): Harvest => ({
  probed: probed(checksOf(run.plan), []),
  unreported: [],
  notStarted: [],
  noReport: [],
  notRun: null,
  targets: targetsFor(run.plan),
  ...change,
});
const summary = (change: Partial<Harvest>, failedBefore = 0) =>
  summarize(harvest(change), { plan: run.plan, fingerprint: 'f', failedBefore, at: '2026-11-02T12:00:00Z' });

describe('the summary of a run', () => {
  test('counts what was tried, and forgets failures before it when all is well', () => {
    const good = summary({}, 3);
    expect(good).toMatchObject({ failedInRow: 0, hops: [], pairs: { tested: 6, total: 6 }, checks: { failed: 0 } });
    expect(good.families.reduce((sum, { total }) => sum + total, 0)).toBe(good.checks.total);
    expect(good.families[1]).toMatchObject({ family: 'IPv6', latency: { median: 400, p99: 400 } });
  });

  test('names nodes whose pod did not start, those with the same reason together', () => {
    const bad = summary({ notStarted: ['node-3', 'node-1'].map((node) => ({ node, why: 'ErrImagePull' })) }, 1);
    expect(bad.hops).toMatchObject([{ hop: 'PodNotStarted', nodes: ['node-1', 'node-3'], family: null }]);
    expect(bad.failedInRow).toBe(2);
  });

  test('counts checks of a pod that did not report as failed', () => {
    const all = checksOf(run.plan);
    const lost = all.filter(({ source }) => source === 'node-2');
    const bad = summary({
      probed: probed(
        all.filter(({ source }) => source !== 'node-2'),
        [],
      ),
      unreported: lost,
      noReport: [{ node: 'node-2', why: 'the pod did not end in time' }],
    });
    expect(bad.checks).toEqual({ total: all.length, failed: lost.length });
    expect(bad.hops).toMatchObject([{ hop: 'NoReport', nodes: ['node-2'], checks: lost.length }]);
  });

  test('names the node whose new pods lack a family, and the family', () => {
    const targets = targetsFor(run.plan, {
      podIPs: new Map([...targetsFor(run.plan).podIPs, ['node-2', ['10.244.1.5']]]),
    });
    const bad = summary({ targets, probed: probed(checksOf(run.plan, targets), []) });
    expect(bad.hops).toMatchObject([{ hop: 'PodWithoutAddress', family: 'IPv6', nodes: ['node-2'] }]);
  });

  test('tells that Services get no address of a family', () => {
    const targets = targetsFor(run.plan, { clusterIPs: ['10.96.1.1'] });
    expect(summary({ targets, probed: probed(checksOf(run.plan, targets), []) }).hops).toMatchObject([
      { hop: 'ServiceWithoutAddress', family: 'IPv6' },
    ]);
  });
});

test('latencies: the middle and the slowest in a hundred', () => {
  const [check] = probed(checksOf(run.plan), []);
  const of = (microseconds: number) => ({ ...check!, result: { ok: true as const, microseconds } });
  expect(latencyOf([])).toBeNull();
  expect(latencyOf([of(7)])).toEqual({ median: 7, p99: 7 });
  expect(latencyOf(Array.from({ length: 100 }, (_, index) => of(100 - index)))).toEqual({ median: 50, p99: 99 });
});
