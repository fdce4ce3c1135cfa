import { expect, test } from '@jest/globals';
import type { KubeClient } from '../../../src/kube/client.ts';
import type { KubeErrorKind } from '../../../src/kube/errors.ts';
import { type EventContent, type EventRecorder, eventRecorder } from '../../../src/kube/events.ts';
import type { KubeObject } from '../../../src/model/object.ts';
import { err, ok } from '../../../src/result.ts';
import { type FakeClock, fakeClock } from '../../support/fake-clock.ts';

const node = { apiVersion: 'v1', kind: 'Node', name: 'worker-1', uid: 'uid-1' };
const content: EventContent = { type: 'Normal', reason: 'StepDone', action: 'Apply', note: 'all is well' };

interface Bench {
  readonly recorder: EventRecorder;
  readonly clock: FakeClock;
  readonly created: KubeObject[];
  readonly patched: [string, object][];
  readonly errors: string[];
  failure: KubeErrorKind | undefined;
}

const failed = (kind: KubeErrorKind) => err({ kind, verb: 'write', object: 'Event', message: kind });

function bench(): Bench {
  let ids = 0;
  const clock = fakeClock();
  const client: Pick<KubeClient, 'create' | 'mergePatch'> = {
    create: async (object) => {
      if (one.failure !== undefined) return failed(one.failure);
      one.created.push(object);
      return ok(object);
    },
    mergePatch: async (ref, patch) => {
      if (one.failure !== undefined) return failed(one.failure);
      if (!one.created.some(({ metadata }) => metadata.name === ref.name)) return failed('NotFound');
      one.patched.push([ref.name, patch]);
      return ok({ apiVersion: '', kind: '', metadata: { name: ref.name } });
    },
  };
  const recorder = eventRecorder({
    client,
    clock,
    newId: () => String(ids++),
    controller: 'dualstack.dev/operator',
    instance: 'operator-0',
    onError: (error) => one.errors.push(error.kind),
  });
  const one: Bench = { recorder, clock, created: [], patched: [], errors: [], failure: undefined };
  return one;
}

test('an Event names what it is about; one about a cluster-scoped object lives in default', async () => {
  const { recorder, created } = bench();
  await recorder.record(node, content);
  await recorder.record({ apiVersion: 'v1', kind: 'ConfigMap', namespace: 'kube-system', name: 'kube-proxy' }, content);
  expect(created[0]).toEqual({
    apiVersion: 'events.k8s.io/v1',
    kind: 'Event',
    metadata: { name: 'worker-1.0', namespace: 'default' },
    eventTime: '2026-01-01T00:00:00.000000Z',
    reportingController: 'dualstack.dev/operator',
    reportingInstance: 'operator-0',
    ...content,
    regarding: node,
  });
  expect(created[1]).toMatchObject({ metadata: { namespace: 'kube-system' }, regarding: { namespace: 'kube-system' } });
});

test('the same Event again is counted, also when both come at once; a different one is not', async () => {
  const { recorder, created, patched, clock } = bench();
  await Promise.all([recorder.record(node, content), recorder.record(node, content)]);
  await clock.advance(9 * 60_000);
  await recorder.record(node, content);
  await recorder.record(node, { ...content, note: 'something else' });
  expect(created.map(({ metadata }) => metadata.name)).toEqual(['worker-1.0', 'worker-1.1']);
  expect(patched).toEqual([
    ['worker-1.0', { series: { count: 2, lastObservedTime: '2026-01-01T00:00:00.000000Z' } }],
    ['worker-1.0', { series: { count: 3, lastObservedTime: '2026-01-01T00:09:00.000000Z' } }],
  ]);
});

test('ten minutes later, or when it has expired, it is a new Event', async () => {
  const { recorder, created, clock } = bench();
  await recorder.record(node, content);
  await clock.advance(10 * 60_000 + 1);
  await recorder.record(node, content);
  expect(created).toHaveLength(2);
  created.length = 0;
  await recorder.record(node, content);
  expect(created).toHaveLength(1);
});

test('a failure is told and nothing else: the next Event is written', async () => {
  const one = bench();
  one.failure = 'Invalid';
  await one.recorder.record(node, content);
  one.failure = undefined;
  await one.recorder.record(node, content);
  expect(one.errors).toEqual(['Invalid']);
  expect(one.created).toHaveLength(1);
});

test('an Event is written once the server is back, in its turn; one that has come through is not written again', async () => {
  const one = bench();
  one.failure = 'Network';
  const both = [one.recorder.record(node, content), one.recorder.record(node, { ...content, reason: 'Converged' })];
  await one.clock.advance(2_500);
  expect(one.created).toEqual([]);
  one.failure = undefined;
  await one.clock.advance(1_000);
  await Promise.all(both);
  expect(one.created.map((event) => [event.metadata.name, event['reason']])).toEqual([
    ['worker-1.0', 'StepDone'],
    ['worker-1.1', 'Converged'],
  ]);
  one.failure = 'AlreadyExists';
  await one.recorder.record(node, { ...content, reason: 'Paused' });
  expect(one.errors).toEqual([]);
});

test('after a quarter of a minute it is told that the Event could not be written', async () => {
  const one = bench();
  one.failure = 'Forbidden';
  const recorded = one.recorder.record(node, content);
  await one.clock.advance(15_000);
  await recorded;
  expect(one.errors).toEqual(['Forbidden']);
  expect(one.clock.pending).toBe(0);
});

test.each(['x', 'ü', '😀'])('a note of many "%s" is cut to 1024 bytes between two characters', async (character) => {
  const { recorder, created } = bench();
  await recorder.record(node, { ...content, note: character.repeat(1025) });
  const note = String(created[0]?.['note']);
  expect(Buffer.byteLength(note)).toBeLessThanOrEqual(1024);
  expect(Buffer.byteLength(note)).toBeGreaterThan(1018);
  expect(note).toMatch(new RegExp(`^(?:${character})+…$`, 'u'));
});
