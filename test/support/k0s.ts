import { type Controller, type K0sFacts, makeControllers } from '../../src/distributions/k0s/facts.ts';
import type { ClusterFacts, NodeFacts } from '../../src/model/facts.ts';
import type { K0sReport } from '../../src/model/host.ts';
import type { K0sSettings } from '../../src/model/k0s.ts';
import { known } from '../../src/model/reader.ts';
import {
  APISERVER_DUAL,
  APISERVER_SINGLE,
  basics,
  before,
  clusterFacts,
  type Deep,
  KCM_DUAL,
  KCM_SINGLE,
  merge,
  nodeFacts,
  POD_RANGES,
  PODS,
  running,
  SERVICES,
  workloadFacts,
} from './facts.ts';

/** As k0s calls the version of what it builds. */
export const K0S_VERSION = 'v1.36.3+k0s';
/** The last series that wrote the pod networks IPv6 first, whatever was primary. */
export const OLD_K0S_VERSION = 'v1.35.4+k0s';

/** Where the configuration of k0s has arguments of the controller manager. */
export const ARGS = 'spec.controllerManager.extraArgs';

export const SINGLE_SETTINGS: K0sSettings = {
  'spec.api.address': '192.0.2.11',
  'spec.network.provider': 'kuberouter',
  'spec.network.podCIDR': PODS.IPv4,
  'spec.network.serviceCIDR': SERVICES.IPv4,
};
const DUAL_NETWORK: K0sSettings = {
  'spec.network.dualStack.enabled': 'true',
  'spec.network.dualStack.IPv6podCIDR': PODS.IPv6,
  'spec.network.dualStack.IPv6serviceCIDR': SERVICES.IPv6,
};
/** With the mask that the wanted state of the tests has, which is not k0s' default. */
export const DUAL_SETTINGS: K0sSettings = {
  ...SINGLE_SETTINGS,
  ...DUAL_NETWORK,
  [`${ARGS}.node-cidr-mask-size-ipv6`]: '64',
};

export interface K0sOptions {
  /** Controllers with a kubelet and so an agent, `c1` … Default 1. */
  readonly controllers?: number;
  /** Controllers without a kubelet, `x1` … Default none. */
  readonly hidden?: number;
  readonly workers?: number;
  readonly dual?: boolean;
  /** ClusterConfig is in the API. */
  readonly dynamic?: boolean;
  readonly version?: string;
  /** Applied to every Node after it is made. */
  readonly node?: (node: NodeFacts) => NodeFacts;
  /** Agents edit the files of their controllers. */
  readonly byAgent?: boolean;
  /** Changes what agents report of controllers. */
  readonly report?: Deep<K0sReport>;
}

export const k0sReport = (options: { readonly dual?: boolean; readonly dynamic?: boolean } = {}): K0sReport => {
  const dual = options.dual ?? false;
  const inFile = dual ? DUAL_SETTINGS : SINGLE_SETTINGS;
  const withoutArgs = Object.fromEntries(Object.entries(inFile).filter(([path]) => !path.startsWith(ARGS)));
  return {
    file: '/etc/k0s/k0s.yaml',
    settings: options.dynamic ? withoutArgs : inFile,
    problem: '',
    dynamic: options.dynamic ?? false,
    running: {
      'kube-apiserver': running(dual ? APISERVER_DUAL : APISERVER_SINGLE),
      'kube-controller-manager': running(dual ? KCM_DUAL : KCM_SINGLE),
    },
  };
};

export const firstIdentity = (name: string): string => `apiserver-${name}_first`;

/** A cluster that k0s runs: all facts, with k0s' part of them. */
export function k0sCluster(
  options: K0sOptions = {},
  change: Partial<K0sFacts> = {},
): { readonly facts: ClusterFacts; readonly own: K0sFacts } {
  const dual = options.dual ?? false;
  const count = options.controllers ?? 1;
  const nodes = Array.from({ length: count + (options.workers ?? 2) }, (_, index) => {
    const isController = index < count;
    const name = isController ? `c${index + 1}` : `w${index + 1 - count}`;
    const made = nodeFacts(index + 1, { name, dual }, { controlPlane: isController });
    const edits = options.byAgent === true ? { byHand: '', healthy: true } : {};
    const k0s = merge<K0sReport>({ ...k0sReport(options), ...edits }, options.report);
    const reported = isController ? merge<NodeFacts>(made, { agent: { report: { k0s } } }) : made;
    return (options.node ?? ((node) => node))(reported);
  });
  const names = [
    ...Array.from({ length: count }, (_, index) => `c${index + 1}`),
    ...Array.from({ length: options.hidden ?? 0 }, (_, index) => `x${index + 1}`),
  ];
  const own: K0sFacts = {
    controllers: makeControllers(
      nodes,
      known(names.map((hostname) => ({ hostname, holder: firstIdentity(hostname) }))),
    ),
    clusterConfig: known(
      options.dynamic === true
        ? {
            settings: dual ? DUAL_SETTINGS : SINGLE_SETTINGS,
            hasNetwork: true,
            resourceVersion: '9',
            changedAt: before(86_400),
          }
        : null,
    ),
    proxyConfig: known({
      clusterCIDR: dual ? POD_RANGES.dual : POD_RANGES.single,
      text: `clusterCIDR: ${dual ? POD_RANGES.dual : POD_RANGES.single}\n`,
      changedAt: before(86_400),
    }),
    proxy: known(
      workloadFacts(
        'kube-proxy',
        nodes.map(({ name }) => name),
      ),
    ),
    lease: known({ holder: `${names[0] ?? 'nobody'}_0f2e`, acquiredAt: before(3500), renewedAt: before(1) }),
    transfer: null,
    serviceCIDR: known(dual ? [SERVICES.IPv4, SERVICES.IPv6] : [SERVICES.IPv4]),
    ...change,
  };
  const facts = clusterFacts(
    { nodes, dual },
    { basics: basics({ nodes, kubernetesVersion: options.version ?? K0S_VERSION }) },
  );
  return { facts: { ...facts, distribution: { name: 'K0s', detectedBy: 'a test', own } }, own };
}

/** The same facts after something happened to the controllers. */
export const withControllers = (own: K0sFacts, change: (controller: Controller) => Controller): K0sFacts => ({
  ...own,
  controllers: own.controllers.known ? known(own.controllers.value.map(change)) : own.controllers,
});
