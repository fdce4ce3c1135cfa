import { expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import type { KubeClient, Page } from '../../../src/kube/client.ts';
import type { KubeObject } from '../../../src/model/object.ts';
import { inventoryPass } from '../../../src/reconcile/inventory-pass.ts';
import { type NodeCache, nodeCache, type WatchedKind } from '../../../src/reconcile/node-cache.ts';
import { pass } from '../../../src/reconcile/pass.ts';
import { NODE_TRIGGERS } from '../../../src/reconcile/triggers.ts';
import { ok } from '../../../src/result.ts';
import { fakeClock } from '../../support/fake-clock.ts';
import { kubeadmObjects, resource, type Scene, scene, SPEC } from './scene.ts';

const NODES = { apiVersion: 'v1', kind: 'Node' } as const;
const node = (name: string, revision: number): KubeObject => ({
  ...NODES,
  metadata: { name, resourceVersion: String(revision) },
});

/** What a watch shows, set by hand. */
interface Shown {
  items: readonly KubeObject[];
  position: string | undefined;
  heardAt: number | undefined;
}

const objectsOf = (shown: Shown): WatchedKind['objects'] => ({
  items: () => shown.items,
  get position() {
    return shown.position;
  },
  get heardAt() {
    return shown.heardAt;
  },
});

/** A server whose list of Nodes is given. */
function listed(page: Page): { readonly client: KubeClient; readonly lists: () => number } {
  let lists = 0;
  const list: KubeClient['list'] = () => {
    lists += 1;
    return Promise.resolve(ok(page));
  };
  return { client: { list } as KubeClient, lists: () => lists };
}

function cacheOf(shown: Shown, clock = fakeClock()): NodeCache {
  return nodeCache([{ ...NODES, fields: ['spec.podCIDRs'], objects: objectsOf(shown) }], clock);
}

async function isLevel(shown: Omit<Shown, 'heardAt'>, page: Page): Promise<boolean> {
  const clock = fakeClock();
  const cache = cacheOf({ ...shown, heardAt: clock.monotonic() }, clock);
  const { client } = listed(page);
  await cache.listing(client).list({ ...NODES });
  return cache.watched(client) !== null;
}

test('what is watched is used from when it shows all that was listed, and until something is done', async () => {
  const clock = fakeClock();
  const shown: Shown = { items: [node('a', 5)], position: '5', heardAt: clock.monotonic() };
  const cache = cacheOf(shown, clock);
  const { client, lists } = listed({ items: [node('a', 7)], resourceVersion: '8' });
  expect(cache.watched(client)).toBeNull();
  await cache.listing(client).list({ ...NODES, fields: [] });
  expect(cache.watched(client)).toBeNull();

  Object.assign(shown, { items: [node('a', 7)], position: '7' });
  expect(cache.watched(client)).toBeNull();
  await cache.listing(client).list({ ...NODES, fields: [] });
  expect(lists()).toBe(2);
  const answer = await cache.watched(client)?.list({ ...NODES, fields: ['spec.podCIDRs'] });
  expect(answer).toEqual(ok({ items: [node('a', 7)], resourceVersion: '7' }));
  expect(lists()).toBe(2);

  cache.forget();
  expect(cache.watched(client)).toBeNull();
});

test.each([
  ['more than is kept', { ...NODES, fields: ['status.images'] }],
  ['whole objects', NODES],
  ['some of them', { ...NODES, fields: [], labelSelector: 'a=b' }],
  ['another kind', { apiVersion: 'v1', kind: 'Pod', fields: [] }],
])('the server is asked for %s', async (_, query) => {
  const clock = fakeClock();
  const cache = cacheOf({ items: [node('a', 5)], position: '5', heardAt: clock.monotonic() }, clock);
  const { client, lists } = listed({ items: [node('a', 5)], resourceVersion: '5' });
  await cache.listing(client).list({ ...NODES });
  await cache.watched(client)?.list(query);
  expect(lists()).toBe(2);
});

test('a watch that is silent, or begins anew, is not used, and is again when it is heard of', async () => {
  const clock = fakeClock();
  const shown: Shown = { items: [node('a', 5)], position: '5', heardAt: clock.monotonic() };
  const cache = cacheOf(shown, clock);
  const { client } = listed({ items: [node('a', 5)], resourceVersion: '5' });
  await cache.listing(client).list({ ...NODES });
  await clock.advance(90_000);
  expect(cache.watched(client)).not.toBeNull();
  await clock.advance(1);
  expect(cache.watched(client)).toBeNull();
  shown.heardAt = clock.monotonic();
  expect(cache.watched(client)).not.toBeNull();
  shown.position = undefined;
  expect(cache.watched(client)).toBeNull();
});

test.each([
  ['the list', 'x1', '5'],
  ['the watch', '5', 'x1'],
])('versions of %s that are no revisions cannot be put in order', async (_, position, resourceVersion) => {
  expect(await isLevel({ items: [node('a', 5)], position }, { items: [node('a', 5)], resourceVersion })).toBe(false);
});

/** Each event by its revision, counted from 1: a Node is written, or is gone. */
interface Change {
  readonly name: string;
  readonly is: 'Written' | 'Gone';
}
const change: fc.Arbitrary<Change> = fc.record({
  name: fc.constantFrom('a', 'b', 'c'),
  is: fc.constantFrom('Written', 'Written', 'Gone'),
});

/** By name, the revision of each Node there is after so many events. */
function after(history: readonly Change[], revision: number): ReadonlyMap<string, number> {
  const there = new Map<string, number>();
  for (const [index, { name, is }] of history.slice(0, revision).entries()) {
    if (is === 'Written') there.set(name, index + 1);
    else there.delete(name);
  }
  return there;
}
const nodesAt = (there: ReadonlyMap<string, number>): readonly KubeObject[] =>
  [...there].map(([name, revision]) => node(name, revision));

test('whatever happens in between: a watch that counts as level shows nothing that is older than the list', async () => {
  const scenes = fc.record({
    history: fc.array(change, { minLength: 1, maxLength: 12 }),
    seen: fc.nat(12),
    asked: fc.nat(12),
  });
  await fc.assert(
    fc.asyncProperty(scenes, async ({ history, seen, asked }) => {
      const [reached, listedAt] = [Math.min(seen, history.length), Math.min(asked, history.length)];
      fc.pre(reached > 0 && listedAt > 0);
      const [watched, inList] = [after(history, reached), after(history, listedAt)];
      const level = await isLevel(
        { items: nodesAt(watched), position: String(reached) },
        { items: nodesAt(inList), resourceVersion: String(listedAt) },
      );
      if (reached >= listedAt) expect(level).toBe(true);
      if (!level) return;
      for (const name of ['a', 'b', 'c']) {
        if (watched.get(name) === inList.get(name)) continue;
        const isNewer = history.some((each, index) => each.name === name && index >= listedAt && index < reached);
        expect(isNewer).toBe(true);
      }
    }),
    { numRuns: 2000 },
  );
});

/** Watches that show what the fake server holds, or what it held when they stopped. */
function watching(run: Scene): { readonly nodes: NodeCache; readonly stop: () => void } {
  let stopped: readonly KubeObject[] | null = null;
  const now = (): readonly KubeObject[] =>
    ['cp-1', 'worker-2'].flatMap((name) =>
      NODE_TRIGGERS.flatMap(({ query: { apiVersion, kind } }) => run.kube.get({ apiVersion, kind, name }) ?? []),
    );
  const kinds = NODE_TRIGGERS.map(({ query: { apiVersion, kind, fields } }) => ({
    apiVersion,
    kind,
    fields,
    objects: objectsOf({
      get items() {
        return (stopped ?? now()).filter((each) => each.kind === kind);
      },
      position: '999999',
      get heardAt() {
        return run.clock.monotonic();
      },
    }),
  }));
  return { nodes: nodeCache(kinds, run.clock), stop: () => (stopped = now()) };
}

/** Their Nodes have versions, as on a server. */
function running(spec: object): Scene & { readonly lists: () => readonly string[]; readonly stop: () => void } {
  const objects = kubeadmObjects().map((object) => ({
    ...object,
    metadata: { ...object.metadata, resourceVersion: '7' },
  }));
  const run = scene([resource(spec), ...objects]);
  const lists: string[] = [];
  run.kube.refuse = (verb, on) => {
    if (verb === 'list' && ['Node', 'DualStackNode'].includes(on)) lists.push(on);
    return null;
  };
  const { nodes, stop } = watching(run);
  return { ...run, deps: { ...run.deps, nodes }, lists: () => lists.splice(0), stop };
}

test('at rest Nodes are listed once, and changes are told by what is watched', async () => {
  const run = running({ ...SPEC, mode: 'Plan' });
  await pass('cluster', run.deps);
  expect(run.lists()).toEqual(['Node', 'DualStackNode']);
  const status = run.status();
  await pass('cluster', run.deps);
  expect(run.lists()).toEqual([]);
  expect(run.status()).toEqual(status);

  const cp = run.kube.get({ ...NODES, name: 'cp-1' });
  if (cp === undefined) throw new Error('no Node');
  const addresses = ['192.0.2.11', '2001:db8::11'].map((address) => ({ type: 'InternalIP', address }));
  run.kube.put({ ...cp, status: { ...(cp['status'] as object), addresses } });
  await pass('cluster', run.deps);
  expect(run.lists()).toEqual([]);
  expect([status.nodes?.dualStack, run.status().nodes?.dualStack]).toEqual([0, 1]);
});

test('a changed spec is looked at by a list first', async () => {
  const run = running({ ...SPEC, mode: 'Plan' });
  await pass('cluster', run.deps);
  const changed = run.kube.get({ ...resource(), name: 'cluster' });
  if (changed === undefined) throw new Error('no DualStackCluster');
  run.kube.put({ ...changed, spec: { ...SPEC, mode: 'Plan', paused: true } });
  run.lists();
  await pass('cluster', run.deps);
  expect(run.lists()).toEqual(['Node', 'DualStackNode']);
});

test('what is done is decided by a list, and what comes after it is looked at by one', async () => {
  const run = running({ ...SPEC, paused: true });
  await pass('cluster', run.deps);
  await pass('cluster', run.deps);
  run.lists();
  run.stop();
  const paused = run.kube.get({ ...resource(), name: 'cluster' });
  if (paused === undefined) throw new Error('no DualStackCluster');
  run.kube.put({ ...paused, spec: SPEC });
  for (let turn = 0; turn < 2; turn += 1) {
    await pass('cluster', run.deps);
    expect(run.lists()).toEqual(['Node', 'DualStackNode']);
  }
  expect(run.kube.writes.some(({ on }) => on.startsWith('Secret'))).toBe(true);
});

test('Nodes and DualStackNodes that match are not listed again; where one is new or gone they are', async () => {
  const run = running({ ...SPEC, mode: 'Plan' });
  const agentOf = (name: string) => run.kube.get({ apiVersion: 'dualstack.dev/v1alpha1', kind: 'DualStackNode', name });
  // One is made, and what was listed before that counts no more.
  await inventoryPass(run.deps);
  await inventoryPass(run.deps);
  expect(run.lists()).toHaveLength(4);
  await inventoryPass(run.deps);
  expect(run.lists()).toEqual([]);

  run.kube.put(node('worker-2', 8));
  await inventoryPass(run.deps);
  expect(run.lists()).toEqual(['Node', 'DualStackNode']);
  expect(agentOf('worker-2')).toBeDefined();
  await run.kube.client.delete({ ...NODES, name: 'worker-2' });
  await inventoryPass(run.deps);
  await inventoryPass(run.deps);
  run.lists();
  expect(agentOf('worker-2')).toBeUndefined();
  await inventoryPass(run.deps);
  expect(run.lists()).toEqual([]);
});
