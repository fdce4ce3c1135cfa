import { asString, at } from '../../model/object.ts';
import { ok, type Result } from '../../result.ts';
import { addKey, rootOf, setValue } from './yaml-text.ts';

/** `clusterCIDR` of a KubeProxyConfiguration; null: not set, or no such configuration. */
export const readProxyCIDR = (text: string): string | null => asString(at(rootOf(text), 'clusterCIDR')) ?? null;

/** Without a mode, kube-proxy tells local traffic by `clusterCIDR`. */
export function usesClusterCIDR(text: string): boolean {
  const mode = asString(at(rootOf(text), 'detectLocalMode')) ?? '';
  return mode === '' || mode === 'ClusterCIDR';
}

export const isProxyConfig = (text: string): boolean => at(rootOf(text), 'kind') === 'KubeProxyConfiguration';

/** The text with that `clusterCIDR` and nothing else changed. */
export function setProxyCIDR(text: string, value: string): Result<string, string> {
  const now: unknown = at(rootOf(text), 'clusterCIDR');
  if (now === value) return ok(text);
  return now === undefined ? addKey(text, [], 'clusterCIDR', value) : setValue(text, ['clusterCIDR'], value);
}

export const sameButCIDR = (a: string, b: string): boolean => withoutCIDR(a) === withoutCIDR(b);

const withoutCIDR = (text: string): string => JSON.stringify({ ...(rootOf(text) as object), clusterCIDR: null });

export const proxyFeatureGates = (text: string): Readonly<Record<string, unknown>> =>
  (at(rootOf(text), 'featureGates') ?? {}) as Readonly<Record<string, unknown>>;
