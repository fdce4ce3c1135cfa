import { expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import {
  errorFromNetwork,
  errorFromResponse,
  errorText,
  isTransient,
  type KubeErrorKind,
  toOperatorError,
} from '../../../src/kube/errors.ts';
import { status } from '../../support/fake-api.ts';

const subject = { verb: 'get', object: 'ConfigMap kube-system/kube-proxy' };

test.each<[number, string, KubeErrorKind, boolean]>([
  [400, 'BadRequest', 'Invalid', false],
  [401, 'Unauthorized', 'Unauthorized', false],
  [403, 'Forbidden', 'Forbidden', false],
  [404, 'NotFound', 'NotFound', false],
  [409, 'AlreadyExists', 'AlreadyExists', false],
  [409, 'Conflict', 'Conflict', true],
  [410, 'Expired', 'Gone', true],
  [410, 'Gone', 'Gone', true],
  [422, 'Invalid', 'Invalid', false],
  [429, 'TooManyRequests', 'TooManyRequests', true],
  [500, 'InternalError', 'ServerError', true],
  [503, 'ServiceUnavailable', 'ServerError', true],
  [504, 'Timeout', 'Timeout', true],
  [418, '', 'Unknown', false],
])('HTTP %i with reason %s is %s', (code, reason, kind, transient) => {
  const error = errorFromResponse(subject, code, JSON.stringify(status(code, reason, 'that went wrong')), undefined);
  expect(error).toMatchObject({ kind, status: code, message: 'that went wrong', ...subject });
  expect(isTransient(error)).toBe(transient);
  expect(toOperatorError(error).kind).toBe(transient ? 'Transient' : 'Blocked');
});

test('Retry-After comes from the header, else from the Status', () => {
  const body = JSON.stringify(status(429, 'TooManyRequests', 'busy', { retryAfterSeconds: 7 }));
  expect(errorFromResponse(subject, 429, body, '3').retryAfterSeconds).toBe(3);
  expect(errorFromResponse(subject, 429, body, undefined).retryAfterSeconds).toBe(7);
  expect(errorFromResponse(subject, 429, body, 'Wed, 21 Oct 2026 07:28:00 GMT').retryAfterSeconds).toBe(7);
  expect(toOperatorError(errorFromResponse(subject, 429, body, '3'))).toMatchObject({ retryAfterSeconds: 3 });
});

test('the owners of conflicting fields are told, and waiting does not help', () => {
  const causes = [
    { reason: 'FieldManagerConflict', message: 'conflict with "kubectl-edit" using apps/v1', field: '.spec.replicas' },
    { reason: 'FieldValueInvalid', message: 'something else', field: '.spec' },
  ];
  const body = JSON.stringify(status(409, 'Conflict', 'Apply failed with 1 conflict', { causes }));
  const error = errorFromResponse({ verb: 'apply', object: 'DaemonSet a/b' }, 409, body, undefined);
  expect(error.conflicts).toEqual([{ manager: 'kubectl-edit', field: '.spec.replicas' }]);
  expect(isTransient(error)).toBe(false);
});

test('a body that is no Status is shown in one short line', () => {
  const error = errorFromResponse(subject, 502, `<html>\n  bad\n gateway ${'x'.repeat(5000)}`, undefined);
  expect(error).toMatchObject({ kind: 'ServerError', message: expect.stringMatching(/^<html> bad gateway x+$/) });
  expect(error.message.length).toBeLessThan(310);
  expect(errorFromResponse(subject, 500, '', undefined).message).toBe('the server answered with HTTP status 500');
});

test('one sentence names the object, what is wrong and what to do', () => {
  const error = errorFromResponse(subject, 403, JSON.stringify(status(403, 'Forbidden', 'no right')), undefined);
  expect(errorText(error)).toBe(
    'could not get ConfigMap kube-system/kube-proxy: no right (grant this right to the user or service account in use)',
  );
});

const coded = (code: string): Error => Object.assign(new Error('failed'), { code });

test('only what failed before sending is known not to have happened', () => {
  expect(errorFromNetwork(subject, coded('ECONNREFUSED'))).toMatchObject({
    kind: 'Network',
    notSent: true,
    message: 'failed (ECONNREFUSED)',
  });
  expect(errorFromNetwork(subject, coded('ECONNRESET')).notSent).toBeUndefined();
  expect(errorFromNetwork(subject, new AggregateError([coded('ECONNREFUSED'), coded('EHOSTUNREACH')])).notSent).toBe(
    true,
  );
  expect(errorFromNetwork(subject, new TypeError('fetch failed', { cause: coded('ENOTFOUND') })).notSent).toBe(true);
  expect(errorFromNetwork(subject, 'a string').message).toBe('a string');
});

test('whatever a server answers becomes an error with a message of one line', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 400, max: 599 }),
      fc.oneof(fc.string(), fc.json()),
      fc.option(fc.string(), { nil: undefined }),
      (code, body, header) => {
        const error = errorFromResponse(subject, code, body, header);
        expect(error.message).not.toBe('');
        expect(error.message).not.toMatch(/[\r\n]/);
      },
    ),
  );
});
