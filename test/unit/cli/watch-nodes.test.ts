import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { openSession } from '../../../src/cli/cluster-session.ts';
import { runCli } from '../../../src/cli/program.ts';
import type { KubeObject } from '../../../src/model/object.ts';
import { err, ok } from '../../../src/result.ts';
import { systemClock } from '../../../src/runtime/clock.ts';
import { eventually as within } from '../../support/eventually.ts';
import { type FakeApi, fakeApi } from '../../support/fake-api.ts';
import { hastyClock } from '../../support/hasty-clock.ts';
import { type WatchedApi, watchedApi, withAddresses } from '../../support/watched-api.ts';
import { kubeadmObjects, resource } from '../reconcile/scene.ts';
import { dependencies } from './fake-session.ts';

/** The back-off between 50 and 300 ms, a look after a change half a second; a watch is dead after 9 s of silence. */
const TIMES_FASTER = 10;
/** A look without a change 1.2 s. */
const MUCH_FASTER = 50;
const NODE = kubeadmObjects()[0]!;
const worker = (n: number): KubeObject => ({
  ...NODE,
  metadata: { ...NODE.metadata, name: `worker-${n}`, uid: `uid-${n}`, labels: {} },
});
const SERVICE = {
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 'kubernetes', namespace: 'default' },
  spec: { clusterIP: '10.96.0.1' },
};
const NODE_DOCUMENT = /"event": "(?<event>\w+)",\s+"name": "(?<name>[^"]+)"/gu;

const eventually = (what: string, holds: () => boolean): Promise<void> => within(what, holds, 30_000);

let fake: FakeApi;
let api: WatchedApi;
let running: Following[];
beforeEach(async () => {
  fake = await fakeApi();
  api = watchedApi(fake, [
    ...kubeadmObjects(),
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'kube-system' } },
    SERVICE,
    withAddresses(worker(1), ['192.0.2.12']),
    withAddresses(worker(2), ['192.0.2.13', '2001:db8::13']),
  ]);
  running = [];
});
afterEach(async () => {
  for (const { stop } of running) await stop();
  await fake.close();
});

interface Following {
  readonly out: () => string;
  readonly err: () => string;
  readonly stop: () => Promise<number>;
}

/** The command as a person runs it, over real sockets, until `stop`. */
function follow(args: readonly string[] = [], timesFaster = TIMES_FASTER): Following {
  const clock = hastyClock(timesFaster);
  const stopping = new AbortController();
  const said = { out: '', err: '' };
  const deps = { clock, random: () => 0.5, signal: stopping.signal, provePackets: async () => err('not here') };
  const code = runCli(['nodes', '--ip-families', 'IPv4,IPv6', '--watch', ...args], {
    ...dependencies(said),
    connect: () => openSession(ok(fake.cluster(systemClock)), deps),
    signal: stopping.signal,
  });
  const one: Following = {
    out: () => said.out,
    err: () => said.err,
    stop: () => {
      stopping.abort();
      return code;
    },
  };
  running.push(one);
  return one;
}

const lines = ({ out }: Following): readonly string[] =>
  out()
    .split('\n')
    .map((line) => line.replaceAll(/ +/gu, ' '));
const shown = (one: Following, text: string): Promise<void> =>
  eventually(`"${text}" in:\n${one.out()}\n${one.err()}`, () => lines(one).some((line) => line.startsWith(text)));
const following = (one: Following): Promise<void> =>
  eventually('it follows', () => api.watches === 2 && one.out() !== '');

test('the table comes first, then each row that changes, and Ctrl-C ends it well', async () => {
  const one = follow();
  await following(one);
  const before = lines(one).filter((line) => line !== '');
  expect(before.map((line) => line.split(' ')[0])).toEqual(['NAME', 'cp-1', 'worker-1', 'worker-2']);

  api.put(withAddresses(worker(1), ['192.0.2.12', '2001:db8::12']));
  await shown(one, 'worker-1 True IPv4,IPv6 192.0.2.12 2001:db8::12');
  api.remove('Node', 'worker-2');
  await shown(one, 'worker-2 Deleted');
  api.put(withAddresses(worker(3), ['192.0.2.14']));
  await shown(one, 'worker-3 True IPv4 192.0.2.14 -');

  expect(lines(one).filter((line) => line.startsWith('NAME'))).toHaveLength(1);
  expect(lines(one).filter((line) => line.startsWith('cp-1'))).toHaveLength(1);
  expect(await one.stop()).toBe(0);
  expect(one.err()).toBe('');
});

test('what an agent reports changes the cause', async () => {
  api.put({ apiVersion: 'dualstack.dev/v1alpha1', kind: 'DualStackNode', metadata: { name: 'worker-1' }, spec: {} });
  const one = follow(['-o', 'wide']);
  await following(one);
  const before = one.out();
  api.put({
    apiVersion: 'dualstack.dev/v1alpha1',
    kind: 'DualStackNode',
    metadata: { name: 'worker-1' },
    spec: {},
    status: REPORT,
  });
  await shown(one, 'worker-1 True IPv4 192.0.2.12 - FamilyDisabled');
  expect(before).not.toContain('FamilyDisabled');
});

