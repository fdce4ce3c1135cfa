import { type Cursor, LENGTH, Malformed, VARINT } from './cursor.ts';
import type { Leaf, Shape } from './shapes.ts';

export type Fields = Record<string, unknown>;
export type Decode = (cursor: Cursor) => Fields;

/** Reads the field that the cursor stands at and adds it. */
type Take = (cursor: Cursor, into: Fields) => void;

interface Slot {
  readonly tag: number;
  readonly take: Take;
}

/** What is wanted of a message: all of it, or these fields. */
type Wanted = 'all' | ReadonlyMap<string, Wanted>;

/**
 * A decoder for the wanted fields: dotted paths, without the places in lists. A path that ends at a message means all of its shape. What else
 * is written is passed over by its length. Null when the shape knows one of the paths not.
 */
export function decoderOf(shape: Shape, paths: readonly string[]): Decode | null {
  const wanted = new Map<string, Wanted>();
  for (const path of paths) {
    if (!knows(shape, path.split('.'))) return null;
    want(wanted, path.split('.'));
  }
  return compile(shape, wanted);
}

export const wholeDecoder = (shape: Shape): Decode => compile(shape, 'all');

function knows(shape: Shape, [first = '', ...rest]: readonly string[]): boolean {
  const field = Object.hasOwn(shape, first) ? shape[first] : undefined;
  if (field === undefined) return false;
  const inner = messageOf(field[1]);
  return rest.length === 0 || (inner !== null && knows(inner, rest));
}

function want(wanted: Map<string, Wanted>, [first = '', ...rest]: readonly string[]): void {
  const before = wanted.get(first);
  if (before === 'all') return;
  if (rest.length === 0) {
    wanted.set(first, 'all');
    return;
  }
  const inner = new Map(before);
  want(inner, rest);
  wanted.set(first, inner);
}

const messageOf = (type: Leaf | Shape | readonly [Shape]): Shape | null => {
  if (typeof type === 'string') return null;
  return isList(type) ? type[0] : type;
};
const isList = (type: Shape | readonly [Shape]): type is readonly [Shape] => Array.isArray(type);

function compile(shape: Shape, wanted: Wanted): Decode {
  const slots: (Slot | undefined)[] = [];
  for (const [name, [number, type]] of Object.entries(shape)) {
    const inner = wanted === 'all' ? 'all' : wanted.get(name);
    if (inner !== undefined) slots[number] = slotOf(name, number, type, inner);
  }
  return (cursor) => {
    const fields: Fields = {};
    while (cursor.more) {
      const tag = cursor.tag();
      const slot = slots[tag >>> 3];
      if (slot === undefined) cursor.skip(tag);
      else if (slot.tag === tag) slot.take(cursor, fields);
      else throw new Malformed('a field is not written as its type asks for');
    }
    return fields;
  };
}

function slotOf(name: string, number: number, type: Leaf | Shape | readonly [Shape], wanted: Wanted): Slot {
  if (typeof type === 'string') {
    const isNumeric = type === 'flag' || type === 'flag!' || type === 'number' || type === 'number!';
    return { tag: number * 8 + (isNumeric ? VARINT : LENGTH), take: leafTaker(name, type) };
  }
  const decode = compile(isList(type) ? type[0] : type, wanted);
  return { tag: number * 8 + LENGTH, take: isList(type) ? listTaker(name, decode) : messageTaker(name, decode) };
}

const messageTaker =
  (name: string, decode: Decode): Take =>
  (cursor, into) => {
    const outer = cursor.enter();
    into[name] = decode(cursor);
    cursor.leave(outer);
  };

const listTaker =
  (name: string, decode: Decode): Take =>
  (cursor, into) => {
    const outer = cursor.enter();
    listAt(into, name).push(decode(cursor));
    cursor.leave(outer);
  };

function leafTaker(name: string, type: Leaf): Take {
  switch (type) {
    case 'text':
    case 'word':
      return (cursor, into) => {
        const text = type === 'text' ? cursor.text() : cursor.word();
        if (text !== '') into[name] = text;
      };
    case 'text!':
      return (cursor, into) => {
        into[name] = cursor.text();
      };
    case 'word!':
      return (cursor, into) => {
        into[name] = cursor.word();
      };
    case 'flag':
      return (cursor, into) => {
        if (cursor.varint() !== 0) into[name] = true;
      };
    case 'flag!':
      return (cursor, into) => {
        into[name] = cursor.varint() !== 0;
      };
    case 'number':
      return (cursor, into) => {
        const number = cursor.int();
        if (number !== 0) into[name] = number;
      };
    case 'number!':
      return (cursor, into) => {
        into[name] = cursor.int();
      };
    case 'time':
      return (cursor, into) => {
        const time = timeOf(cursor);
        if (time !== null) into[name] = time;
      };
    case 'texts':
      return (cursor, into) => {
        listAt(into, name).push(cursor.text());
      };
    case 'map':
      return (cursor, into) => takeEntry(cursor, mapAt(into, name));
  }
}

function listAt(into: Fields, name: string): unknown[] {
  const list = (into[name] as unknown[] | undefined) ?? [];
  into[name] = list;
  return list;
}

function mapAt(into: Fields, name: string): Fields {
  const map = (into[name] as Fields | undefined) ?? {};
  into[name] = map;
  return map;
}

const KEY = 1 * 8 + LENGTH;
const VALUE = 2 * 8 + LENGTH;

function takeEntry(cursor: Cursor, map: Fields): void {
  const outer = cursor.enter();
  let key = '';
  let value = '';
  while (cursor.more) {
    const tag = cursor.tag();
    if (tag === KEY) key = cursor.word();
    else if (tag === VALUE) value = cursor.word();
    else cursor.skip(tag);
  }
  cursor.leave(outer);
  map[key] = value;
}

const SECONDS = 1 * 8 + VARINT;
/** The years 1 to 9999, beyond which RFC 3339 has no word. */
const EARLIEST_S = -62_135_596_800;
const LATEST_S = 253_402_300_799;

/** As JSON has it, in whole seconds; an empty one is no time at all. */
function timeOf(cursor: Cursor): string | null {
  const outer = cursor.enter();
  const isEmpty = !cursor.more;
  let seconds = 0;
  while (cursor.more) {
    const tag = cursor.tag();
    if (tag === SECONDS) seconds = cursor.int();
    else cursor.skip(tag);
  }
  cursor.leave(outer);
  if (isEmpty) return null;
  if (seconds < EARLIEST_S || seconds > LATEST_S) throw new Malformed('a time is out of range');
  return `${new Date(seconds * 1000).toISOString().slice(0, 19)}Z`;
}
