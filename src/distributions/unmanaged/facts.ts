import { parse } from 'yaml';
import { type Identity, readAPIServers } from '../../model/api-servers.ts';
import { type ComponentPod, flagsOf, readComponentPods } from '../../model/component-pods.ts';
import type { Basics, WorkloadFacts } from '../../model/facts.ts';
import { PROXY, PROXY_CONFIG } from '../../model/kube-proxy.ts';
import { asArray, asString, at, type KubeObject } from '../../model/object.ts';
import { lastChange } from '../../model/owner.ts';
import { type Known, known, type Reader, unknown } from '../../model/reader.ts';
import { readServiceNetworks } from '../../model/service-networks.ts';
import { readWorkloadWith } from '../../model/workload.ts';

/** What the API shows of a control plane that nobody here knows. Nothing of it is taken for granted: each part may be there or not. */
export interface UnmanagedFacts {
  /** None where they run as processes of their hosts, or outside of the cluster. */
  readonly apiServerPods: Known<readonly ComponentPod[]>;
  readonly managerPods: Known<readonly ComponentPod[]>;
  /** By their Leases; none before Kubernetes 1.26. */
  readonly apiServers: Known<readonly Identity[]>;
  /** Networks of ServiceCIDR `kubernetes`, primary first. Known null: the server has no such object. */
  readonly serviceCIDR: Known<readonly string[] | null>;
  /** DaemonSet kube-system/kube-proxy. Known null: there is none. */
  readonly proxy: Known<ProxyFacts | null>;
}

export interface ProxyFacts {
  readonly workload: WorkloadFacts;
  readonly networks: ProxyNetworks;
}

/** Where kube-proxy has its pod networks from. */
export type ProxyNetworks =
  | { readonly is: 'Flag'; readonly value: string }
  /** `changedAt`: when the ConfigMap was last written (RFC 3339); null: that was not noted. */
  | { readonly is: 'Config'; readonly value: string; readonly changedAt: string | null }
  /** It tells local traffic by something else. */
  | { readonly is: 'NotUsed'; readonly why: string }
  | { readonly is: 'Unseen'; readonly why: string };

export async function observe(reader: Reader, basics: Basics): Promise<UnmanagedFacts> {
  const [apiServerPods, managerPods, apiServers, serviceCIDR, proxy] = await Promise.all([
    readComponentPods(reader, basics, 'kube-apiserver'),
    readComponentPods(reader, basics, 'kube-controller-manager'),
    readAPIServers(reader),
    readServiceNetworks(reader),
    readProxy(reader),
  ]);
  return { apiServerPods, managerPods, apiServers, serviceCIDR, proxy };
}

async function readProxy(reader: Reader): Promise<Known<ProxyFacts | null>> {
  const [proxy, config] = await Promise.all([
    readWorkloadWith(reader, PROXY, (daemonSet, workload) => ({ daemonSet, workload })),
    reader.get(PROXY_CONFIG),
  ]);
  if (!proxy.known) return proxy;
  if (proxy.value === null) return known(null);
  if (config.is === 'Unreadable') return unknown(config.why);
  const { daemonSet, workload } = proxy.value;
  return known({ workload, networks: networksOfProxy(daemonSet, config.is === 'Found' ? config.value : null) });
}

/** With `--config` kube-proxy reads its networks there and nowhere else (Kubernetes: cmd/kube-proxy/app/options.go). */
function networksOfProxy(daemonSet: KubeObject, config: KubeObject | null): ProxyNetworks {
  const containers = asArray(at(daemonSet, 'spec', 'template', 'spec', 'containers'));
  const flags = containers.map((container) => flagsOf(container, 'kube-proxy')).find((found) => found !== null);
  if (flags === undefined) return { is: 'Unseen', why: 'no container of DaemonSet kube-proxy shows its command' };
  if (flags['config'] === undefined) {
    const value = flags['cluster-cidr'] ?? '';
    return usedNetworks({ is: 'Flag', value }, flags['detect-local-mode'] ?? '');
  }
  const text = asString(at(config, 'data', 'config.conf'));
  const settings = text === undefined ? null : parsed(text);
  if (config === null || settings === null) {
    return { is: 'Unseen', why: `its file ${flags['config']} is not config.conf of ConfigMap kube-system/kube-proxy` };
  }
  return usedNetworks(
    { is: 'Config', value: asString(at(settings, 'clusterCIDR')) ?? '', changedAt: lastChange(config) },
    asString(at(settings, 'detectLocalMode')) ?? '',
  );
}

/** Without a mode it goes by these networks; without networks it holds no traffic for local, whatever the family. */
function usedNetworks(networks: Extract<ProxyNetworks, { readonly value: string }>, mode: string): ProxyNetworks {
  if (mode !== '' && mode !== 'ClusterCIDR') return { is: 'NotUsed', why: `it tells local traffic by ${mode}` };
  return networks.value === '' ? { is: 'NotUsed', why: 'it has no pod networks, of either family' } : networks;
}

function parsed(text: string): unknown {
  try {
    return parse(text);
  } catch {
    return null;
  }
}
