import { asNumber, asString, at, type KubeObject, type ObjectRef } from '../model/object.ts';
import type { Clock, Random } from '../runtime/clock.ts';
import type { Result } from '../result.ts';
import type { KubeClient } from './client.ts';
import type { KubeError } from './errors.ts';
import { microTime } from './micro-time.ts';

export interface ElectionOptions {
  /** On a connection of its own: see `Cluster.leaseClient`. */
  readonly client: Pick<KubeClient, 'get' | 'create' | 'update'>;
  readonly clock: Clock;
  readonly random: Random;
  readonly namespace: string;
  readonly name: string;
  /** Who we are; unique among all candidates, also among restarts of the same pod. */
  readonly identity: string;
  readonly durations?: ElectionDurations;
  readonly onError?: (error: KubeError) => void;
  /** Told who leads, each time that it changes. */
  readonly onLeader?: (identity: string) => void;
}

/** Milliseconds. The leader steps down `renewDeadline` after its last renewal; others wait `leaseDuration`: the gap is the safety. */
interface ElectionDurations {
  readonly leaseDuration: number;
  readonly renewDeadline: number;
  readonly retryPeriod: number;
}

/** What controller-runtime uses, and what people's alerts expect. */
const USUAL_DURATIONS: ElectionDurations = { leaseDuration: 15_000, renewDeadline: 10_000, retryPeriod: 2_000 };

/** `Stopped`: the signal aborted, and the Lease was given back. `Lost`: it could not be renewed in time. `Finished`: the work ended by itself. */
export type ElectionEnd = 'Stopped' | 'Lost' | 'Finished';

/** Candidates that lost a race come back a little apart from each other. */
const RETRY_JITTER = 1.2;

/**
 * Waits until this process is the leader, then runs `work` for as long as it is. The signal that `work` gets aborts when leadership
 * ends for any reason; the promise settles after `work` has. Works like client-go's elector, so both may compete for one Lease:
 * how old another's renewal is, is measured from when *we* first saw it, because clocks of different machines differ.
 */
export async function lead(
  options: ElectionOptions,
  signal: AbortSignal,
  work: (signal: AbortSignal) => Promise<void>,
): Promise<ElectionEnd> {
  const candidate = candidacy(options);
  const { retryPeriod } = options.durations ?? USUAL_DURATIONS;
  if (signal.aborted) return 'Stopped';
  while (!(await candidate.tryOnce())) {
    if (!(await options.clock.sleep(retryPeriod * (1 + RETRY_JITTER * options.random()), signal))) return 'Stopped';
  }

  const leading = new AbortController();
  const stop = (): void => leading.abort();
  if (signal.aborted) stop();
  signal.addEventListener('abort', stop, { once: true });
  let end: ElectionEnd | undefined;
  const settle = (how: ElectionEnd): void => {
    end ??= how;
    leading.abort();
  };
  try {
    const working = work(leading.signal).finally(() => settle(signal.aborted ? 'Stopped' : 'Finished'));
    // Handled below; a failure must not count as unhandled while the last renewal is still on its way.
    working.catch(() => {});
    const kept = await candidate.keep(leading.signal);
    settle(kept ? 'Stopped' : 'Lost');
    await working;
  } finally {
    signal.removeEventListener('abort', stop);
    // Given back only after the work has ended: the next leader may begin at once.
    if (end !== 'Lost') await candidate.release();
  }
  return end ?? 'Stopped';
}

interface Candidacy {
  /** Takes or renews the Lease; true while it is ours. */
  tryOnce(): Promise<boolean>;
  /** Renews until the signal aborts (true), or until the deadline has passed without success (false). */
  keep(signal: AbortSignal): Promise<boolean>;
  release(): Promise<void>;
}

