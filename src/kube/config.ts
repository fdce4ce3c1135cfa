import { existsSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import { err, ok, type Result } from '../result.ts';
import type { Place } from './kubeconfig.ts';
import { SERVICE_ACCOUNT_FOLDER, serviceAccount } from './service-account.ts';

export interface ConfigOptions {
  /** A kubeconfig file; comes before every other place. */
  readonly kubeconfig?: string;
  /** A context in it, instead of the current one. */
  readonly context?: string;
  /** Talk to this API server instead of the one in the kubeconfig (its certificate is still checked with the same CA). */
  readonly server?: string;
  /** Where a pod's token and CA are. Default: where the kubelet puts them. */
  readonly serviceAccountFolder?: string;
}

/** What of the process environment is looked at. */
export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Where the cluster is and who we are, from the first of: the given file, `KUBECONFIG`, `~/.kube/config`, the pod's service
 * account. That is kubectl's order, so that both talk to the same cluster. The error is one sentence that says what to do.
 */
export async function loadConfig(options: ConfigOptions, environment: Environment): Promise<Result<Place, string>> {
  const files = kubeconfigFiles(options, environment);
  if (!files.ok) return files;
  if (files.value === null) return fromPod(options, environment);
  try {
    // Two thirds of the program's text, which a pod has no use for.
    const { readKubeconfigs } = await import('./kubeconfig.ts');
    return readKubeconfigs(files.value, options);
  } catch (thrown) {
    const said = thrown instanceof Error ? thrown.message : String(thrown);
    return err(`the kubeconfig cannot be read: ${said}. Give another one with --kubeconfig`);
  }
}

/** Null: there is none. */
function kubeconfigFiles(
  { kubeconfig }: ConfigOptions,
  environment: Environment,
): Result<readonly string[] | null, string> {
  if (kubeconfig !== undefined) {
    return existsSync(kubeconfig)
      ? ok([kubeconfig])
      : err(`the kubeconfig ${kubeconfig} does not exist: check --kubeconfig`);
  }
  const listed = (environment['KUBECONFIG'] ?? '').split(delimiter).filter((file) => file !== '');
  const candidates = listed.length > 0 ? listed : [join(environment['HOME'] ?? homedir(), '.kube', 'config')];
  // Like kubectl: files of the list that do not exist are passed over.
  const files = candidates.filter((file) => existsSync(file));
  if (files.length > 0) return ok(files);
  return listed.length > 0
    ? err(`no file named in KUBECONFIG exists (${listed.join(', ')}): mend KUBECONFIG or give --kubeconfig`)
    : ok(null);
}

function fromPod(options: ConfigOptions, environment: Environment): Result<Place, string> {
  const { serviceAccountFolder: folder = SERVICE_ACCOUNT_FOLDER } = options;
  const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port = '443' } = environment;
  if (host === undefined || !existsSync(join(folder, 'token')))
    return err('there is no kubeconfig and this is no pod: give --kubeconfig or set KUBECONFIG');
  if (options.context !== undefined)
    return err(`there is no kubeconfig, and so no context ${options.context}: leave --context out in a pod`);
  const namespace = join(folder, 'namespace');
  return ok({
    credentials: serviceAccount(folder),
    server: options.server ?? `https://${host.includes(':') ? `[${host}]` : host}:${port}`,
    namespace: existsSync(namespace) ? readFileSync(namespace, 'utf8').trim() : 'default',
    context: 'in-cluster',
  });
}
