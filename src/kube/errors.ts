import type { OperatorError } from '../model/outcome.ts';
import { asArray, asNumber, asString, at } from '../model/object.ts';
import { unreachable } from '../result.ts';

/**
 * Why a call to the API server failed. `Gone`: the resourceVersion or list page is too old (410). `Timeout`: no answer in time, so
 * a write may or may not have happened. `Network`: no HTTP answer at all.
 */
export type KubeErrorKind =
  | 'NotFound'
  | 'Conflict'
  | 'AlreadyExists'
  | 'Forbidden'
  | 'Unauthorized'
  | 'Invalid'
  | 'Gone'
  | 'TooManyRequests'
  | 'ServerError'
  | 'Timeout'
  | 'Network'
  | 'Cancelled'
  | 'Unknown';

/** One field that a server-side apply was refused, and who owns it. */
interface FieldConflict {
  readonly manager: string;
  readonly field: string;
}

export interface KubeError {
  readonly kind: KubeErrorKind;
  /** What was tried: `get`, `apply` … */
  readonly verb: string;
  /** On what: `ConfigMap kube-system/kube-proxy`. */
  readonly object: string;
  /** What the server (or the network) said, without headers or bodies. */
  readonly message: string;
  /** HTTP status, where there was an answer. */
  readonly status?: number;
  readonly retryAfterSeconds?: number;
  /** True when the request surely never reached the server, so that even a write may be sent again. */
  readonly notSent?: boolean;
  /** Only of a refused server-side apply: the owners of the fields. */
  readonly conflicts?: readonly FieldConflict[];
}

/** What a failed call was about. */
export interface Subject {
  readonly verb: string;
  readonly object: string;
}

/** True for what may succeed when simply done again later. */
export function isTransient(error: KubeError): boolean {
  switch (error.kind) {
    case 'Conflict':
      // A field of another manager does not free itself.
      return error.conflicts === undefined;
    case 'Gone':
    case 'TooManyRequests':
    case 'ServerError':
    case 'Timeout':
    case 'Network':
    case 'Cancelled':
      return true;
    case 'NotFound':
    case 'AlreadyExists':
    case 'Forbidden':
    case 'Unauthorized':
    case 'Invalid':
    case 'Unknown':
      return false;
    default:
      return unreachable(error.kind);
  }
}

/** One sentence for people: what was tried, on what, what went wrong, what to do. */
export function errorText(error: KubeError): string {
  const hint = hintFor(error);
  return `could not ${error.verb} ${error.object}: ${error.message}${hint === '' ? '' : ` (${hint})`}`;
}

function hintFor(error: KubeError): string {
  switch (error.kind) {
    case 'Forbidden':
      return 'grant this right to the user or service account in use';
    case 'Unauthorized':
      return 'the credentials are missing, wrong or expired: renew them';
    case 'Network':
      return 'check the server address in the kubeconfig and that the API server is up';
    case 'Conflict':
      return error.conflicts === undefined
        ? 'it changed meanwhile: it is read again'
        : 'change it with its owner, or hand the field over';
    case 'NotFound':
    case 'AlreadyExists':
    case 'Invalid':
    case 'Gone':
    case 'TooManyRequests':
    case 'ServerError':
    case 'Timeout':
    case 'Cancelled':
    case 'Unknown':
      return '';
    default:
      return unreachable(error.kind);
  }
}

/** The same error in the words of the loop: what heals by waiting is Transient, all else is Blocked until the cluster changes. */
export function toOperatorError(error: KubeError): OperatorError {
  if (!isTransient(error)) return { kind: 'Blocked', message: errorText(error) };
  return {
    kind: 'Transient',
    message: errorText(error),
    ...(error.retryAfterSeconds === undefined ? {} : { retryAfterSeconds: error.retryAfterSeconds }),
  };
}

/** An answer of 400 or more. The body is usually, but not surely, a `Status` object. */
export function errorFromResponse(
  subject: Subject,
  status: number,
  body: string,
  retryAfterHeader: string | undefined,
): KubeError {
  return errorFromStatus(subject, status, parseOrUndefined(body) ?? body.slice(0, 300), retryAfterHeader);
}

