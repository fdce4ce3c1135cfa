import { asString, at, type KubeObject } from '../model/object.ts';
import { err, ok, type Result } from '../result.ts';
import type { KubeError, Subject } from './errors.ts';

export function json(subject: Subject, answer: Result<string, KubeError>): Result<unknown, KubeError> {
  if (!answer.ok) return answer;
  try {
    return ok(JSON.parse(answer.value) as unknown);
  } catch {
    // A proxy or load balancer in between answers with a page of its own.
    return err({
      ...subject,
      kind: 'Unknown',
      message: 'the answer is no JSON: is this address really an API server?',
    });
  }
}

export function object(subject: Subject, answer: Result<unknown, KubeError>): Result<KubeObject, KubeError> {
  if (!answer.ok) return answer;
  const { value } = answer;
  const whole = asString(at(value, 'kind')) !== undefined && asString(at(value, 'metadata', 'name')) !== undefined;
  return whole
    ? ok(value as KubeObject)
    : err({ ...subject, kind: 'Unknown', message: 'the answer is no Kubernetes object' });
}
