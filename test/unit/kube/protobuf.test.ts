import { expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import type { KubeObject } from '../../../src/model/object.ts';
import { eventReader, type WatchEvent } from '../../../src/kube/event-stream.ts';
import type { KubeError } from '../../../src/kube/errors.ts';
import { type Format, protobufFormat, protobufStatus } from '../../../src/kube/protobuf/answers.ts';
import { BOOKMARK, shapeOf, STATUS } from '../../../src/kube/protobuf/shapes.ts';
import { NODE_FIELDS } from '../../../src/observe/nodes.ts';
import type { Result } from '../../../src/result.ts';
import { pruned } from '../../support/fields.ts';
import { nodeSample } from '../../support/node-samples.ts';
import {
  encode,
  fixedField,
  frameOf,
  inEnvelope,
  lengthField,
  listOf,
  numberField,
  textField,
} from '../../support/protobuf.ts';

const NODE = shapeOf('v1', 'Node')!;
const SUBJECT = { verb: 'watch', object: 'Node objects' };
const WATCH = 'application/vnd.kubernetes.protobuf;stream=watch';

const formatOf = (fields: readonly string[]): Format => {
  const format = protobufFormat({ apiVersion: 'v1', kind: 'Node', fields });
  if (format === null) throw new Error('no format for these fields');
  return format;
};
const NODES = formatOf(NODE_FIELDS);

const WRITES = [
  { manager: 'kubelet', operation: 'Update', apiVersion: 'v1', subresource: 'status' },
  { manager: 'me' },
];
const stored = (node: KubeObject, n: number): KubeObject => ({
  ...node,
  metadata: {
    ...node.metadata,
    uid: `uid-${n}`,
    resourceVersion: String(n),
    creationTimestamp: '2026-01-02T03:04:05Z',
    managedFields: WRITES,
  },
});
const nodes = (maxLength: number) =>
  fc.array(nodeSample('node-1'), { maxLength }).map((samples) => samples.map((sample, n) => stored(sample, n)));
const noise = fc.constantFrom(
  numberField(900, -1),
  textField(901, 'images and what else there is'),
  fixedField(902, 8),
  fixedField(903, 4),
  lengthField(904, numberField(1, 2 ** 40)),
);
/** What is empty may be written or not, and means the same. */
const filled = (object: KubeObject): object =>
  JSON.parse(JSON.stringify({ spec: {}, status: {}, ...object }, withoutEmpty)) as object;
const withoutEmpty = (_: string, value: unknown): unknown =>
  Array.isArray(value) && value.length === 0 ? undefined : value;
const sameAs = (object: KubeObject, fields: readonly string[]): object => filled(pruned(dropEmptyMaps(object), fields));
const dropEmptyMaps = (object: KubeObject): KubeObject =>
  JSON.parse(
    JSON.stringify(object, (key, value: unknown) =>
      (key === 'labels' || key === 'annotations') && Object.keys(value as object).length === 0
        ? undefined
        : omitted(key, value),
    ),
  ) as KubeObject;
const omitted = (key: string, value: unknown): unknown =>
  (key === 'unschedulable' && value === false) || (key === 'value' && value === '') ? undefined : value;

test('thousands of generated Nodes come out as JSON would have them, whatever else is written in them', () => {
  let count = 0;
  fc.assert(
    fc.property(nodes(20), fc.array(noise, { maxLength: 3 }), (all, between) => {
      const items = all.map((node) => encode(NODE, node, () => between));
      const page = NODES.page(listOf('Node', '77', 'token', items));
      if (!page.ok) throw new Error(page.error);
      expect([page.value.resourceVersion, page.value.next]).toEqual(['77', 'token']);
      expect(page.value.items.map(filled)).toEqual(all.map((node) => sameAs(node, NODE_FIELDS)));
      count += all.length;
    }),
    { numRuns: 1_000 },
  );
  expect(count).toBeGreaterThan(3_000);
});

test('only what is asked for is there', () => {
  const node = stored(fc.sample(nodeSample('n'), { seed: 3, numRuns: 1 })[0]!, 1);
  const bytes = listOf('Node', '1', '', [
    encode(NODE, { ...node, spec: { podCIDRs: ['a', ''], unschedulable: true } }),
  ]);
  expect(formatOf(['spec.podCIDRs']).page(bytes)).toMatchObject({
    value: {
      items: [
        {
          apiVersion: 'v1',
          kind: 'Node',
          metadata: { name: 'n', uid: 'uid-1', resourceVersion: '1' },
          spec: { podCIDRs: ['a', ''] },
        },
      ],
      next: '',
    },
  });
  const read = formatOf([]).page(bytes);
  expect(read.ok && read.value.items[0]).toEqual({
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name: 'n', uid: 'uid-1', resourceVersion: '1' },
  });
});

