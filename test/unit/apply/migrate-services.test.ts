import { expect, test } from '@jest/globals';
import { migrateServices } from '../../../src/apply/migrate-services.ts';
import type { KubeClient } from '../../../src/kube/client.ts';
import { at, type KubeObject } from '../../../src/model/object.ts';
import type { Outcome } from '../../../src/model/outcome.ts';
import type { MigrateServices, ServiceMigration } from '../../../src/model/step.ts';
import { err, ok } from '../../../src/result.ts';
import { fakeClock } from '../../support/fake-clock.ts';
import { fakeKube } from '../../support/fake-kube.ts';

const FIRST = 'dualstack.dev/first-state';
const refOf = (name: string) => ({ apiVersion: 'v1', kind: 'Service', namespace: 'shop', name }) as const;

const service = (name: string, resourceVersion = '7'): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { namespace: 'shop', name, resourceVersion, annotations: { mine: 'kept' } },
  spec: { ipFamilyPolicy: 'SingleStack', ipFamilies: ['IPv4'], ports: [{ port: 80 }] },
});

const migration = (name: string, change: Partial<ServiceMigration> = {}): ServiceMigration => ({
  namespace: 'shop',
  name,
  resourceVersion: '7',
  policy: 'PreferDualStack',
  families: ['IPv4', 'IPv6'],
  firstState: 'first',
  ...change,
});

interface Scene {
  readonly objects: readonly KubeObject[];
  readonly services: readonly ServiceMigration[];
  readonly refuse?: (on: string) => 'Forbidden' | 'ServerError' | 'TooManyRequests' | null;
  readonly stopAfterMs?: number;
}

async function run({ objects, services, refuse, stopAfterMs }: Scene) {
  const clock = fakeClock(0);
  const kube = fakeKube(objects);
  if (refuse !== undefined) kube.refuse = (_verb, on) => refuse(on);
  const stop = new AbortController();
  const step: MigrateServices = { kind: 'MigrateServices', services };
  const ended: Outcome[] = [];
  // Of fields that belong to nobody, a server-side apply comes to the same as a patch.
  const client: KubeClient = {
    ...kube.client,
    apply: ({ metadata, spec }) => kube.client.mergePatch(refOf(metadata.name), { metadata, spec }),
  };
  const refusals: (readonly [string, string])[] = [];
  const onRefused = ({ name }: ServiceMigration, why: string): void => void refusals.push([name, why]);
  const given: string[] = [];
  const onGiven = ({ name }: ServiceMigration): void => void given.push(name);
  const running = migrateServices(step, { client, clock, signal: stop.signal, onRefused, onGiven });
  void running.then((outcome) => ended.push(outcome));
  let elapsed = 0;
  while (ended.length === 0) {
    if (stopAfterMs !== undefined && elapsed >= stopAfterMs) stop.abort();
    await clock.advance(10);
    elapsed += 10;
  }
  return { kube, outcome: await running, elapsed, refusals, given };
}

test('families and first state go in one request, and the rest of the Service stays', async () => {
  const { kube, outcome } = await run({ objects: [service('web')], services: [migration('web')] });
  expect(outcome).toEqual({ is: 'Changed', what: 'changed the families of Service shop/web' });
  const after = kube.get(refOf('web'));
  expect(after?.metadata.annotations).toEqual({ mine: 'kept', [FIRST]: 'first' });
  expect(after?.['spec']).toEqual({
    ipFamilyPolicy: 'PreferDualStack',
    ipFamilies: ['IPv4', 'IPv6'],
    ports: [{ port: 80 }],
  });
});

test('on the way back the annotation goes, or stays as it is', async () => {
  const annotated = (name: string): KubeObject => {
    const object = service(name);
    return { ...object, metadata: { ...object.metadata, annotations: { [FIRST]: 'first' } } };
  };
  const { firstState: _, ...kept } = migration('kept');
  const { kube, given } = await run({
    objects: [annotated('gone'), annotated('kept'), service('there')],
    services: [migration('gone', { firstState: null }), kept, migration('there')],
  });
  expect(given).toEqual(['there']);
  expect(kube.get(refOf('gone'))?.metadata.annotations ?? {}).toEqual({});
  expect(kube.get(refOf('kept'))?.metadata.annotations).toEqual({ [FIRST]: 'first' });
});

test('one that was changed or deleted since is left for the next look', async () => {
  const { kube, outcome } = await run({
    objects: [service('changed', '8'), service('web')],
    services: [migration('changed'), migration('deleted'), migration('web')],
  });
  expect(outcome).toMatchObject({ is: 'Changed', what: 'changed the families of Service shop/web' });
  expect(at(kube.get(refOf('changed')), 'spec', 'ipFamilies')).toEqual(['IPv4']);
  const nothing = await run({ objects: [], services: [migration('deleted')] });
  expect(nothing.outcome).toEqual({ is: 'Unchanged' });
});

test.each(['Forbidden', 'ServerError'] as const)(
  'one that is refused (%s) holds up no other, and is remembered',
  async (kind) => {
    const names = ['a', 'b', 'c'];
    const { outcome, refusals } = await run({
      objects: names.map((name) => service(name)),
      services: names.map((name) => migration(name)),
      refuse: (on) => (on === 'Service shop/b' ? kind : null),
    });
    expect(outcome).toMatchObject({
      is: 'Changed',
      what: expect.stringMatching(
        /^changed the families of Service shop\/a, Service shop\/c; 1 were refused, the first: could not .*shop\/b: refused on purpose/u,
      ),
    });
    expect(refusals).toEqual([['b', expect.stringContaining('refused on purpose')]]);
  },
);

