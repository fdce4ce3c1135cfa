import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { ClusterStatus } from '../../../src/api/cluster-status.ts';
import { DUAL_STACK, type TestCluster } from '../../cluster/index.ts';
import { askForDualStack, type Installed, startInstalled, untilStatus } from '../../support/conversion.ts';
import { eventually } from '../../support/eventually.ts';
import {
  apply,
  changesOf,
  countedBy,
  type Counted,
  eachOf,
  killDuringBatches,
  mostPerSecond,
  NAMESPACES,
  notMigrated,
  notRestored,
  openShops,
  type Seen,
  seenServices,
} from '../../support/many-services.ts';

/** Services of a real API server, migrated and put back by a real operator that is killed again and again. */

const COUNT = 300;
const KILLS = 5;
/** More than one batch, and the first by name. */
const FROZEN = 105;
const MIGRATED_WITHIN_MS = 180_000;

let installed: Installed;
let before: ReadonlyMap<string, Seen>;
/** Those of one family: on a server with both, one that prefers both has them from the first. */
let single: ReadonlyMap<string, Seen>;
let begun: number;
let countedBefore: Counted;

/** Nothing in that namespace may be changed by the operator. Its name comes before all others. */
const FREEZE = [
  { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'a-frozen' } },
  {
    apiVersion: 'admissionregistration.k8s.io/v1',
    kind: 'ValidatingAdmissionPolicy',
    metadata: { name: 'frozen' },
    spec: {
      matchConstraints: {
        namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'a-frozen' } },
        resourceRules: [{ apiGroups: [''], apiVersions: ['v1'], operations: ['UPDATE'], resources: ['services'] }],
      },
      matchConditions: [{ name: 'operator', expression: "request.userInfo.username.endsWith(':dualstack-operator')" }],
      validations: [{ expression: 'false', message: 'Services here are frozen until spring' }],
    },
  },
  {
    apiVersion: 'admissionregistration.k8s.io/v1',
    kind: 'ValidatingAdmissionPolicyBinding',
    metadata: { name: 'frozen' },
    spec: { policyName: 'frozen', validationActions: ['Deny'] },
  },
];

/** Its chart says how many families it is to have. */
const KEPT = {
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 'kept' },
  spec: { ipFamilyPolicy: 'SingleStack', selector: { app: 'web' }, ports: [{ port: 80 }] },
};

const frozen = (n: number): object => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: `f${n}` },
  spec: { selector: { app: 'web' }, ports: [{ port: 80 }] },
});

beforeAll(async () => {
  installed = await startInstalled({
    ...DUAL_STACK,
    controlPlanes: 1,
    workers: 1,
    calico: 'none',
    forwarding: 'dual',
    keep: process.env['KEEP'] === '1',
  });
  const { cluster } = installed;
  await apply(cluster, FREEZE);
  await apply(cluster, [{ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'z-chart' } }]);
  await cluster.api.create('/api/v1/namespaces/z-chart/services?fieldManager=helm', KEPT);
  await openShops(cluster, COUNT);
  before = await seenServices(cluster);
  single = new Map([...before].filter(([, { spec }]) => spec.ipFamilies.length === 1));
  expect(single.size).toBeGreaterThan(COUNT * 0.9);
  countedBefore = await countedBy(cluster);
  begun = Date.now();
  await askForDualStack(cluster, { services: { migration: 'All' } });
}, 240_000);

afterAll(() => installed?.stop(), 60_000);

/** Whether the operator would be let through. */
async function mayChange(cluster: TestCluster): Promise<boolean> {
  const both = JSON.stringify({ spec: { ipFamilyPolicy: 'PreferDualStack', ipFamilies: ['IPv4', 'IPv6'] } });
  const asOperator = ['--as', 'system:serviceaccount:dualstack-system:dualstack-operator'];
  const trial = ['patch', 'service', 'f0', '-n', 'a-frozen', '--dry-run=server', ...asOperator, '-p', both];
  return cluster.kubectl(trial).then(
    () => true,
    () => false,
  );
}

