import type { Family } from '../net/family.ts';
import { asArray, asString, at } from './object.ts';

/** What one probe pod is asked to try. Times are milliseconds. */
export interface ProbeOrder {
  /** A try that takes longer has failed. */
  readonly timeout: number;
  /** What fails is tried again until then, counted from the start: rules for a new Service take a moment to reach every node. */
  readonly deadline: number;
  readonly tasks: readonly ProbeTask[];
}

export type ProbeTask =
  | {
      readonly do: 'http';
      readonly address: string;
      readonly port: number;
      /** Only this node's server may answer; absent: any. */
      readonly node?: string;
    }
  /** Nothing is sent once it is connected: who answers is somebody else's program. */
  | { readonly do: 'tcp'; readonly address: string; readonly port: number }
  | {
      readonly do: 'dns';
      /** An address, or with a port of its own `192.0.2.1:53` or `[2001:db8::1]:53`. */
      readonly server: string;
      /** Without the cluster's domain, which the pod knows by its own search list. */
      readonly name: string;
      readonly type: 'A' | 'AAAA';
      /** One of these must be in the answer. */
      readonly expect: readonly string[];
    };

/** Why a task failed, from the sight of the pod that tried. */
export const PROBE_FAILURES = {
  Timeout: 'no answer in time',
  Refused: 'the connection was refused',
  Unreachable: 'there is no route to it',
  Reset: 'the connection broke off',
  LargeLost: 'small packets pass and large ones are lost',
  WrongAnswer: 'somebody else answered',
  NoRecord: 'the answer has no such record',
  ServerError: 'the server answered with an error',
  Other: 'it failed for another reason',
} as const;
export type ProbeFailure = keyof typeof PROBE_FAILURES;

export type ProbeResult =
  /** How long connecting and one small request took. */
  { readonly ok: true; readonly microseconds: number } | { readonly ok: false; readonly failure: ProbeFailure };

const CODES: Readonly<Record<ProbeFailure, string>> = {
  Timeout: 't',
  Refused: 'c',
  Unreachable: 'u',
  Reset: 'r',
  LargeLost: 'l',
  WrongAnswer: 'w',
  NoRecord: 'n',
  ServerError: 's',
  Other: 'x',
};
const VERSION = '1';

/**
 * Results in the order of the tasks, as short as can be: they travel in the pod's termination message, of which Kubernetes keeps
 * 4096 bytes, because that needs no connection from the API server to the kubelet as logs do.
 */
export const encodeResults = (results: readonly ProbeResult[]): string =>
  `${VERSION}:${results.map((each) => (each.ok ? each.microseconds.toString(36) : `!${CODES[each.failure]}`)).join(',')}`;

/** Null: not of our making, cut off, or of other tasks. */
export function decodeResults(text: string, count: number): readonly ProbeResult[] | null {
  const [version, body] = text.trim().split(':');
  if (version !== VERSION || body === undefined) return null;
  const results = (body === '' ? [] : body.split(',')).map(decodeResult);
  const whole = results.filter((each) => each !== null);
  return whole.length === count && results.length === count ? whole : null;
}

function decodeResult(text: string): ProbeResult | null {
  if (!text.startsWith('!')) {
    return /^[0-9a-z]+$/u.test(text) ? { ok: true, microseconds: Number.parseInt(text, 36) } : null;
  }
  const found = Object.entries(CODES).find(([, code]) => code === text.slice(1));
  return found === undefined ? null : { ok: false, failure: found[0] as ProbeFailure };
}

/** The paths that packets are sent along. */
export const PROBE_PATHS = {
  PodToPod: 'pod → pod',
  HostToPod: 'host → pod',
  PodToService: 'pod → Service',
  HostToService: 'host → Service',
  NodePort: 'pod → NodePort',
  DNS: 'pod → DNS',
} as const;
export type ProbePath = keyof typeof PROBE_PATHS;

/** A task with what it is for. */
export interface ProbeCheck {
  readonly path: ProbePath;
  readonly family: Family;
  /** Node from which it is tried. */
  readonly source: string;
  /** Node that it goes to; null: to whichever the cluster chooses. */
  readonly target: string | null;
  readonly task: ProbeTask;
}

export interface ProbedCheck extends ProbeCheck {
  readonly result: ProbeResult;
}

/** The program's own image, of which probe pods are made. */
export interface ProbeImage {
  readonly image: string;
  /** As the operator's own container has it; null: Kubernetes' default for the image. */
  readonly pullPolicy: string | null;
  /** Names of Secrets in the operator's namespace. */
  readonly pullSecrets: readonly string[];
}

/** Of a pod's spec: that of its container `operator`, or of the first. Null: it has none. */
export function imageOf(spec: unknown): ProbeImage | null {
  const containers = asArray(at(spec, 'containers'));
  const own = containers.find((container) => at(container, 'name') === 'operator') ?? containers[0];
  const image = asString(at(own, 'image'));
  if (image === undefined) return null;
  return {
    image,
    pullPolicy: asString(at(own, 'imagePullPolicy')) ?? null,
    pullSecrets: asArray(at(spec, 'imagePullSecrets')).flatMap((secret) => asString(at(secret, 'name')) ?? []),
  };
}

/** How far a proof is, for who watches it. */
export interface ProbeProgress {
  /** Servers that run, of so many. */
  readonly servers: readonly [done: number, all: number];
  /** Runners that reported, of so many. */
  readonly runners: readonly [done: number, all: number];
  /** All results so far. */
  readonly probed: readonly ProbedCheck[];
}
