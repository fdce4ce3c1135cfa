import type { Goroutines } from './goroutines.ts';

/**
 * How a stopping API server (k8s.io/apiserver, `preparedGenericAPIServer.RunWithContext`; before Kubernetes 1.31 `Run`) shows by its goroutines
 * that it has answered everything. At its start it begins some helpers, each a function literal of that method, that wait for the stages of a
 * shutdown; the last of them ends when the last request other than the long-running ones has been answered (`InFlightRequestsDrained`).
 */
const RUN = /\/server\.preparedGenericAPIServer\.Run(?:WithContext)?$/;
const HELPER = /\/server\.preparedGenericAPIServer\.Run(?:WithContext)?\.func\d/;
/** A plain `<-channel` of Go: the function waits in its own body, not in something that it called. */
const RECEIVES = /^runtime\.chanrecv/;

const SERVING = /\.ServeHTTP$|\)\.runHandler$|\)\.handlerDone$|\)\.finishRequest$/;
/** A watch is begun again by its client wherever it was cut. */
const WATCH = /\/endpoints\/handlers\.\(\*WatchServer\)\.Handle/;
/** An aggregated API behind this server: when all else has been answered, what is left there are watches, if nothing was upgraded. */
const AGGREGATED = /kube-aggregator\/pkg\/apiserver\.\(\*proxyHandler\)\.ServeHTTP$/;
const UPGRADED = /\)\.tryUpgrade$/;
const PROFILING = /^net\/http\/pprof\./;
/** Requests that the server itself does not wait for: exec, attach, port-forward, proxy; logs; and answers still on their way out. */
const UNWAITED = [
  /\/endpoints\/handlers\.ConnectResource/,
  UPGRADED,
  /\/responsewriters\.StreamObject$/,
  /\)\.handlerDone$/,
  /\)\.finishRequest$/,
];

/** What a whole picture, taken before the shutdown, shows. */
export interface Before {
  readonly helpers: number;
  readonly unwaited: number;
  /** What serves requests other than watches. */
  readonly requests: readonly Goroutines[];
}

export const beforeShutdown = (picture: readonly Goroutines[]): Before => ({
  helpers: total(picture.filter(isHelper)),
  unwaited: total(picture.filter(isUnwaited)),
  requests: picture.filter(isOtherRequest),
});

type Drained =
  /** Every request has been answered; only watches are left. */
  { readonly is: 'Drained' } | { readonly is: 'Running' } | { readonly is: 'Busy'; readonly why: string };

/**
 * Whether the server has answered everything, from what changed since before the shutdown. `before` was taken shortly before the beginning of
 * `difference` and shortly after: where they differ the larger number counts.
 */
export function judgeDrained(before: readonly Before[], difference: readonly Goroutines[]): Drained {
  const waiting = difference.filter((entry) => runAt(entry) >= 0 && RECEIVES.test(entry.stack[runAt(entry) - 1] ?? ''));
  const elsewhere = difference.filter((entry) => runAt(entry) >= 0 && !waiting.includes(entry));
  if (total(elsewhere.filter(hasCome)) > 0) return { is: 'Busy', why: 'it is at its clean-up' };
  // The main goroutine went on from waiting for the signal to waiting for the end.
  if (!waiting.some(hasCome)) return { is: 'Running' };

  const helpers = most(before, 'helpers') + total(difference.filter(isHelper));
  if (helpers > 0) return { is: 'Busy', why: 'it still answers requests' };
  const others = difference.filter((entry) => hasCome(entry) && isOtherRequest(entry));
  const unwaited = most(before, 'unwaited') + total(difference.filter(isUnwaited));
  return others.length > 0 || unwaited > 0
    ? {
        is: 'Busy',
        why: 'it still serves something that is not a watch: exec, logs, a port-forward or a proxied request',
      }
    : { is: 'Drained' };
}

const HANDLER = /\/endpoints\/handlers\.|\.ServeHTTP$/;
const RUNTIME = /^(?:runtime|sync|internal)\b/;

/** The requests that a stopping server still answers, each as "handler, at the function that it waits in", for a log. */
export function stillAnswered(before: readonly Before[], difference: readonly Goroutines[]): readonly string[] {
  const counts = new Map<string, number>();
  for (const entry of [...(before.at(-1)?.requests ?? []), ...difference.filter(isOtherRequest)]) {
    const name = requestName(entry);
    counts.set(name, (counts.get(name) ?? 0) + entry.count);
  }
  return [...counts].filter(([, count]) => count > 0).map(([name, count]) => `${count} × ${name}`);
}

function requestName({ stack }: Goroutines): string {
  return `${short(stack.find((name) => HANDLER.test(name)))}, at ${short(stack.find((name) => !RUNTIME.test(name)))}`;
}

/** A function's name without the path of its package. */
const short = (name: string | undefined): string => name?.split('/').at(-1) ?? '?';

const total = (entries: readonly Goroutines[]): number => entries.reduce((sum, { count }) => sum + count, 0);
const most = (before: readonly Before[], key: 'helpers' | 'unwaited'): number =>
  Math.max(0, ...before.map((one) => one[key]));
const hasCome = ({ count }: Goroutines): boolean => count > 0;
const runAt = ({ stack }: Goroutines): number => stack.findIndex((name) => RUN.test(name));

const has = ({ stack }: Goroutines, pattern: RegExp): boolean => stack.some((name) => pattern.test(name));
const isHelper = (entry: Goroutines): boolean => has(entry, HELPER);
const isUnwaited = (entry: Goroutines): boolean =>
  UNWAITED.some((pattern) => has(entry, pattern)) && !has(entry, PROFILING);

function isOtherRequest(entry: Goroutines): boolean {
  if (!has(entry, SERVING) || has(entry, WATCH) || has(entry, PROFILING)) return false;
  return !has(entry, AGGREGATED) || has(entry, UPGRADED);
}
