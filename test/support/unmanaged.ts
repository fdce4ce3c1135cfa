import type { UnmanagedFacts } from '../../src/distributions/unmanaged/facts.ts';
import type { ComponentPod } from '../../src/model/component-pods.ts';
import type { ClusterFacts, NodeFacts } from '../../src/model/facts.ts';
import type { StaticPod } from '../../src/model/host.ts';
import { known } from '../../src/model/reader.ts';
import {
  APISERVER_DUAL,
  APISERVER_SINGLE,
  basics,
  before,
  clusterFacts,
  KCM_DUAL,
  KCM_SINGLE,
  nodeFacts,
  POD_RANGES,
  SERVICES,
  workloadFacts,
} from './facts.ts';

export interface UnmanagedOptions {
  readonly dual?: boolean;
  /** API servers, `cp-1` … Default 1. */
  readonly servers?: number;
  /** False: the components of the control plane are processes that nobody sees. */
  readonly pods?: boolean;
  readonly version?: string;
  readonly node?: (node: NodeFacts) => NodeFacts;
}

export const componentPod = (
  component: StaticPod,
  node: string,
  flags: Readonly<Record<string, string>>,
  ready = true,
): ComponentPod => ({ component, name: `${component}-${node}`, node, flags, ready });

/** The process of an API server when it was first seen. */
export const firstProcess = (server: string): string => `apiserver-${server}_first`;

export function unmanagedFacts(options: UnmanagedOptions = {}, change: Partial<UnmanagedFacts> = {}): UnmanagedFacts {
  const dual = options.dual ?? false;
  const names = Array.from({ length: options.servers ?? 1 }, (_, index) => `cp-${index + 1}`);
  const podsOf = (component: StaticPod, flags: Readonly<Record<string, string>>) =>
    known(options.pods === false ? [] : names.map((name) => componentPod(component, name, flags)));
  return {
    apiServerPods: podsOf('kube-apiserver', dual ? APISERVER_DUAL : APISERVER_SINGLE),
    managerPods: podsOf('kube-controller-manager', dual ? KCM_DUAL : KCM_SINGLE),
    apiServers: known(names.map((hostname) => ({ hostname, holder: firstProcess(hostname) }))),
    serviceCIDR: known(dual ? [SERVICES.IPv4, SERVICES.IPv6] : [SERVICES.IPv4]),
    proxy: known({
      workload: workloadFacts('kube-proxy', [...names, 'worker-1', 'worker-2']),
      networks: {
        is: 'Config',
        value: dual ? POD_RANGES.dual : POD_RANGES.single,
        changedAt: before(86_400),
      },
    }),
    ...change,
  };
}

/** A cluster that nobody knows: all facts, with the part of them that the API shows of its control plane. No agents. */
export function unmanagedCluster(
  options: UnmanagedOptions = {},
  change: Partial<UnmanagedFacts> = {},
): { readonly facts: ClusterFacts; readonly own: UnmanagedFacts } {
  const dual = options.dual ?? false;
  const servers = options.servers ?? 1;
  const nodes = Array.from({ length: servers + 2 }, (_, index) => {
    const controlPlane = index < servers;
    const name = controlPlane ? `cp-${index + 1}` : `worker-${index + 1 - servers}`;
    const node = nodeFacts(index + 1, { name, dual, controlPlane, agent: false });
    return (options.node ?? ((each) => each))(node);
  });
  const own = unmanagedFacts(options, change);
  const facts = clusterFacts(
    { nodes, dual },
    { basics: basics({ nodes, ...(options.version === undefined ? {} : { kubernetesVersion: options.version }) }) },
  );
  return { facts: { ...facts, distribution: { name: 'Unmanaged', detectedBy: 'a test', own } }, own };
}