const REPORT = {
  hostname: 'worker-1',
  addresses: [],
  network: {
    ipv6Disabled: true,
    forwarding: { IPv4: true, IPv6: true },
    acceptRA: { eth0: '1' },
    defaultRoutes: {},
  },
  kubelet: { running: null, source: '' },
  staticPods: {},
  recorded: {},
  refused: [],
  stopped: false,
};

test('heartbeats print nothing', async () => {
  const one = follow();
  await following(one);
  const before = one.out();
  const heartbeat = { conditions: [{ type: 'Ready', status: 'True', lastHeartbeatTime: '2026-11-02T12:00:10Z' }] };
  for (let n = 0; n < 5; n++) api.put(withAddresses(worker(1), ['192.0.2.12'], heartbeat));
  api.put(withAddresses(worker(4), ['192.0.2.15']));
  await shown(one, 'worker-4');
  expect(lines(one).length).toBe(before.split('\n').length + 1);
});

test('an API server that goes away and comes back is told, and what happened meanwhile is shown', async () => {
  const one = follow();
  await following(one);
  api.down();
  await eventually('it says that it reconnects', () => one.err() !== '');
  expect(one.err()).toMatch(/^Reconnecting to the API server: could not .+\n$/u);
  api.remove('Node', 'worker-2');
  api.put(withAddresses(worker(1), ['192.0.2.12', '2001:db8::12']));
  // Long enough for several tries, none of which says anything more.
  const tried = fake.requests.length;
  await eventually('it tries again', () => fake.requests.length > tried + 6);
  expect(one.err().split('\n')).toHaveLength(2);
  expect(one.out()).not.toContain('Deleted');

  api.up();
  await shown(one, 'worker-1 True IPv4,IPv6 192.0.2.12 2001:db8::12');
  await shown(one, 'worker-2 Deleted');
  await eventually('it says that all is well', () => one.err().endsWith('The API server answers again.\n'));
  expect(one.err().match(/answers again/gu)).toHaveLength(1);
  api.put(withAddresses(worker(5), ['192.0.2.16']));
  await shown(one, 'worker-5');
});

test('it ends at once while the API server is away', async () => {
  const one = follow();
  await following(one);
  api.down();
  await eventually('it says that it reconnects', () => one.err() !== '');
  expect(await one.stop()).toBe(0);
});

test('json: one document for each change', async () => {
  const one = follow(['-o', 'json']);
  await following(one);
  api.put(withAddresses(worker(1), ['192.0.2.12', '2001:db8::12']));
  api.remove('Node', 'worker-2');
  await eventually('both are told', () => one.out().includes('"DELETED"') && one.out().includes('"MODIFIED"'));
  const told = [...one.out().matchAll(NODE_DOCUMENT)].map(({ groups }) => `${groups?.['event']} ${groups?.['name']}`);
  expect(told.slice(0, 3)).toEqual(['ADDED cp-1', 'ADDED worker-1', 'ADDED worker-2']);
  expect(told.slice(3).toSorted()).toEqual(['DELETED worker-2', 'MODIFIED worker-1']);
});

test('what the resource in the cluster wants and says is followed', async () => {
  api.put(resource({ ipFamilies: ['IPv4'] }));
  const clock = hastyClock(TIMES_FASTER);
  const stopping = new AbortController();
  const deps = { clock, random: () => 0.5, signal: stopping.signal, provePackets: async () => err('not here') };
  const session = await openSession(ok(fake.cluster(systemClock)), deps);
  if (!session.ok) throw new Error(session.error);
  const wanted: string[] = [];
  const options = { resource: resource({ ipFamilies: ['IPv4'] }), inCluster: true, onContact: () => undefined };
  for await (const seen of session.value.watchNodes(options, stopping.signal)) {
    if (!seen.ok) throw new Error('it cannot look');
    wanted.push(seen.value.plan.wanted.families.join());
    if (wanted.length === 1) api.put(resource(undefined, { generation: 2 }));
    if (wanted.at(-1) === 'IPv4,IPv6') break;
  }
  expect(wanted[0]).toBe('IPv4');
  await eventually('all watches are closed', () => api.watches === 0);
});

test('while nothing happens the rest of the cluster is looked at now and then, and never its pods as a whole', async () => {
  const one = follow([], MUCH_FASTER);
  await following(one);
  const before = api.listed('DaemonSet');
  const owners = api.listed('StatefulSet');
  await eventually('it looks again', () => api.listed('DaemonSet') > before);
  expect(api.listed('StatefulSet')).toBe(owners);
  expect(api.listed('Node')).toBeLessThan(5);
});

test('a cluster that cannot be looked at ends it with an error', async () => {
  api.down();
  const one = follow();
  const code = await eventuallyEnds(one);
  expect(code).toBe(1);
  expect(one.err()).toMatch(/^Error: /u);
});

async function eventuallyEnds(one: Following): Promise<number> {
  await eventually('it says why', () => one.err() !== '');
  return one.stop();
}
