import { afterEach, beforeEach, expect, test } from '@jest/globals';
import type { KubeClient } from '../../../src/kube/client.ts';
import type { KubeObject } from '../../../src/model/object.ts';
import { DUAL_STACK_NODE_FIELDS, NODE_FIELDS, toNodes } from '../../../src/observe/nodes.ts';
import { NODE_TRIGGERS, TRIGGERS, type Triggers, triggers } from '../../../src/reconcile/triggers.ts';
import { silentLogger } from '../../../src/runtime/log.ts';
import { eventually } from '../../support/eventually.ts';
import { type FakeApi, fakeApi } from '../../support/fake-api.ts';
import { hastyClock } from '../../support/hasty-clock.ts';
import { type WatchedApi, watchedApi, withAddresses } from '../../support/watched-api.ts';
import { kubeadmObjects, resource } from './scene.ts';

/** What was heard of counts for 45 s: nothing here is silent for so long, however busy the machine is. */
const TIMES_FASTER = 2;
/** One for each trigger whose kind that server knows, and that of DualStackClusters. */
const WATCHES = 1 + [...NODE_TRIGGERS, ...TRIGGERS].filter(({ query }) => query.kind !== 'IPPool').length;
const NODES = { apiVersion: 'v1', kind: 'Node', fields: NODE_FIELDS } as const;
const AGENTS = { apiVersion: 'dualstack.dev/v1alpha1', kind: 'DualStackNode', fields: DUAL_STACK_NODE_FIELDS } as const;
const NODE = kubeadmObjects()[0]!;
const AGENT: KubeObject = {
  apiVersion: AGENTS.apiVersion,
  kind: AGENTS.kind,
  metadata: { name: 'cp-1', managedFields: [{ manager: 'agent', fieldsV1: {} }] },
  spec: {},
  status: { hostname: 'cp-1' },
};

let fake: FakeApi;
let api: WatchedApi;
let client: KubeClient;
let watching: Triggers;
let told: string[];
let stop: () => Promise<void>;
beforeEach(async () => {
  fake = await fakeApi();
  api = watchedApi(fake, [resource(), NODE, AGENT]);
  const clock = hastyClock(TIMES_FASTER);
  client = fake.cluster(clock).client;
  told = [];
  watching = triggers(
    { client, clock, random: () => 0.5, log: silentLogger },
    {
      asked: (name) => told.push(`asked ${name}`),
      around: (name) => told.push(`around ${name}`),
      nodes: () => told.push('nodes'),
    },
  );
  const stopping = new AbortController();
  const run = watching.run(stopping.signal);
  stop = async () => {
    stopping.abort();
    await run;
  };
  // That server keeps no history: what happens before a watch is open would have it begin anew.
  await eventually('all watches are open', () => api.watches === WATCHES);
});
afterEach(async () => {
  await stop();
  await fake.close();
});

/** As a pass does it that may have something to do. */
async function listAll(): Promise<void> {
  const listing = watching.nodes.listing(client);
  await listing.list(NODES);
  await listing.list(AGENTS);
}

const isUsed = (): boolean => watching.nodes.watched(client) !== null;
const used = async (): Promise<void> => {
  await eventually('what is watched shows what was listed', async () => {
    if (!isUsed()) await listAll();
    return isUsed();
  });
};

/** As passes see them, and how often they were listed. */
async function seen(): Promise<readonly [readonly (readonly string[])[], number]> {
  const before = api.listed('Node') + api.listed('DualStackNode');
  const now = watching.nodes.watched(client) ?? client;
  const [nodes, agents] = [await now.list(NODES), await now.list(AGENTS)];
  const facts = nodes.ok && agents.ok ? toNodes(nodes.value.items, agents.value.items) : [];
  const shown = facts.map(({ name, internalIPs, agent }) => [name, ...internalIPs, agent?.report?.hostname ?? '']);
  return [shown, api.listed('Node') + api.listed('DualStackNode') - before];
}

test('Nodes and DualStackNodes are kept, and follow changes without a list', async () => {
  expect(isUsed()).toBe(false);
  await used();
  expect(await seen()).toEqual([[['cp-1', '192.0.2.11', 'cp-1']], 0]);

  told.splice(0);
  api.put(withAddresses(NODE, ['192.0.2.11', '2001:db8::11']));
  await eventually('the pass is woken', () => told.includes('around cluster') && told.includes('nodes'));
  expect(await seen()).toEqual([[['cp-1', '192.0.2.11', '2001:db8::11', 'cp-1']], 0]);

  api.remove('DualStackNode', 'cp-1');
  await eventually('the record is seen to be gone', async () => (await seen())[0][0]?.at(-1) === '');
  expect((await seen())[1]).toBe(0);
});

test('a heartbeat wakes nobody, and is kept', async () => {
  await used();
  told.splice(0);
  const labelled = { ...NODE, metadata: { ...NODE.metadata, labels: { ...NODE.metadata.labels, a: 'b' } } };
  api.put(withAddresses(NODE, ['192.0.2.11'], { volumesInUse: ['v'] }));
  api.put(labelled);
  await eventually('the label is told', () => told.includes('nodes'));
  expect(told.filter((each) => each === 'nodes')).toHaveLength(1);
  const listed = await watching.nodes.watched(client)?.list(NODES);
  expect(listed).toMatchObject({ value: { items: [{ metadata: { labels: { a: 'b' } } }] } });
});

test('who wrote what in a DualStackNode is not kept', async () => {
  await used();
  const listed = await watching.nodes.watched(client)?.list(AGENTS);
  expect(listed).toMatchObject({
    value: { items: [{ status: { hostname: 'cp-1' }, metadata: { managedFields: [] } }] },
  });
});

test('what happened while the watches were broken is listed before they are used again', async () => {
  await used();
  watching.nodes.forget();
  api.down();
  api.put(withAddresses(NODE, ['192.0.2.12']));
  expect(isUsed()).toBe(false);
  api.up();
  await used();
  expect((await seen())[0]).toEqual([['cp-1', '192.0.2.12', 'cp-1']]);
});
