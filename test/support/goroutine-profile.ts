import { gzipSync } from 'node:zlib';
import type { Goroutines } from '../../src/agent/goroutines.ts';

/** Stacks as Go's pprof writes them: a gzipped protocol buffer. Every function is one location of its own. */
export function goroutineProfile(samples: readonly Goroutines[]): Uint8Array {
  const names = [...new Set(samples.flatMap(({ stack }) => stack))];
  const idOf = (name: string): number => names.indexOf(name) + 1;
  return gzipSync(
    Buffer.concat([
      message(1, Buffer.concat([number(1, 0), number(2, 0)])),
      ...samples.map(({ stack, count }) =>
        message(
          2,
          Buffer.concat([
            message(1, Buffer.concat(stack.map((name) => varint(BigInt(idOf(name)))))),
            message(2, varint(BigInt(count))),
          ]),
        ),
      ),
      ...names.map((name) => message(4, Buffer.concat([number(1, idOf(name)), message(4, number(1, idOf(name)))]))),
      ...names.map((name) => message(5, Buffer.concat([number(1, idOf(name)), number(2, idOf(name))]))),
      message(6, Buffer.alloc(0)),
      ...names.map((name) => message(6, Buffer.from(name))),
      number(9, 1_700_000_000_000_000_000n),
    ]),
  );
}

const message = (field: number, bytes: Uint8Array): Uint8Array =>
  Buffer.concat([varint(BigInt((field << 3) | 2)), varint(BigInt(bytes.length)), bytes]);

const number = (field: number, value: number | bigint): Uint8Array =>
  Buffer.concat([varint(BigInt(field << 3)), varint(BigInt(value))]);

function varint(value: bigint): Uint8Array {
  const bytes: number[] = [];
  let rest = BigInt.asUintN(64, value);
  do {
    bytes.push(Number(rest & 0x7fn) | (rest > 0x7fn ? 0x80 : 0));
    rest >>= 7n;
  } while (rest > 0n);
  return Buffer.from(bytes);
}
