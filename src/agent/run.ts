import { watch as watchFolder } from 'node:fs';
import type { KubeClient } from '../kube/client.ts';
import type { Connection } from '../kube/connection.ts';
import { errorText } from '../kube/errors.ts';
import { err, ok } from '../result.ts';
import type { Result } from '../result.ts';
import type { Clock, Random } from '../runtime/clock.ts';
import type { Logger } from '../runtime/log.ts';
import { hostFiles } from './files.ts';
import type { HostFiles } from './files.ts';
import { makeAskHealth } from './health.ts';
import { STOP_FILE } from './host.ts';
import { K0S_UNIT } from './k0s.ts';
import { readKubeletSetup } from './kubelet.ts';
import { watchOwnNode } from './own-node.ts';
import { makeAlarm, runLoop } from './loop.ts';
import { makePass } from './pass.ts';
import { makeAddressesChanged } from './own-addresses.ts';
import { noInterfaces } from './netfs.ts';
import type { OwnInterfaces } from './netfs.ts';
import { makeShortener, noShortener } from './shorten.ts';
import type { Instance, Shortener } from './shorten.ts';
import { makeRestartService } from './systemd.ts';
import { makeTerminate } from './terminate.ts';
import { WATCH_DEFAULTS } from './watch.ts';
import type { WatchOptions } from './watch.ts';

interface AgentRunOptions {
  /** The Node, and with it the DualStackNode, that this agent serves. */
  readonly nodeName: string;
  /** Folder below which the host's files are seen. */
  readonly hostRoot: string;
  /** How edits are watched; what is left out is as in `WATCH_DEFAULTS`. */
  readonly watch?: Partial<WatchOptions>;
}

interface AgentRunDeps {
  readonly client: KubeClient;
  /** A connection to one API server by its own address. Without it an API server's old process always ends by itself. */
  readonly direct?: (server: string, timeoutMs: number) => Connection;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  /** Where this program runs in the host's network namespace. */
  readonly interfaces?: OwnInterfaces;
  /** Where an address of the host is to be dialled, if not there. */
  readonly mapAddress?: (host: string) => string;
}

interface Agent {
  /** Until the signal. It never gives up: an agent that is away cannot undo. */
  run(signal: AbortSignal): Promise<void>;
  /** For the liveness probe: undefined while the loop turns. */
  problem(): string | undefined;
}

/** A loop that has not turned for this long hangs. */
const STUCK_MS = 120_000;
const KUBELET_UNIT = 'kubelet.service';

export function createAgent(options: AgentRunOptions, deps: AgentRunDeps): Agent {
  const { clock, log } = deps;
  const files = hostFiles(options.hostRoot);
  const alarm = makeAlarm(clock);
  const node = watchOwnNode({ ...deps, nodeName: options.nodeName, onChange: alarm.ring });
  const interfaces = deps.interfaces ?? noInterfaces;
  const addressesChanged = makeAddressesChanged(files, interfaces);
  const pass = makePass({
    files,
    node,
    ask: makeAskHealth(deps.mapAddress === undefined ? {} : { mapAddress: deps.mapAddress }),
    interfaces,
    restart: { kubelet: makeRestartService(files, KUBELET_UNIT), k0s: makeRestartService(files, K0S_UNIT) },
    shortener: shortenerFor(files, deps),
    pause: (milliseconds) => clock.sleep(milliseconds),
    now: () => clock.now(),
    options: { ...WATCH_DEFAULTS, ...options.watch },
    log: (message, detail) => log.info(message, detail),
  });
  let turnedAt = clock.monotonic();

  return {
    problem: () => (clock.monotonic() - turnedAt > STUCK_MS ? 'the agent hangs' : undefined),
    async run(signal) {
      const watching = node.run(signal);
      const folders = watchFolders(files, alarm.ring, signal);
      const turn = (): void => {
        turnedAt = clock.monotonic();
      };
      await runLoop({ pass, alarm, addressesChanged, clock, log, onTurn: turn }, signal);
      folders();
      await watching;
    },
  };
}

/** Longer than the kubelet lets an old API server live: its answers come until then. */
const DIRECT_TIMEOUT_MS = 40_000;

function shortenerFor(files: HostFiles, deps: AgentRunDeps): Shortener {
  const { clock, log, direct, mapAddress } = deps;
  if (direct === undefined) return noShortener;
  const open = (server: string): Instance => {
    const connection = direct(mapAddress === undefined ? server : mapped(server, mapAddress), DIRECT_TIMEOUT_MS);
    return { close: () => connection.close(), get: (path, signal) => wholeAnswer(connection, path, signal) };
  };
  const terminate = makeTerminate(files, process.pid, (pid, name) => process.kill(pid, name));
  return makeShortener({ files, clock, open, terminate, log: (message, detail) => log.info(message, detail) });
}

async function wholeAnswer(
  connection: Connection,
  path: string,
  signal: AbortSignal,
): Promise<Result<Uint8Array, string>> {
  const subject = { verb: 'get', object: path };
  const opened = await connection.open({ method: 'GET', path, subject, accept: '*/*', signal });
  if (!opened.ok) return err(errorText(opened.error));
  try {
    const chunks: Uint8Array[] = [];
    await opened.value.read((chunk) => chunks.push(Buffer.from(chunk)));
    return ok(Buffer.concat(chunks));
  } catch (error) {
    return err(`its answer was cut: ${error instanceof Error ? error.message : String(error)}`);
  }
}

function mapped(server: string, mapAddress: (host: string) => string): string {
  const { hostname, port } = new URL(server);
  return `https://${mapAddress(hostname.replace(/^\[(.*)\]$/, '$1'))}:${port}`;
}

/** Rings when a manifest or the stop file changes. Only a shortcut: the loop looks by itself, so failures do not matter. */
function watchFolders(files: HostFiles, ring: () => void, signal: AbortSignal): () => void {
  const stopFolder = STOP_FILE.slice(0, STOP_FILE.lastIndexOf('/'));
  const watchers = [readManifestFolder(files), stopFolder].flatMap((folder) => {
    try {
      const watcher = watchFolder(files.onDisk(folder), { persistent: false, signal }, ring);
      watcher.on('error', () => undefined);
      return [watcher];
    } catch {
      return [];
    }
  });
  return () => {
    for (const watcher of watchers) watcher.close();
  };
}

function readManifestFolder(files: HostFiles): string {
  try {
    return readKubeletSetup(files).manifestFolder;
  } catch {
    return '/etc/kubernetes/manifests';
  }
}
