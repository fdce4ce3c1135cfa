import { expect, test } from '@jest/globals';
import type { ServiceMigration } from '../../../src/model/step.ts';
import { refusalBook } from '../../../src/reconcile/refusals.ts';
import { fakeClock } from '../../support/fake-clock.ts';

const MINUTE = 60_000;

const web: ServiceMigration = {
  namespace: 'shop',
  name: 'web',
  resourceVersion: '7',
  policy: 'PreferDualStack',
  families: ['IPv4', 'IPv6'],
};

test('what was refused is due again after a quarter of an hour, and forgotten after an hour', async () => {
  const clock = fakeClock(0);
  const book = refusalBook(clock);
  expect(book.known()).toEqual({});
  book.note(web, 'no');
  expect(book.known()).toEqual({ 'shop/web': { resourceVersion: '7', why: 'no', isDue: false } });
  await clock.advance(15 * MINUTE);
  expect(book.known()).toMatchObject({ 'shop/web': { isDue: true } });
  book.note({ ...web, resourceVersion: '8' }, 'still no');
  expect(book.known()).toEqual({ 'shop/web': { resourceVersion: '8', why: 'still no', isDue: false } });
  await clock.advance(60 * MINUTE);
  expect(book.known()).toEqual({});
});

test('one that is given its second family again and again is left alone for an hour', async () => {
  const clock = fakeClock(0);
  const book = refusalBook(clock);
  for (let n = 0; n < 4; n += 1) {
    book.given(web);
    await clock.advance(MINUTE);
  }
  expect(book.known()).toEqual({});
  book.given(web);
  const contested = { 'shop/web': { isContested: true, isDue: false, why: expect.stringContaining('5 times') } };
  expect(book.known()).toMatchObject(contested);
  await clock.advance(59 * MINUTE);
  expect(book.known()).toMatchObject(contested);
  await clock.advance(MINUTE);
  expect(book.known()).toEqual({});
  // In a day of coming and going it is none of this.
  for (let n = 0; n < 10; n += 1) {
    book.given(web);
    await clock.advance(20 * MINUTE);
  }
  expect(book.known()).toEqual({});
});