test('when all are refused that is what comes of it', async () => {
  const { outcome, refusals } = await run({
    objects: [service('a'), service('b')],
    services: [migration('a'), migration('b')],
    refuse: () => 'Forbidden',
  });
  expect(outcome).toMatchObject({ is: 'Unchanged', why: expect.stringContaining('2 were refused') });
  expect(refusals.map(([name]) => name)).toEqual(['a', 'b']);
});

test('a server that fails again and again is left alone, and those that it failed at are not the first next time', async () => {
  const names = Array.from({ length: 20 }, (_, n) => `s${n}`);
  const { outcome, refusals } = await run({
    objects: names.map((name) => service(name)),
    services: names.map((name) => migration(name)),
    refuse: () => 'ServerError',
  });
  expect(outcome).toMatchObject({ is: 'Refused', error: { kind: 'Transient' } });
  expect(refusals.map(([name]) => name)).toEqual(names.slice(0, 5));
});

test('a webhook that is broken ends the batch early, and no more than that', async () => {
  const names = Array.from({ length: 20 }, (_, n) => `s${n}`);
  const kube = fakeKube(names.map((name) => service(name)));
  const clock = fakeClock(0);
  const failing: KubeClient = {
    ...kube.client,
    apply: ({ metadata }) =>
      Promise.resolve(
        err({
          kind: 'ServerError',
          verb: 'apply',
          object: metadata.name,
          message: 'failed calling webhook "a.example"',
        }),
      ),
  };
  const refusals: string[] = [];
  const running = migrateServices(
    { kind: 'MigrateServices', services: names.map((name) => migration(name)) },
    {
      client: failing,
      clock,
      signal: new AbortController().signal,
      onRefused: ({ name }) => void refusals.push(name),
      onGiven: () => undefined,
    },
  );
  await clock.advance(5000);
  expect(await running).toMatchObject({ is: 'Unchanged', why: expect.stringContaining('5 were refused') });
  expect(refusals).toEqual(names.slice(0, 5));
});

test('a server that has too much to do is left alone at once', async () => {
  const names = ['a', 'b', 'c'];
  const { kube, outcome } = await run({
    objects: names.map((name) => service(name)),
    services: names.map((name) => migration(name)),
    refuse: (on) => (on === 'Service shop/b' ? 'TooManyRequests' : null),
  });
  expect(outcome).toMatchObject({ is: 'Refused', error: { kind: 'Transient' } });
  expect(kube.writes.map(({ on }) => on)).toEqual(['Service shop/a']);
});

test('no more than twenty a second', async () => {
  const names = Array.from({ length: 41 }, (_, n) => `s${n}`);
  const { elapsed } = await run({
    objects: names.map((name) => service(name)),
    services: names.map((name) => migration(name)),
  });
  expect(elapsed).toBeGreaterThanOrEqual(2000);
});

test('it ends between two Services when this instance no longer leads', async () => {
  const names = Array.from({ length: 20 }, (_, n) => `s${n}`);
  const { kube } = await run({
    objects: names.map((name) => service(name)),
    services: names.map((name) => migration(name)),
    stopAfterMs: 200,
  });
  const changed = names.filter((name) => kube.get(refOf(name))?.metadata.annotations?.[FIRST] !== undefined);
  expect(changed.length).toBeGreaterThan(0);
  expect(changed.length).toBeLessThan(20);
  expect(changed).toEqual(names.slice(0, changed.length));
});

/** Of a Service whose policy these managers have set. */
async function applied(managers: readonly string[], change: Partial<ServiceMigration> = {}) {
  const forced: boolean[] = [];
  const refusals: string[] = [];
  const kube = fakeKube([service('web')]);
  const client: KubeClient = {
    ...kube.client,
    apply: (object, { force = false }) => {
      forced.push(force);
      const conflicts = managers.map((manager) => ({ manager, field: '.spec.ipFamilyPolicy' }));
      const message = `conflicts with ${managers.join(' and ')}`;
      return Promise.resolve(
        force ? ok(object) : err({ kind: 'Conflict', verb: 'apply', object: 'Service shop/web', message, conflicts }),
      );
    },
  };
  const outcome = await migrateServices(
    { kind: 'MigrateServices', services: [migration('web', change)] },
    {
      client,
      clock: { ...fakeClock(0), sleep: () => Promise.resolve(true) },
      signal: new AbortController().signal,
      onRefused: (_, why) => void refusals.push(why),
      onGiven: () => undefined,
    },
  );
  return { outcome, forced, refusals };
}

test('who has set its families keeps them, and is named', async () => {
  const { outcome, forced, refusals } = await applied(['helm']);
  expect(outcome).toMatchObject({ is: 'Unchanged' });
  expect(forced).toEqual([false]);
  expect(refusals).toEqual([expect.stringContaining('conflicts with helm')]);
  expect((await applied(['helm', 'dualstack-operator'])).forced).toEqual([false]);
});

test("what this program wrote on a way back before is nobody else's, and the label is a person's word", async () => {
  expect(await applied(['dualstack-operator'])).toMatchObject({ outcome: { is: 'Changed' }, forced: [false, true] });
  expect(await applied(['helm'], { force: true })).toMatchObject({ outcome: { is: 'Changed' }, forced: [true] });
});