const allMigrated = ({ services }: ClusterStatus): boolean => (services?.dualStack ?? 0) >= COUNT + FROZEN;

const allPutBack = ({ services }: ClusterStatus): boolean =>
  services?.pending === 0 && services.singleStack >= single.size;

const allButFrozen = ({ services }: ClusterStatus): boolean =>
  services?.pending === 0 && services.blocked === FROZEN + 1 && services.dualStack >= COUNT;

test(
  'all are migrated though the operator is killed five times, and those that are refused hold up nobody',
  async () => {
    const ending = new AbortController();
    const killing = killDuringBatches(installed, KILLS, ending.signal);
    setTimeout(() => ending.abort(), MIGRATED_WITHIN_MS / 2).unref();
    expect(await killing).toBe(KILLS);

    const { cluster } = installed;
    const unlucky = Array.from({ length: FROZEN }, (_, n) => frozen(n));
    await eachOf(unlucky, (service) => cluster.api.create('/api/v1/namespaces/a-frozen/services', service));
    expect(notMigrated(single, await seenServices(cluster))).not.toEqual([]);
    const status = await untilStatus(cluster, 'all others are migrated', allButFrozen, MIGRATED_WITHIN_MS);
    expect(notMigrated(single, await seenServices(cluster))).toEqual([]);
    expect(status.services?.exceptions).toHaveLength(50);
    expect(status.services?.exceptions?.[0]).toMatchObject({
      namespace: 'a-frozen',
      reason: 'Refused',
      message: expect.stringContaining('Services here are frozen until spring'),
    });
  },
  MIGRATED_WITHIN_MS + 60_000,
);

test('each was changed once, no more than twenty a second, and the API server sent nobody away', async () => {
  const writes = changesOf(await installed.cluster.auditedWrites(begun));
  const done = writes.filter(({ code }) => code < 300).map(({ namespace, name }) => `${namespace}/${name}`);
  expect([...done].sort()).toEqual([...single.keys()].sort());
  // One that begins after another was killed does not know of the last second.
  expect(mostPerSecond(writes)).toBeLessThanOrEqual(2 * 20);
  // A server that begins has sent some away.
  expect((await countedBy(installed.cluster)).sentAway).toBe(countedBefore.sentAway);
});

test('what was refused is migrated once nothing refuses it any more', async () => {
  const { cluster } = installed;
  await cluster.kubectl(['delete', 'validatingadmissionpolicybinding', 'frozen']);
  await eventually('the policy is no longer in force', () => mayChange(cluster), 30_000);
  await cluster.kubectl(['label', 'services', '--all', '-n', 'a-frozen', 'dualstack.dev/migrate=true']);
  const status = await untilStatus(cluster, 'they are migrated as well', allMigrated, 60_000);
  // Who has set its families is not overruled unless somebody asks for it by name.
  expect(status.services?.exceptions).toMatchObject([
    { namespace: 'z-chart', reason: 'Refused', message: expect.stringContaining('conflict with "helm"') },
  ]);
  await cluster.kubectl(['label', 'services', '--all', '-n', 'z-chart', 'dualstack.dev/migrate=true']);
  await untilStatus(
    cluster,
    'nothing is left',
    ({ services }) => services?.blocked === 0 && services.pending === 0,
    60_000,
  );
}, 90_000);

test(
  'leaving them out puts each byte back',
  async () => {
    const { cluster } = installed;
    for (const namespace of NAMESPACES) {
      await cluster.kubectl([
        'label',
        'services',
        '--all',
        '-n',
        namespace,
        'dualstack.dev/migrate=false',
        '--overwrite',
      ]);
    }
    await untilStatus(cluster, 'all are put back', allPutBack, MIGRATED_WITHIN_MS);
    const after = await seenServices(cluster);
    expect(after.size).toBe(COUNT);
    expect(notRestored(before, after)).toEqual([]);
  },
  MIGRATED_WITHIN_MS + 60_000,
);
