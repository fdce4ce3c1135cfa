import { expect, test } from '@jest/globals';
import { EventEmitter } from 'node:events';
import { onTermination } from '../../../src/runtime/signals.ts';

class FakeProcess extends EventEmitter {
  readonly exits: number[] = [];
  exit(code: number): void {
    this.exits.push(code);
  }
}

test('the first signal aborts, the second ends the process', () => {
  const source = new FakeProcess();
  const { signal } = onTermination(source);
  expect(signal.aborted).toBe(false);
  source.emit('SIGTERM');
  expect(signal.aborted).toBe(true);
  expect(String(signal.reason)).toContain('SIGTERM');
  expect(source.exits).toEqual([]);
  source.emit('SIGINT');
  expect(source.exits).toEqual([130]);
});

test('SIGINT works alike, and the listeners can be taken away', () => {
  const source = new FakeProcess();
  const { signal, dispose } = onTermination(source);
  source.emit('SIGINT');
  source.emit('SIGTERM');
  expect(signal.aborted).toBe(true);
  expect(source.exits).toEqual([143]);
  dispose();
  expect(source.listenerCount('SIGINT') + source.listenerCount('SIGTERM')).toBe(0);
});
