import { gunzipSync } from 'node:zlib';
import { err, ok } from '../result.ts';
import type { Result } from '../result.ts';

/** Goroutines with one and the same stack. */
export interface Goroutines {
  /** Names of the functions, the innermost first. */
  readonly stack: readonly string[];
  /** How many; in a difference of two moments how many more, which may be negative. */
  readonly count: number;
}

/**
 * What Go's `/debug/pprof/goroutine` answers: a gzipped protocol buffer (github.com/google/pprof, `proto/profile.proto`), of which only samples
 * with their functions' names matter here.
 */
export function parseGoroutines(bytes: Uint8Array): Result<readonly Goroutines[], string> {
  try {
    return ok(readProfile(gunzipSync(bytes)));
  } catch (error) {
    return err(`the profile cannot be read: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** Field numbers of the messages, as `profile.proto` gives them. */
const PROFILE = { sample: 2, location: 4, function: 5, string: 6 } as const;
const SAMPLE = { locations: 1, values: 2 } as const;
const LOCATION = { id: 1, line: 4 } as const;
const LINE = { function: 1 } as const;
const FUNCTION = { id: 1, name: 2 } as const;

function readProfile(bytes: Uint8Array): readonly Goroutines[] {
  const fields = readFields(bytes);
  const strings = chunks(fields, PROFILE.string).map((text) => Buffer.from(text).toString('utf8'));
  const functions = new Map(
    chunks(fields, PROFILE.function).map((chunk) => {
      const inner = readFields(chunk);
      return [first(inner, FUNCTION.id), strings[Number(first(inner, FUNCTION.name))] ?? ''] as const;
    }),
  );
  // A location holds several functions where the compiler inlined some: the innermost comes first, as in the stack.
  const locations = new Map(
    chunks(fields, PROFILE.location).map((chunk) => {
      const inner = readFields(chunk);
      const lines = chunks(inner, LOCATION.line).map((line) => first(readFields(line), LINE.function));
      return [first(inner, LOCATION.id), lines.map((id) => functions.get(id) ?? '')] as const;
    }),
  );
  return chunks(fields, PROFILE.sample).map((chunk) => {
    const inner = readFields(chunk);
    return {
      stack: numbers(inner, SAMPLE.locations).flatMap((id) => locations.get(id) ?? []),
      count: Number(BigInt.asIntN(64, first(inner, SAMPLE.values))),
    };
  });
}

interface Field {
  readonly number: number;
  readonly value: bigint | Uint8Array;
}

const VARINT = 0;
const BYTES = 2;

function readFields(bytes: Uint8Array): readonly Field[] {
  const fields: Field[] = [];
  let at = 0;
  const varint = (): bigint => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = bytes[at];
      if (byte === undefined) throw new Error('it ends too early');
      at += 1;
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
  };
  while (at < bytes.length) {
    const tag = Number(varint());
    const number = tag >> 3;
    switch (tag & 7) {
      case VARINT:
        fields.push({ number, value: varint() });
        break;
      case BYTES: {
        const length = Number(varint());
        if (at + length > bytes.length) throw new Error('it ends too early');
        fields.push({ number, value: bytes.subarray(at, at + length) });
        at += length;
        break;
      }
      default:
        throw new Error(`wire type ${tag & 7} is not expected`);
    }
  }
  return fields;
}

const chunks = (fields: readonly Field[], number: number): readonly Uint8Array[] =>
  fields.flatMap((field) => (field.number === number && typeof field.value !== 'bigint' ? [field.value] : []));

/** Of a repeated number, packed or not. */
const numbers = (fields: readonly Field[], number: number): readonly bigint[] =>
  fields.flatMap((field) => {
    if (field.number !== number) return [];
    return typeof field.value === 'bigint' ? [field.value] : unpack(field.value);
  });

function unpack(bytes: Uint8Array): readonly bigint[] {
  const values: bigint[] = [];
  let value = 0n;
  let shift = 0n;
  for (const byte of bytes) {
    value |= BigInt(byte & 0x7f) << shift;
    shift += 7n;
    if (byte >= 0x80) continue;
    values.push(value);
    value = 0n;
    shift = 0n;
  }
  return values;
}

const first = (fields: readonly Field[], number: number): bigint => numbers(fields, number)[0] ?? 0n;
