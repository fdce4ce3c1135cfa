import type { KubeObject } from '../../model/object.ts';
import { err, ok, type Result } from '../../result.ts';
import { Cursor, LENGTH, Malformed } from './cursor.ts';
import { type Decode, decoderOf, type Fields, wholeDecoder } from './decoder.ts';
import { BOOKMARK, LIST_METADATA, shapeOf, STATUS } from './shapes.ts';

/** Asked for first; a server that has no protobuf for a kind (custom ones, or another server's) answers with JSON. */
export const ACCEPT_PROTOBUF = 'application/vnd.kubernetes.protobuf,application/json';

export const isProtobuf = (contentType: string): boolean =>
  contentType.startsWith('application/vnd.kubernetes.protobuf');

export interface Listed {
  readonly items: readonly KubeObject[];
  readonly resourceVersion: string;
  /** The token for the next page; empty: this was the last. */
  readonly next: string;
}

/** One frame of a watch. */
export type Frame =
  | { readonly type: 'ADDED' | 'MODIFIED' | 'DELETED'; readonly object: KubeObject }
  | { readonly type: 'BOOKMARK'; readonly metadata: unknown }
  | { readonly type: 'ERROR'; readonly status: unknown };

/** Reads what a server sends of one kind, as far as it is wanted. The error says what is wrong with the bytes; nothing here throws. */
export interface Format {
  page(bytes: Uint8Array): Result<Listed, string>;
  /** `from` to `to` hold one frame, without its length. */
  frame(bytes: Buffer, from: number, to: number): Result<Frame, string>;
}

interface Wanted {
  readonly apiVersion: string;
  readonly kind: string;
  readonly fields?: readonly string[];
}

/** By these an object is told from others and its versions from each other, so they are always read. */
const IDENTITY = ['name', 'namespace', 'uid', 'resourceVersion'].map((field) => `metadata.${field}`);

/** Null where JSON must do: the whole object is wanted, or a field that is not in the tables. */
export function protobufFormat({ apiVersion, kind, fields }: Wanted): Format | null {
  const shape = shapeOf(apiVersion, kind);
  if (shape === undefined || fields === undefined) return null;
  const decode = decoderOf(shape, [...IDENTITY, ...fields]);
  if (decode === null) return null;
  const objectAt: Decode = (at) => ({ apiVersion, kind, ...decode(at) });
  return {
    page: (bytes) => attempt(() => listed(cursor.over(asBuffer(bytes)), objectAt)),
    frame: (bytes, from, to) => attempt(() => frameAt(cursor.over(bytes, from, to), objectAt)),
  };
}

/** The body of a refusal, in the form that JSON would have; undefined when it is none. */
export function protobufStatus(bytes: Uint8Array): unknown {
  const read = attempt(() => inEnvelope(cursor.over(asBuffer(bytes)), status));
  return read.ok ? read.value : undefined;
}

const status = wholeDecoder(STATUS);
const bookmark = wholeDecoder(BOOKMARK);
const listMetadata = wholeDecoder(LIST_METADATA);

const asBuffer = (bytes: Uint8Array): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** One for all: nothing waits while it reads, and words are shared by all that is read. */
const cursor = new Cursor();

function attempt<T>(read: () => T): Result<T, string> {
  try {
    return ok(read());
  } catch (thrown) {
    if (thrown instanceof Malformed) return err(`it is no protobuf of Kubernetes: ${thrown.message}`);
    throw thrown;
  } finally {
    cursor.release();
  }
}

const [FIELD_1, FIELD_2] = [1 * 8 + LENGTH, 2 * 8 + LENGTH];
const MAGIC = 'k8s\0';

/** Every object travels as `k8s\0` and a `runtime.Unknown`, in whose second field it is. */
function inEnvelope<T>(cursor: Cursor, read: (cursor: Cursor) => T): T {
  if (cursor.raw(MAGIC.length) !== MAGIC) throw new Malformed('the mark at its beginning is missing');
  return inField(cursor, FIELD_2, read, () => {
    throw new Malformed('there is nothing in it');
  });
}

/** Reads the first field of that tag and passes over the others. */
function inField<T>(cursor: Cursor, wanted: number, read: (cursor: Cursor) => T, absent: () => T): T {
  let found: { readonly value: T } | null = null;
  while (cursor.more) {
    const tag = cursor.tag();
    if (tag !== wanted || found !== null) {
      cursor.skip(tag);
      continue;
    }
    const outer = cursor.enter();
    found = { value: read(cursor) };
    cursor.leave(outer);
  }
  return found === null ? absent() : found.value;
}

function listed(cursor: Cursor, objectAt: Decode): Listed {
  return inEnvelope(cursor, () => {
    let metadata: Fields = {};
    const items: KubeObject[] = [];
    while (cursor.more) {
      const tag = cursor.tag();
      if (tag !== FIELD_1 && tag !== FIELD_2) {
        cursor.skip(tag);
        continue;
      }
      const outer = cursor.enter();
      if (tag === FIELD_1) metadata = listMetadata(cursor);
      else items.push(named(objectAt(cursor)));
      cursor.leave(outer);
    }
    const { resourceVersion = '', continue: next = '' } = metadata as { resourceVersion?: string; continue?: string };
    return { items, resourceVersion, next };
  });
}

/** Nothing is without a name; what seems to be is not what was asked for. */
function named(object: Fields): KubeObject {
  const { metadata } = object as { metadata?: { name?: string } };
  if (metadata?.name === undefined) throw new Malformed('an object has no name');
  return object as unknown as KubeObject;
}

/** A `WatchEvent`: its type, then a `RawExtension` with the object in its envelope. */
function frameAt(cursor: Cursor, objectAt: Decode): Frame {
  let type = '';
  let frame: Frame | null = null;
  while (cursor.more) {
    const tag = cursor.tag();
    if (tag === FIELD_1) type = cursor.word();
    else if (tag !== FIELD_2) cursor.skip(tag);
    else {
      const outer = cursor.enter();
      frame = inField(
        cursor,
        FIELD_1,
        () => inEnvelope(cursor, () => contentOf(type, cursor, objectAt)),
        () => null,
      );
      cursor.leave(outer);
    }
  }
  if (frame === null) throw new Malformed('an event has nothing in it');
  return frame;
}

function contentOf(type: string, cursor: Cursor, objectAt: Decode): Frame {
  switch (type) {
    case 'ADDED':
    case 'MODIFIED':
    case 'DELETED':
      return { type, object: named(objectAt(cursor)) };
    case 'BOOKMARK':
      return { type, metadata: bookmark(cursor)['metadata'] };
    case 'ERROR':
      return { type, status: status(cursor) };
    default:
      throw new Malformed('an event is of no known type');
  }
}
