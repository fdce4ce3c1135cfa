import type { Agent } from 'node:http';
import type { RequestOptions } from 'node:https';
import { KubeConfig } from '@kubernetes/client-node';
import { err, ok, type Result } from '../result.ts';
import type { Credentials, TLSMaterial } from './credentials.ts';

/** What a context of kubeconfig files leads to. */
export interface Place {
  readonly credentials: Credentials;
  readonly server: string;
  /** Of the context, `default` where it names none. */
  readonly namespace: string;
  readonly context: string;
}

interface Choice {
  readonly context?: string;
  readonly server?: string;
}

/** Reads kubeconfig files and merges them as kubectl does: the first to say something wins. Throws when one cannot be read. */
export function readKubeconfigs(files: readonly string[], choice: Choice): Result<Place, string> {
  const [first = new KubeConfig(), ...others] = files.map((file) => {
    const config = new KubeConfig();
    config.loadFromFile(file);
    return config;
  });
  for (const other of others) mergeMissing(first, other);
  return chooseContext(first, choice);
}

/** client-node refuses entries of the same name instead. */
function mergeMissing(into: KubeConfig, from: KubeConfig): void {
  into.clusters = union(into.clusters, from.clusters);
  into.users = union(into.users, from.users);
  into.contexts = union(into.contexts, from.contexts);
  if (!into.currentContext) into.setCurrentContext(from.currentContext);
}

const union = <T extends { readonly name: string }>(first: readonly T[], second: readonly T[]): T[] => [
  ...first,
  ...second.filter((entry) => first.every(({ name }) => name !== entry.name)),
];

function chooseContext(config: KubeConfig, choice: Choice): Result<Place, string> {
  const name = choice.context ?? config.getCurrentContext();
  if (!name) return err('the kubeconfig has no current context: choose one with --context');
  const context = config.getContextObject(name);
  if (context === null) {
    const known = config
      .getContexts()
      .map((one) => one.name)
      .join(', ');
    return err(`the kubeconfig has no context ${name} (it has: ${known || 'none'}): choose one with --context`);
  }
  config.setCurrentContext(name);
  const cluster = config.getCurrentCluster();
  if (cluster === null)
    return err(`context ${name} names cluster ${context.cluster}, which the kubeconfig lacks: mend the kubeconfig`);
  if (config.getCurrentUser() === null) {
    return err(`context ${name} names user ${context.user}, which the kubeconfig lacks: mend the kubeconfig`);
  }
  const server = choice.server ?? cluster.server;
  if (server.startsWith('http:') && !cluster.skipTLSVerify)
    return err(
      `cluster ${cluster.name} has a server without TLS, ${server}: everybody on the way could read the token`,
    );
  config.clusters = config.clusters.map((one) => (one.name === cluster.name ? { ...one, server } : one));
  return ok({
    credentials: credentialsOf(config, cluster.proxyUrl !== undefined && cluster.proxyUrl !== ''),
    server,
    namespace: context.namespace ?? 'default',
    context: name,
  });
}

/** All that client-node knows of: tokens, certificates, passwords, OIDC and credential plug-ins; and proxies. */
const credentialsOf = (config: KubeConfig, hasProxy: boolean): Credentials => ({
  async current() {
    const options: RequestOptions = {};
    await config.applyToHTTPSOptions(options);
    const { agent } = options as { agent?: Agent };
    // It makes an agent in any case. One without a proxy would open a new connection for each request.
    return { tls: materialOf(options), headers: headersOf(options), proxy: hasProxy ? (agent ?? null) : null };
  },
});

const MATERIAL = ['ca', 'cert', 'key', 'pfx', 'passphrase', 'servername', 'rejectUnauthorized'] as const;

const materialOf = (options: RequestOptions): TLSMaterial =>
  Object.fromEntries(MATERIAL.flatMap((name) => (options[name] === undefined ? [] : [[name, options[name]]])));

function headersOf(options: RequestOptions): Record<string, string> {
  const basic =
    typeof options.auth === 'string' ? { authorization: `Basic ${Buffer.from(options.auth).toString('base64')}` } : {};
  const named = Object.entries(options.headers ?? {}).map(([name, value]) => [name.toLowerCase(), String(value)]);
  return { ...basic, ...(Object.fromEntries(named) as Record<string, string>) };
}