/** A `Status` object, from a response or from an ERROR event of a watch. */
export function errorFromStatus(subject: Subject, code: number, status: unknown, retryAfterHeader?: string): KubeError {
  const reason = asString(at(status, 'reason')) ?? '';
  const message = oneLine(asString(at(status, 'message')) ?? asString(status) ?? '');
  const retryAfterSeconds = secondsOf(retryAfterHeader) ?? asNumber(at(status, 'details', 'retryAfterSeconds'));
  const conflicts = fieldConflicts(status);
  return {
    ...subject,
    kind: kindOf(code, reason),
    status: code,
    message: message === '' ? `the server answered with HTTP status ${code}` : message,
    ...(retryAfterSeconds === undefined ? {} : { retryAfterSeconds }),
    ...(conflicts.length === 0 ? {} : { conflicts }),
  };
}

const oneLine = (text: string): string => text.replaceAll(/\s+/g, ' ').trim();

function kindOf(code: number, reason: string): KubeErrorKind {
  switch (reason) {
    case 'AlreadyExists':
      return 'AlreadyExists';
    case 'Expired':
    case 'Gone':
      return 'Gone';
    case 'Timeout':
      return 'Timeout';
    default:
      return kindOfCode(code);
  }
}

function kindOfCode(code: number): KubeErrorKind {
  switch (code) {
    case 400:
    case 413:
    case 415:
    case 422:
      return 'Invalid';
    case 401:
      return 'Unauthorized';
    case 403:
      return 'Forbidden';
    case 404:
      return 'NotFound';
    case 409:
      return 'Conflict';
    case 410:
      return 'Gone';
    case 429:
      return 'TooManyRequests';
    case 408:
    case 504:
      return 'Timeout';
    default:
      return code >= 500 ? 'ServerError' : 'Unknown';
  }
}

/** The API server says each conflict as a cause: `conflict with "kubectl" using apps/v1`, with the field beside it. */
function fieldConflicts(status: unknown): readonly FieldConflict[] {
  return asArray(at(status, 'details', 'causes'))
    .filter((cause) => at(cause, 'reason') === 'FieldManagerConflict')
    .map((cause) => ({
      manager: /^conflict with "([^"]*)"/.exec(asString(at(cause, 'message')) ?? '')?.[1] ?? 'an unnamed manager',
      field: asString(at(cause, 'field')) ?? '',
    }));
}

/** Retry-After as seconds; the HTTP-date form is not used by Kubernetes. */
function secondsOf(header: string | undefined): number | undefined {
  if (header === undefined || !/^\d{1,6}$/.test(header.trim())) return undefined;
  return Number(header.trim());
}

function parseOrUndefined(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

/** Codes of failures that come before any byte of the request is sent. */
const BEFORE_SENDING = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH']);

/** What the HTTP client threw: refused, reset, name not found, certificate not trusted … */
export function errorFromNetwork(subject: Subject, thrown: unknown): KubeError {
  const cause = innermost(thrown);
  const code = asString(at(cause, 'code')) ?? '';
  const said = cause instanceof Error && cause.message !== '' ? cause.message : String(cause);
  return {
    ...subject,
    kind: 'Network',
    message: code === '' || said.includes(code) ? said : `${said} (${code})`,
    ...(BEFORE_SENDING.has(code) ? { notSent: true } : {}),
  };
}

/** Connecting to several addresses of one name gives an error around several; the first says as much as any. */
function innermost(thrown: unknown): unknown {
  if (thrown instanceof AggregateError && thrown.errors.length > 0) return innermost(thrown.errors[0]);
  if (thrown instanceof Error && thrown.cause instanceof Error) return innermost(thrown.cause);
  return thrown;
}

export const timeoutError = (subject: Subject, timeoutMs: number): KubeError => ({
  ...subject,
  kind: 'Timeout',
  message: `no answer within ${timeoutMs / 1000} s`,
});

/** Nothing was sent. */
export const unreachedError = (subject: Subject, timeoutMs: number): KubeError => ({
  ...subject,
  kind: 'Network',
  message: `no connection to the server within ${timeoutMs / 1000} s`,
  notSent: true,
});

export const cancelledError = (subject: Subject): KubeError => ({
  ...subject,
  kind: 'Cancelled',
  message: 'stopped before it ended',
});