test.each([
  ['a kind that is in no table', { apiVersion: 'v1', kind: 'Secret', fields: [] }],
  ['a kind of that name in another group', { apiVersion: 'other.example.org/v1', kind: 'Node', fields: [] }],
  ['a name that every object has', { apiVersion: 'v1', kind: 'constructor', fields: [] }],
  ['whole objects', { apiVersion: 'v1', kind: 'Node' }],
  ['a field that is in no table', { apiVersion: 'v1', kind: 'Node', fields: ['status.images'] }],
  ['a field within a text', { apiVersion: 'v1', kind: 'Node', fields: ['spec.providerID.more'] }],
])('JSON must do for %s', (_, query) => expect(protobufFormat(query)).toBe(null));

const withMetadata = (generation: number, creationTimestamp: string) =>
  formatOf(['metadata.generation', 'metadata.creationTimestamp']).page(
    listOf('Node', '1', '', [encode(NODE, { metadata: { name: 'n', generation, creationTimestamp } })]),
  );

test('numbers keep their sign and times their second', () => {
  for (const [number, time] of [
    [-1, '1969-12-31T23:59:59Z'],
    [2 ** 53 - 1, '9999-12-31T23:59:59Z'],
    [-(2 ** 53) + 1, '0001-01-01T00:00:00Z'],
    [128, '2026-11-21T00:00:00Z'],
  ] as const) {
    const items = [{ metadata: { generation: number, creationTimestamp: time } }];
    expect(withMetadata(number, time)).toMatchObject({ value: { items } });
  }
});

const whole = listOf('Node', '77', 'token', [
  encode(NODE, stored(fc.sample(nodeSample('n'), { seed: 9, numRuns: 1 })[0]!, 1)),
]);

test('a list that is cut off anywhere is an error', () => {
  for (let length = 0; length < whole.length - 4; length++) {
    const read = NODES.page(whole.subarray(0, length));
    // Behind the list itself only empty fields come.
    if (read.ok) throw new Error(`the first ${length} bytes of ${whole.length} are taken for a list`);
    expect(read.error).toMatch(/^it is no protobuf of Kubernetes: /u);
  }
});

test('bytes that are no list are a list or an error, and nothing is thrown', () => {
  const changed = fc
    .array(fc.tuple(fc.nat({ max: whole.length - 1 }), fc.nat({ max: 255 })), { minLength: 1, maxLength: 8 })
    .map((changes) => {
      const bytes = Buffer.from(whole);
      for (const [at, value] of changes) bytes[at] = value;
      return bytes;
    });
  const garbage = fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes));
  const inside = garbage.map((bytes) => inEnvelope('v1', 'NodeList', bytes));
  const item = garbage.map((bytes) => listOf('Node', '1', '', [bytes]));
  fc.assert(
    fc.property(fc.oneof(changed, garbage, inside, item), (bytes) => {
      const read = NODES.page(bytes);
      expect(read.ok ? Array.isArray(read.value.items) : read.error !== '').toBe(true);
      protobufStatus(bytes);
      NODES.frame(bytes, 0, bytes.length);
    }),
    { numRuns: 3_000 },
  );
});

test.each([
  ['a number without end', Buffer.alloc(12, 0xff)],
  ['a length beyond the end', Buffer.from([0x0a, 0x7f, 1])],
  ['field 0', Buffer.from([0x02, 0x00])],
  ['a group', Buffer.from([0x0b, 0x0c])],
  ['a name that is a number', lengthField(1, numberField(1, 1))],
  ['an object without a name', lengthField(1, textField(5, 'uid'))],
  [
    'a time beyond all years',
    lengthField(1, Buffer.concat([textField(1, 'n'), lengthField(8, numberField(1, 2 ** 50))])),
  ],
])('%s is an error', (_, item) => expect(NODES.page(listOf('Node', '1', '', [item])).ok).toBe(false));

