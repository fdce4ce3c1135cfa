import type { Clock, Random } from '../runtime/clock.ts';
import { ok, type Result } from '../result.ts';
import { type KubeClient, kubeClient } from './client.ts';
import { type ConfigOptions, type Environment, loadConfig } from './config.ts';
import { type Connection, openConnection } from './connection.ts';
import type { Place } from './kubeconfig.ts';

interface ConnectOptions extends ConfigOptions {
  /** Of this program, for the user agent. */
  readonly version: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly environment: Environment;
}

export interface Cluster {
  readonly client: KubeClient;
  /** On a connection of its own and with a short time-out, so that nothing delays a renewal. */
  readonly leaseClient: KubeClient;
  readonly server: string;
  readonly context: string;
  readonly namespace: string;
  /**
   * A connection to one API server by its own address (`https://host:port`), as the same user and with its certificate checked by the same CA. To be
   * closed by who opened it.
   */
  readonly direct: (server: string, timeoutMs: number) => Connection;
  close(): Promise<void>;
}

/** Half of the renew deadline of 10 s, as client-go has it: one hanging request must leave time for another. */
const LEASE_TIMEOUT_MS = 5_000;

/** Everything needed to talk to the cluster that the options and the environment name. Nothing is sent yet. */
export async function connect(options: ConnectOptions): Promise<Result<Cluster, string>> {
  const place = await loadConfig(options, options.environment);
  return place.ok ? ok(clusterOf(place.value, options)) : place;
}

export function clusterOf(
  { credentials, server, context, namespace }: Place,
  { clock, random, version }: Pick<ConnectOptions, 'clock' | 'random' | 'version'>,
): Cluster {
  const common = { credentials, server, clock, userAgent: `dualstack-operator/${version}` };
  const connection = openConnection(common);
  const leaseConnection = openConnection({ ...common, timeoutMs: LEASE_TIMEOUT_MS });
  return {
    client: kubeClient({ connection, clock, random }),
    // The election has a rhythm of its own: a retry in between would only hide how long things take.
    leaseClient: kubeClient({ connection: leaseConnection, clock, random, attempts: 1 }),
    server,
    context,
    namespace,
    direct: (one, timeoutMs) => openConnection({ ...common, server: one, timeoutMs }),
    close: async () => {
      await Promise.all([connection.close(), leaseConnection.close()]);
    },
  };
}
