import { expect, test } from '@jest/globals';
import type { Dispatcher } from 'undici';
import { exchange } from '../../../src/kube/exchange.ts';

type Handler = Dispatcher.DispatchHandler;

/** A dispatcher that connects when the test says so. */
function connecting() {
  const handlers: Handler[] = [];
  const dispatch = (_: Dispatcher.DispatchOptions, handler: Handler): boolean => handlers.push(handler) > 0;
  return { dispatcher: { dispatch } as Dispatcher, handlers };
}

const OPTIONS = { path: '/', method: 'GET' } as const;

test('the signal ends a request whose connection is not made yet, and what connects later is aborted at once', async () => {
  const { dispatcher, handlers } = connecting();
  const ending = new AbortController();
  const asked = exchange(dispatcher, OPTIONS, ending.signal);
  ending.abort();
  await expect(asked).rejects.toThrow('aborted');

  const reasons: Error[] = [];
  const abort = (reason: Error): void => void reasons.push(reason);
  handlers[0]?.onRequestStart?.({ abort } as unknown as Dispatcher.DispatchController, {});
  expect(reasons).toHaveLength(1);
});

test('nothing is sent where the signal came before', async () => {
  const { dispatcher, handlers } = connecting();
  await expect(exchange(dispatcher, OPTIONS, AbortSignal.abort())).rejects.toThrow('aborted');
  expect(handlers).toEqual([]);
});
