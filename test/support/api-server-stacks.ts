import type { Goroutines } from '../../src/agent/goroutines.ts';

/** Stacks of a real kube-apiserver 1.36, shortened in the middle. */
const WAITS = ['runtime.gopark', 'runtime.chanrecv', 'runtime.chanrecv1'];
const RUN = 'k8s.io/apiserver/pkg/server.preparedGenericAPIServer.RunWithContext';
const CALLERS = ['k8s.io/kube-aggregator/pkg/apiserver.preparedAPIAggregator.Run', 'main.main', 'runtime.main'];
const HANDLERS = [
  'net/http.HandlerFunc.ServeHTTP',
  'k8s.io/apiserver/pkg/server/filters.(*timeoutHandler).ServeHTTP',
  'k8s.io/apiserver/pkg/server.(*APIServerHandler).ServeHTTP',
  'net/http.serverHandler.ServeHTTP',
];
const HTTP1 = [...HANDLERS, 'net/http.(*conn).serve'];
const HTTP2 = [...HANDLERS, 'net/http.(*http2serverConn).runHandler'];

export const stacks = {
  /** The main goroutine, waiting: for the signal, and later for the end. */
  main: [...WAITS, RUN, ...CALLERS],
  mainInHooks: [
    'runtime.gopark',
    'net/http.(*Client).Do',
    'k8s.io/apiserver/pkg/server.(*GenericAPIServer).RunPreShutdownHooks',
    RUN,
    ...CALLERS,
  ],
  mainInAudit: [...WAITS, 'k8s.io/apiserver/plugin/pkg/audit/buffered.(*bufferedBackend).Shutdown', RUN, ...CALLERS],
  helper: (n: number) => [...WAITS, `${RUN}.func${n}`],
  waitsForRequests: (n: number) => [
    'runtime.gopark',
    'sync.(*WaitGroup).Wait',
    'k8s.io/apimachinery/pkg/util/waitgroup.(*SafeWaitGroup).Wait',
    `${RUN}.func${n}`,
  ],
  watch: [
    'runtime.gopark',
    'runtime.selectgo',
    'k8s.io/apiserver/pkg/endpoints/handlers.(*WatchServer).HandleHTTP',
    ...HTTP2,
  ],
  list: ['runtime.gopark', 'runtime.selectgo', 'k8s.io/apiserver/pkg/endpoints/handlers.ListResource.func1', ...HTTP2],
  exec: [
    'runtime.gopark',
    'io.Copy',
    'k8s.io/apimachinery/pkg/util/proxy.(*UpgradeAwareHandler).tryUpgrade',
    'k8s.io/apimachinery/pkg/util/proxy.(*UpgradeAwareHandler).ServeHTTP',
    'k8s.io/apiserver/pkg/endpoints/handlers.ConnectResource.func1.1',
    ...HTTP1,
  ],
  logs: [
    'internal/poll.runtime_pollWait',
    'io.Copy',
    'k8s.io/apiserver/pkg/endpoints/handlers/responsewriters.StreamObject',
    ...HTTP1,
  ],
  aggregatedWatch: [
    'internal/poll.runtime_pollWait',
    'net/http/httputil.(*ReverseProxy).ServeHTTP',
    'k8s.io/apimachinery/pkg/util/proxy.(*UpgradeAwareHandler).ServeHTTP',
    'k8s.io/kube-aggregator/pkg/apiserver.(*proxyHandler).ServeHTTP',
    ...HTTP2,
  ],
  aggregatedConsole: [
    'runtime.gopark',
    'k8s.io/apimachinery/pkg/util/proxy.(*UpgradeAwareHandler).tryUpgrade',
    'k8s.io/apimachinery/pkg/util/proxy.(*UpgradeAwareHandler).ServeHTTP',
    'k8s.io/kube-aggregator/pkg/apiserver.(*proxyHandler).ServeHTTP',
    ...HTTP1,
  ],
  lastBytes: [
    'runtime.gopark',
    'net/http.(*http2serverConn).writeDataFromHandler',
    'net/http.(*http2responseWriter).handlerDone',
    'net/http.(*http2serverConn).runHandler',
  ],
  lastBytesHttp1: [
    'internal/poll.runtime_pollWait',
    'bufio.(*Writer).Flush',
    'net/http.(*response).finishRequest',
    'net/http.(*conn).serve',
  ],
  delayed: [
    'runtime.gopark',
    'runtime.selectgo',
    'net/http/pprof.handler.serveDeltaProfile',
    'net/http/pprof.handler.ServeHTTP',
    ...HTTP1,
  ],
} as const satisfies Record<string, readonly string[] | ((n: number) => readonly string[])>;

export const HELPERS = [3, 4, 5, 6, 7, 8, 9];

const some = (count: number, stack: readonly string[]): Goroutines => ({ stack, count });

/** A server at work, with so many other goroutines. */
export const atWork = (...more: readonly Goroutines[]): readonly Goroutines[] => [
  some(1, stacks.main),
  ...HELPERS.map((n) => some(1, stacks.helper(n))),
  some(40, stacks.watch),
  ...more,
];

/**
 * What has changed since then in one that has answered everything: the helpers have ended, the main goroutine has moved on. It was and is within
 * the same function, on another line.
 */
export const drained = (...more: readonly Goroutines[]): readonly Goroutines[] => [
  some(-1, stacks.main),
  some(1, stacks.main),
  ...HELPERS.map((n) => some(-1, stacks.helper(n))),
  some(-3, stacks.list),
  some(-2, stacks.watch),
  some(2, stacks.delayed),
  ...more,
];

export { some };