function candidacy(options: ElectionOptions): Candidacy {
  const { client, clock, identity } = options;
  const durations = options.durations ?? USUAL_DURATIONS;
  const ref: ObjectRef = {
    apiVersion: 'coordination.k8s.io/v1',
    kind: 'Lease',
    namespace: options.namespace,
    name: options.name,
  };
  let observed: { readonly lease: KubeObject; readonly at: number } | undefined;

  const observe = (lease: KubeObject): void => {
    const before = observed?.lease;
    const same = JSON.stringify(before?.['spec']) === JSON.stringify(lease['spec']);
    // The same renewal seen again is as old as when it was first seen, but its version may be needed for the next write.
    observed = { lease, at: same && observed !== undefined ? observed.at : clock.monotonic() };
    const holder = holderOf(lease);
    if (holder !== '' && holder !== holderOf(before)) options.onLeader?.(holder);
  };

  const heldByOther = (): boolean => {
    if (observed === undefined) return false;
    const holder = holderOf(observed.lease);
    const seconds = asNumber(at(observed.lease, 'spec', 'leaseDurationSeconds')) ?? durations.leaseDuration / 1000;
    return holder !== '' && holder !== identity && observed.at + seconds * 1000 > clock.monotonic();
  };

  const failed = (error: KubeError): boolean => {
    // Losing a race for the Lease is how an election goes.
    if (error.kind !== 'Conflict' && error.kind !== 'AlreadyExists') options.onError?.(error);
    return false;
  };

  const store = (result: Result<KubeObject, KubeError>): boolean => {
    if (!result.ok) return failed(result.error);
    observe(result.value);
    return true;
  };

  const tryOnce = async (): Promise<boolean> => {
    // Who holds it and saw no other writes straight away: one request per renewal instead of two.
    if (observed !== undefined && holderOf(observed.lease) === identity) {
      const renewed = await client.update(renewal(observed.lease));
      if (renewed.ok) return store(renewed);
    }
    const read = await client.get(ref);
    if (!read.ok) {
      if (read.error.kind !== 'NotFound') return failed(read.error);
      return store(await client.create(firstLease()));
    }
    observe(read.value);
    return heldByOther() ? false : store(await client.update(renewal(read.value)));
  };

  const now = (): string => microTime(clock.now());

  const firstLease = (): KubeObject => ({
    apiVersion: ref.apiVersion,
    kind: ref.kind,
    metadata: { name: options.name, namespace: options.namespace },
    spec: {
      holderIdentity: identity,
      leaseDurationSeconds: durations.leaseDuration / 1000,
      acquireTime: now(),
      renewTime: now(),
      leaseTransitions: 0,
    },
  });

  const renewal = (lease: KubeObject): KubeObject => {
    const mine = holderOf(lease) === identity;
    const spec = at(lease, 'spec') as Record<string, unknown>;
    const transitions = asNumber(at(spec, 'leaseTransitions')) ?? 0;
    return {
      ...lease,
      spec: {
        ...spec,
        holderIdentity: identity,
        leaseDurationSeconds: durations.leaseDuration / 1000,
        acquireTime: mine ? (spec['acquireTime'] ?? now()) : now(),
        renewTime: now(),
        leaseTransitions: mine ? transitions : transitions + 1,
      },
    };
  };

  return {
    tryOnce,
    async keep(signal) {
      let renewedAt = clock.monotonic();
      for (;;) {
        if (!(await clock.sleep(durations.retryPeriod, signal))) return true;
        const before = clock.monotonic();
        const renewed = await untilDeadline(clock, renewedAt + durations.renewDeadline, tryOnce());
        if (signal.aborted) return true;
        // Counted from before the request: that is the latest moment at which the server may have seen it.
        if (renewed) renewedAt = before;
        else if (clock.monotonic() - renewedAt >= durations.renewDeadline) return false;
        else if (observed !== undefined && holderOf(observed.lease) !== identity && heldByOther()) return false;
      }
    },
    async release() {
      if (observed === undefined || holderOf(observed.lease) !== identity) return;
      const spec = at(observed.lease, 'spec') as Record<string, unknown>;
      const released = { ...spec, holderIdentity: '', leaseDurationSeconds: 1, acquireTime: now(), renewTime: now() };
      const result = await client.update({ ...observed.lease, spec: released });
      if (!result.ok) failed(result.error);
    },
  };
}

/** The answer, or false at the deadline: a request that hangs must not keep a leader in office. */
function untilDeadline(clock: Clock, deadline: number, answer: Promise<boolean>): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const timer = clock.setTimeout(() => resolve(false), deadline - clock.monotonic());
    answer.then(resolve, reject).finally(() => timer.cancel());
  });
}

const holderOf = (lease: KubeObject | undefined): string => asString(at(lease, 'spec', 'holderIdentity')) ?? '';
