import { coerce, gte } from 'semver';

/** From 1.33 on the API server keeps its Service networks in ServiceCIDR objects. */
export const hasServiceCIDRs = (kubernetesVersion: string): boolean => {
  const version = coerce(kubernetesVersion);
  return version !== null && gte(version, '1.33.0');
};
