import { asString, at } from '../../model/object.ts';
import type { Recordable, Recorded } from '../../model/record.ts';
import type { KubeadmFacts } from './facts.ts';

export const CONFIG_HASH = 'dualstack.dev/config-hash';

const CONFIG_KEY = 'ConfigMap/kube-system/kubeadm-config';
const PROXY_CONFIG_KEY = 'ConfigMap/kube-system/kube-proxy';
const PROXY_KEY = 'DaemonSet/kube-system/kube-proxy';

/** First states of the cluster objects. What is changed on hosts is recorded by each host's agent. */
export function records(own: KubeadmFacts): readonly Recordable[] {
  const { clusterConfig, proxyConfig, proxy } = own;
  return [
    ...(clusterConfig.known && clusterConfig.value !== null
      ? [{ key: CONFIG_KEY, value: { ClusterConfiguration: clusterConfig.value.text } }]
      : []),
    ...(proxyConfig.known && proxyConfig.value !== null
      ? [{ key: PROXY_CONFIG_KEY, value: { 'config.conf': proxyConfig.value.text } }]
      : []),
    ...(proxy.known && proxy.value !== null
      ? [{ key: PROXY_KEY, value: { [CONFIG_HASH]: proxy.value.templateAnnotations[CONFIG_HASH] ?? null } }]
      : []),
  ];
}

export const recordedClusterConfig = (restore: Recorded): string | undefined =>
  asString(at(restore[CONFIG_KEY], 'ClusterConfiguration'));

export const recordedProxyConfig = (restore: Recorded): string | undefined =>
  asString(at(restore[PROXY_CONFIG_KEY], 'config.conf'));

/** The annotation as it was before the first change; null: it was not there. */
export const recordedProxyHash = (restore: Recorded): string | null =>
  asString(at(restore[PROXY_KEY], CONFIG_HASH)) ?? null;
