import type { Leaf, Shape } from '../../src/kube/protobuf/shapes.ts';

/** What is written of a message beside its fields: anything that a decoder has to pass over. */
export type Noise = () => readonly Buffer[];

const varint = (value: number | bigint): Buffer => {
  const bytes: number[] = [];
  let rest = BigInt.asUintN(64, BigInt(value));
  for (; rest > 127n; rest >>= 7n) bytes.push(Number(rest & 127n) | 128);
  return Buffer.from([...bytes, Number(rest)]);
};

export const numberField = (field: number, value: number): Buffer => Buffer.concat([varint(field * 8), varint(value)]);
export const lengthField = (field: number, value: Buffer): Buffer =>
  Buffer.concat([varint(field * 8 + 2), varint(value.length), value]);
export const textField = (field: number, value: string): Buffer => lengthField(field, Buffer.from(value));
/** Eight or four bytes of no known field. */
export const fixedField = (field: number, bytes: 8 | 4): Buffer =>
  Buffer.concat([varint(field * 8 + (bytes === 8 ? 1 : 5)), Buffer.alloc(bytes, 0xff)]);

/** A message with the fields of a plain object, as a server writes it. */
export function encode(shape: Shape, object: Readonly<Record<string, unknown>>, noise: Noise = () => []): Buffer {
  const fields = Object.entries(shape).flatMap(([name, [number, type]]) =>
    object[name] === undefined ? [] : fieldOf(number, type, object[name], noise),
  );
  return Buffer.concat([...noise(), ...fields, ...noise()]);
}

function fieldOf(number: number, type: Leaf | Shape | readonly [Shape], value: unknown, noise: Noise): Buffer[] {
  if (Array.isArray(type)) {
    return (value as object[]).map((each) =>
      lengthField(number, encode((type as readonly [Shape])[0], { ...each }, noise)),
    );
  }
  if (typeof type !== 'string') return [lengthField(number, encode(type as Shape, { ...(value as object) }, noise))];
  switch (type) {
    case 'flag':
    case 'flag!':
      return [numberField(number, value === true ? 1 : 0)];
    case 'number':
    case 'number!':
      return [numberField(number, value as number)];
    case 'time':
      return [lengthField(number, numberField(1, Date.parse(value as string) / 1000))];
    case 'texts':
      return (value as string[]).map((each) => textField(number, each));
    case 'map':
      return Object.entries(value as Record<string, string>).map(([key, each]) =>
        lengthField(number, Buffer.concat([textField(1, key), textField(2, each)])),
      );
    case 'text':
    case 'text!':
    case 'word':
    case 'word!':
      return [textField(number, value as string)];
  }
}

/** `k8s\0`, then a `runtime.Unknown`. */
export const inEnvelope = (apiVersion: string, kind: string, raw: Buffer): Buffer =>
  Buffer.concat([
    Buffer.from('k8s\0'),
    lengthField(1, Buffer.concat([textField(1, apiVersion), textField(2, kind)])),
    lengthField(2, raw),
    textField(3, ''),
    textField(4, ''),
  ]);

export const listOf = (kind: string, resourceVersion: string, next: string, items: readonly Buffer[]): Buffer =>
  inEnvelope(
    'v1',
    `${kind}List`,
    Buffer.concat([
      lengthField(1, Buffer.concat([textField(1, ''), textField(2, resourceVersion), textField(3, next)])),
      ...items.map((item) => lengthField(2, item)),
    ]),
  );

/** One frame of a watch, with its length before it. */
export function frameOf(type: string, kind: string, raw: Buffer): Buffer {
  const event = Buffer.concat([textField(1, type), lengthField(2, lengthField(1, inEnvelope('v1', kind, raw)))]);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(event.length);
  return Buffer.concat([length, event]);
}
