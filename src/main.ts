import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { text as readAll } from 'node:stream/consumers';
import { NAMESPACE } from './api/names.ts';
import { runCli } from './cli/program.ts';
import type { AgentOptions, LogOptions, OperatorOptions, ServeProbeOptions } from './cli/dependencies.ts';
import { EXIT, type ExitCode } from './cli/exit-code.ts';
import type { Connection } from './cli/session.ts';
import type { Terminal } from './cli/terminal.ts';
import { writeFiles } from './cli/write-files.ts';
import type { KubeClient } from './kube/client.ts';
import { type Cluster, connect } from './kube/connect.ts';
import type { Connectivity } from './model/connectivity.ts';
import type { ProbeProgress } from './model/probe.ts';
import type { ProbePlan } from './model/step.ts';
import type { ImageHints } from './reconcile/probe-image.ts';
import { type Clock, systemClock } from './runtime/clock.ts';
import type { Logger } from './runtime/log.ts';
import { onTermination } from './runtime/signals.ts';
import { err, type Result } from './result.ts';
import { VERSION } from './version.ts';

const clock: Clock = systemClock;
const random = Math.random;
const shortId = (): string => randomBytes(4).toString('hex');

const termination = onTermination({
  on: (signal, listener) => process.on(signal, listener),
  off: (signal, listener) => process.off(signal, listener),
  exit: (code) => process.exit(code),
});

/** Aborts when nobody reads what is printed any longer: `kubectl dualstack nodes --watch | head`. */
const unread = new AbortController();
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  unread.abort();
});
const commandEnd = AbortSignal.any([termination.signal, unread.signal]);

const terminal: Terminal = {
  write: (text) => void process.stdout.write(text),
  complain: (text) => void process.stderr.write(text),
  interactive: process.stdout.isTTY,
  size: () => (process.stdout.isTTY ? { columns: process.stdout.columns, rows: process.stdout.rows } : null),
  environment: process.env,
};

// The exit code is set, not forced: what is still being written to a pipe gets there.
process.exitCode = await runCli(process.argv.slice(2), {
  connect: async (connection) => {
    const { openSession } = await import('./cli/cluster-session.ts');
    const cluster = await connectTo(connection);
    return openSession(cluster, { clock, signal: commandEnd, random, provePackets: proveByCommand });
  },
  terminal,
  readText: (file) => (file === '-' ? readAll(process.stdin) : readFile(file, 'utf8')),
  writeFiles,
  now: () => clock.now(),
  everySecond: (run, signal) => {
    const timer = setInterval(run, 1000);
    signal.addEventListener('abort', () => clearInterval(timer), { once: true });
  },
  signal: commandEnd,
  runOperator: startOperator,
  runAgent: startAgent,
  serveProbe: startProbeServer,
  runProbe: startProbe,
});
termination.dispose();

function connectTo(connection: Connection): Promise<Result<Cluster, string>> {
  return connect({ ...connection, version: VERSION, clock, random, environment: process.env });
}

async function startOperator(options: OperatorOptions): Promise<ExitCode> {
  const [{ runOperator }, { createMetrics }, log] = await Promise.all([
    import('./reconcile/operator.ts'),
    import('./runtime/metrics.ts'),
    loggerFor(options),
  ]);
  const cluster = await connectTo(options);
  if (!cluster.ok) return failed(log, cluster.error);
  try {
    const ended = await runOperator(
      {
        identity: `${hostname()}_${shortId()}`,
        namespace: NAMESPACE,
        metricsAddress: options.metricsBindAddress,
        probeAddress: options.healthProbeBindAddress,
        leaderElect: options.leaderElect,
        image: { flag: options.probeImage, ownPod: ownPod(process.env) },
      },
      { cluster: cluster.value, clock, random, log, metrics: createMetrics(clock), newId: shortId },
      termination.signal,
    );
    if (ended.ok) return EXIT.OK;
    endAnyway();
    return failed(log, ended.error);
  } finally {
    await cluster.value.close();
  }
}

/** With the user's own rights; what is left of it after a kill goes with the operator's next proof. */
async function proveByCommand(
  client: KubeClient,
  probe: ProbePlan,
  onProgress: (progress: ProbeProgress) => void,
): Promise<Result<Connectivity, string>> {
  const { provePackets } = await import('./apply/prove-packets.ts');
  const deps = {
    client,
    clock,
    namespace: NAMESPACE,
    suffix: shortId(),
    by: 'command',
    signal: commandEnd,
  } as const;
  const proven = await provePackets({ probe, fingerprint: '', failedBefore: 0 }, { ...deps, onProgress });
  return proven.ok ? proven : err(proven.error.message);
}

async function startProbeServer({ port }: ServeProbeOptions): Promise<ExitCode> {
  const { serveUntil } = await import('./probe/program.ts');
  const ended = await serveUntil(port, process.env, termination.signal, (listening) =>
    terminal.write(`${JSON.stringify({ listening })}\n`),
  );
  if (ended.ok) return EXIT.OK;
  terminal.complain(`Error: ${ended.error}\n`);
  return EXIT.Error;
}

async function startProbe(): Promise<ExitCode> {
  const { runOrder } = await import('./probe/program.ts');
  const line = await runOrder(process.env, { clock, newId: shortId });
  if (!line.ok) {
    terminal.complain(`Error: ${line.error}\n`);
    return EXIT.Usage;
  }
  terminal.write(`${line.value}\n`);
  return EXIT.OK;
}

/** As the downward API tells it; null: this is no pod. */
function ownPod({ POD_NAME: name, POD_NAMESPACE: namespace }: NodeJS.ProcessEnv): ImageHints['ownPod'] {
  return name === undefined || namespace === undefined ? null : { name, namespace };
}

/** Work that hangs may hold the process for ever, and the next leader must not have it beside itself. */
function endAnyway(): void {
  setTimeout(() => process.exit(EXIT.Error), 5_000).unref();
}

async function startAgent(options: AgentOptions): Promise<ExitCode> {
  const [{ createAgent }, { ownInterfaces }, { createMetrics }, { startStatusServer }, logger] = await Promise.all([
    import('./agent/run.ts'),
    import('./agent/netfs.ts'),
    import('./runtime/metrics.ts'),
    import('./runtime/http.ts'),
    loggerFor(options),
  ]);
  const log = logger.child({ node: options.nodeName });
  const cluster = await connectTo(options);
  if (!cluster.ok) return failed(log, cluster.error);
  const agent = createAgent(
    {
      nodeName: options.nodeName,
      hostRoot: options.hostRoot,
      watch: { undoAfterMs: options.undoAfterSeconds * 1000 },
    },
    { client: cluster.value.client, direct: cluster.value.direct, interfaces: ownInterfaces, clock, random, log },
  );
  const server = await startStatusServer({
    listen: options.healthProbeBindAddress,
    registry: createMetrics(clock).registry,
    live: { loop: () => agent.problem() },
    ready: { loop: () => agent.problem() },
  });
  if (!server.ok) return failed(log, server.error);
  try {
    await agent.run(termination.signal);
    return EXIT.OK;
  } finally {
    await server.value.close();
    await cluster.value.close();
  }
}

/** Text for a person who runs it by hand, JSON for everything that collects logs. */
async function loggerFor(options: LogOptions): Promise<Logger> {
  const { createLogger } = await import('./runtime/log.ts');
  return createLogger({
    level: options.logLevel,
    format: process.stderr.isTTY ? 'text' : 'json',
    sink: process.stderr,
    now: () => clock.now(),
  });
}

function failed(log: Logger, message: string): ExitCode {
  log.error(message);
  return EXIT.Error;
}
