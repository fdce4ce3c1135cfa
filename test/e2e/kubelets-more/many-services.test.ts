import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { askForDualStack, type Installed, isReady, startInstalled, untilStatus } from '../../support/conversion.ts';
import {
  changesOf,
  countedBy,
  killDuringBatches,
  mostPerSecond,
  notMigrated,
  notRestored,
  openShops,
  type Seen,
  seenServices,
} from '../../support/many-services.ts';

/** Many Services on a real control plane with played kubelets: there with a conversion, through five kills of the operator, and back again with everything else. SERVICES=10000 tries so many; it takes half an hour. */

const COUNT = Number(process.env['SERVICES'] ?? 1_000);
const KILLS = 5;
const MINUTES = 60_000;
/** A minute for the conversion and its crashes, and so many Services a second at the least. */
const WITHIN_MS = 5 * MINUTES + (COUNT / 8) * 1000;

let installed: Installed;
let before: ReadonlyMap<string, Seen>;

beforeAll(async () => {
  installed = await startInstalled({ controlPlanes: 1, workers: 1, keep: process.env['KEEP'] === '1' });
  await openShops(installed.cluster, COUNT);
  before = await seenServices(installed.cluster);
}, 15 * MINUTES);

afterAll(() => installed?.stop(), MINUTES);

async function through(what: string, spec: Readonly<Record<string, unknown>>): Promise<void> {
  const { cluster } = installed;
  const begun = Date.now();
  await askForDualStack(cluster, spec);
  const resource = await cluster.api.get('/apis/dualstack.dev/v1alpha1/dualstackclusters/cluster');
  const ending = new AbortController();
  const killing = killDuringBatches(installed, KILLS, ending.signal);
  await untilStatus(
    cluster,
    what,
    (status) => status.observedGeneration === resource?.metadata.generation && isReady(status),
    WITHIN_MS,
  ).finally(() => ending.abort());
  const killed = await killing;
  const ms = Date.now() - begun;
  const writes = changesOf(await cluster.auditedWrites(begun));
  const done = writes.filter(({ code }) => code < 300);
  const counted = await countedBy(cluster);
  console.log(
    `${what}: ${before.size} Services in ${(ms / 1000).toFixed(0)} s, ${killed} kills, ${writes.length} changes tried and ${done.length} made, ` +
      `at most ${mostPerSecond(writes)} a second; API server since its start: ${counted.requests} requests, ${counted.lists} lists, ${counted.sentAway} sent away`,
  );
  expect(killed).toBe(KILLS);
  expect(mostPerSecond(writes)).toBeLessThanOrEqual(2 * 20);
  // A server that begins sends some away; while Services are changed it does not restart.
  expect(writes.filter(({ code }) => code === 429)).toEqual([]);
  expect(counted.sentAway).toBeLessThan(20);
  // A request whose answer the killed operator did not see any more is not made again.
  expect(new Set(done.map(({ namespace, name }) => `${namespace}/${name}`)).size).toBe(before.size);
}

test(
  'all are migrated, through five kills of the operator',
  async () => {
    expect(before.size).toBe(COUNT);
    await through('migrated', { services: { migration: 'All' }, workloads: { restart: 'All' } });
    expect(notMigrated(before, await seenServices(installed.cluster))).toEqual([]);
  },
  WITHIN_MS + 2 * MINUTES,
);

test(
  'the way back to one family puts back each byte of them, through five more',
  async () => {
    await through('put back', {
      ipFamilies: ['IPv4'],
      clusterNetwork: { pods: { cidrBlocks: ['10.244.0.0/16'] }, services: { cidrBlocks: ['10.96.0.0/16'] } },
      services: { migration: 'All' },
    });
    expect(notRestored(before, await seenServices(installed.cluster))).toEqual([]);
  },
  WITHIN_MS + 2 * MINUTES,
);
