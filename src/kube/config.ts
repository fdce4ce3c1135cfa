import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import { KubeConfig } from '@kubernetes/client-node';
import { err, ok, type Result } from '../result.ts';

export interface ConfigOptions {
  /** A kubeconfig file; comes before every other place. */
  readonly kubeconfig?: string;
  /** A context in it, instead of the current one. */
  readonly context?: string;
  /** Talk to this API server instead of the one in the kubeconfig (its certificate is still checked with the same CA). */
  readonly server?: string;
}

/** What of the process environment is looked at. */
export type Environment = Readonly<Record<string, string | undefined>>;

export interface LoadedConfig {
  readonly config: KubeConfig;
  readonly server: string;
  /** Of the context, `default` where it names none. */
  readonly namespace: string;
  readonly context: string;
}

const SERVICE_ACCOUNT_TOKEN = '/var/run/secrets/kubernetes.io/serviceaccount/token';

/**
 * Where the cluster is and who we are, from the first of: the given file, `KUBECONFIG`, `~/.kube/config`, the pod's service
 * account. That is kubectl's order, so that both talk to the same cluster. The error is one sentence that says what to do.
 */
export function loadConfig(options: ConfigOptions, environment: Environment): Result<LoadedConfig, string> {
  try {
    const config = fromFirstPlace(options, environment);
    if (!config.ok) return config;
    return chooseContext(config.value, options);
  } catch (thrown) {
    const said = thrown instanceof Error ? thrown.message : String(thrown);
    return err(`the kubeconfig cannot be read: ${said}. Give another one with --kubeconfig`);
  }
}

function fromFirstPlace(options: ConfigOptions, environment: Environment): Result<KubeConfig, string> {
  if (options.kubeconfig !== undefined) {
    if (!existsSync(options.kubeconfig))
      return err(`the kubeconfig ${options.kubeconfig} does not exist: check --kubeconfig`);
    return ok(fromFiles([options.kubeconfig]));
  }
  const listed = (environment['KUBECONFIG'] ?? '').split(delimiter).filter((file) => file !== '');
  const candidates = listed.length > 0 ? listed : [join(environment['HOME'] ?? homedir(), '.kube', 'config')];
  // Like kubectl: files of the list that do not exist are passed over.
  const files = candidates.filter((file) => existsSync(file));
  if (files.length > 0) return ok(fromFiles(files));
  if (listed.length > 0)
    return err(`no file named in KUBECONFIG exists (${listed.join(', ')}): mend KUBECONFIG or give --kubeconfig`);
  if (environment['KUBERNETES_SERVICE_HOST'] !== undefined && existsSync(SERVICE_ACCOUNT_TOKEN)) {
    const config = new KubeConfig();
    config.loadFromCluster();
    return ok(config);
  }
  return err('there is no kubeconfig and this is no pod: give --kubeconfig or set KUBECONFIG');
}

function fromFiles(files: readonly string[]): KubeConfig {
  const [first, ...others] = files.map((file) => {
    const config = new KubeConfig();
    config.loadFromFile(file);
    return config;
  });
  if (first === undefined) return new KubeConfig();
  for (const other of others) mergeMissing(first, other);
  return first;
}

/** As kubectl merges: the first to say something wins. client-node refuses entries of the same name instead. */
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

function chooseContext(config: KubeConfig, options: ConfigOptions): Result<LoadedConfig, string> {
  const name = options.context ?? config.getCurrentContext();
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
  const server = options.server ?? cluster.server;
  config.clusters = config.clusters.map((one) => (one.name === cluster.name ? { ...one, server } : one));
  return ok({ config, server, namespace: context.namespace ?? 'default', context: name });
}