test('a refusal is what its JSON would be', () => {
  const status = {
    message: 'too old',
    reason: 'Expired',
    code: 410,
    details: { causes: [{ reason: 'R', message: 'm', field: 'f' }], retryAfterSeconds: 3 },
  };
  expect(protobufStatus(inEnvelope('v1', 'Status', encode(STATUS, status)))).toEqual(status);
  expect(protobufStatus(Buffer.from('<html>'))).toBe(undefined);
});

function readAll(pieces: readonly Uint8Array[]): Result<WatchEvent, KubeError>[] {
  const read = eventReader(WATCH, NODES, SUBJECT);
  return pieces.flatMap((piece) => read(piece));
}

test('frames are read alike in whatever pieces they come', () => {
  const end = encode(BOOKMARK, {
    metadata: { resourceVersion: '9', annotations: { 'k8s.io/initial-events-end': 'true' } },
  });
  fc.assert(
    fc.property(nodes(6), fc.array(fc.nat({ max: 3_000 }), { maxLength: 40 }), (all, cuts) => {
      const frames = Buffer.concat([
        ...all.map((node, n) => frameOf(n % 3 === 2 ? 'DELETED' : 'ADDED', 'Node', encode(NODE, node))),
        frameOf('BOOKMARK', 'Node', end),
      ]);
      const places = [0, ...cuts.filter((cut) => cut < frames.length).toSorted((a, b) => a - b), frames.length];
      const pieces = places.slice(1).map((to, n) => Buffer.from(frames.subarray(places[n], to)));
      const events = readAll(pieces);
      expect(events).toEqual(readAll([frames]));
      expect(events.at(-1)).toEqual({ ok: true, value: { type: 'BOOKMARK', resourceVersion: '9', endOfList: true } });
      expect(
        events.slice(0, -1).map((event) => event.ok && 'object' in event.value && filled(event.value.object)),
      ).toEqual(all.map((node) => sameAs(node, NODE_FIELDS)));
    }),
    { numRuns: 300 },
  );
});

test('a frame that is much larger than usual is read, and one that cannot be is refused', () => {
  const large = encode(NODE, { metadata: { name: 'n', annotations: { a: 'x'.repeat(2_000_000) } } });
  const frame = frameOf('ADDED', 'Node', large);
  const pieces = Array.from({ length: Math.ceil(frame.length / 16_384) }, (_, n) =>
    frame.subarray(n * 16_384, (n + 1) * 16_384),
  );
  const events = readAll([...pieces, ...pieces]);
  expect(events.map((event) => event.ok && event.value.type)).toEqual(['ADDED', 'ADDED']);
  for (const pieces of [[Buffer.from([255, 0, 0, 0])], [Buffer.from([255]), Buffer.from([0, 0, 0])]]) {
    expect(readAll(pieces)).toMatchObject([{ ok: false, error: { kind: 'Network' } }]);
  }
});

test('410 in a frame says that the version has expired; an unknown event is not passed over', () => {
  const expired = frameOf('ERROR', 'Status', encode(STATUS, { code: 410, reason: 'Expired', message: 'too old' }));
  expect(readAll([expired])).toMatchObject([{ error: { kind: 'Gone', status: 410, message: 'too old' } }]);
  const node = encode(NODE, { metadata: { name: 'n' } });
  expect(readAll([frameOf('RENAMED', 'Node', node)])).toMatchObject([{ error: { kind: 'Unknown' } }]);
  expect(readAll([Buffer.from([0, 0, 0, 0])])).toMatchObject([{ error: { kind: 'Unknown' } }]);
});

test('pieces of anything are events or errors, and nothing is thrown', () => {
  const frame = frameOf('ADDED', 'Node', encode(NODE, { metadata: { name: 'n' } }));
  const changed = fc.tuple(fc.nat({ max: frame.length - 1 }), fc.nat({ max: 255 })).map(([at, value]) => {
    const bytes = Buffer.concat([frame, frame]);
    bytes[at] = value;
    return bytes;
  });
  fc.assert(
    fc.property(fc.array(fc.oneof(fc.uint8Array({ maxLength: 60 }), changed), { maxLength: 10 }), (pieces) => {
      const read = eventReader(WATCH, NODES, SUBJECT);
      for (const piece of pieces) if (read(piece).some((event) => !event.ok)) return;
    }),
    { numRuns: 3_000 },
  );
});
