import type { ClusterFacts } from '../../model/facts.ts';
import type { K0sSetting, K0sSettings } from '../../model/k0s.ts';
import { keepSpelling, sameRange } from '../../model/networks.ts';
import type { JsonObject } from '../../model/object.ts';
import type { Change } from '../../model/step.ts';
import { cidrList, type Wanted } from '../../model/wanted.ts';
import type { Family } from '../../net/family.ts';
import { familyOf } from '../../model/node-address.ts';
import { orderOfK0s, orderOfNodes } from './order.ts';

/** What settings shall be; null: not there. Those that are not named are left alone. */
export type Target = Readonly<Partial<Record<K0sSetting, string | null>>>;

/** What k0s takes without being told (github.com/k0sproject/k0s, pkg/component/controller/controllermanager.go). */
export const DEFAULT_MASKS = { IPv4: 24, IPv6: 117 } as const;

/** Settings that are the same whether they are written or not (DefaultNetwork in pkg/apis/k0s/v1beta1/network.go). */
const DEFAULTS: K0sSettings = {
  'spec.network.podCIDR': '10.244.0.0/16',
  'spec.network.serviceCIDR': '10.96.0.0/12',
  'spec.network.dualStack.enabled': 'false',
};

const PRIMARY = 'spec.network.primaryAddressFamily';
const CLUSTER_CIDR = 'spec.controllerManager.extraArgs.cluster-cidr';
const MANAGER_SERVICES = 'spec.controllerManager.extraArgs.service-cluster-ip-range';
const API_SERVICES = 'spec.api.extraArgs.service-cluster-ip-range';
const MASK = {
  IPv4: 'spec.controllerManager.extraArgs.node-cidr-mask-size-ipv4',
  IPv6: 'spec.controllerManager.extraArgs.node-cidr-mask-size-ipv6',
} as const satisfies Record<Family, K0sSetting>;
/** The mask from before there were two families. */
const LEGACY_MASK = 'spec.controllerManager.extraArgs.node-cidr-mask-size';

/** The part of a setting's owner: with dynamic configuration the API holds some, and each controller's file the others. */
type Part = 'Cluster' | 'Controller';

/**
 * Settings that k0s reads from the file of each controller even with dynamic configuration: the API server's, and the Service networks, which
 * kube-controller-manager is given from the same place (GetClusterWideConfig in pkg/apis/k0s/v1beta1/clusterconfig_types.go).
 */
const OF_CONTROLLER: readonly K0sSetting[] = [
  'spec.network.podCIDR',
  'spec.network.serviceCIDR',
  'spec.network.dualStack.enabled',
  'spec.network.dualStack.IPv6podCIDR',
  'spec.network.dualStack.IPv6serviceCIDR',
  'spec.network.primaryAddressFamily',
  API_SERVICES,
];
/** Settings that it reads from the API then. `serviceCIDR` and `primaryAddressFamily` there are ignored, so they are left alone. */
const OF_CLUSTER: readonly K0sSetting[] = [
  'spec.network.podCIDR',
  'spec.network.dualStack.enabled',
  'spec.network.dualStack.IPv6podCIDR',
  'spec.network.dualStack.IPv6serviceCIDR',
  CLUSTER_CIDR,
  LEGACY_MASK,
  MASK.IPv4,
  MASK.IPv6,
  MANAGER_SERVICES,
];

/** Arguments of kube-controller-manager that are changed there. */
export const CLUSTER_ARGS: readonly K0sSetting[] = OF_CLUSTER.filter((path) =>
  path.startsWith('spec.controllerManager.extraArgs.'),
);

/** What the file of a controller shall say. With static configuration that is all. */
export const fileTarget = (wanted: Wanted, facts: ClusterFacts, live: K0sSettings, dynamic: boolean): Target =>
  dynamic ? only(wholeTarget(wanted, facts, live), 'Controller') : wholeTarget(wanted, facts, live);

/**
 * The way back for a file that an agent has edited: each setting to its first value, where the first values are of the wanted families; else to what
 * the target says.
 */
export function restoredTarget(
  target: Target,
  recorded: Readonly<Record<string, string | null>> | undefined,
  dynamic: boolean,
): Target {
  if (recorded === undefined || !agrees(target, recorded)) return target;
  const paths = dynamic ? OF_CONTROLLER : [...OF_CONTROLLER, ...OF_CLUSTER];
  const first = paths.flatMap((path) => (recorded[path] === undefined ? [] : [[path, recorded[path]] as const]));
  return { ...target, ...Object.fromEntries(first) };
}

/** First values of a cluster that was half dual before are no way to one family. */
const agrees = (target: Target, recorded: Readonly<Record<string, string | null>>): boolean =>
  recorded['spec.network.dualStack.enabled'] !== 'true' &&
  (['spec.network.podCIDR', 'spec.network.serviceCIDR'] as const).every(
    (path) => target[path] == null || isAsItIs(path, recorded[path] ?? null, target[path]),
  ) &&
  [API_SERVICES, MANAGER_SERVICES, CLUSTER_CIDR].every((path) => recorded[path]?.includes(',') !== true);

/** Arguments that beat what k0s works out from the networks, so they must be right where somebody has set them. */
const BEATING_ARGS: readonly K0sSetting[] = [API_SERVICES, CLUSTER_CIDR, MANAGER_SERVICES, MASK.IPv4, MASK.IPv6];

export interface UnseenTarget {
  /** What it shall say whatever it says now: a value that k0s would take by itself may be another one there. */
  readonly set: Target;
  /** Values for settings that need not be there. */
  readonly whereSet: Target;
  /** What must not be there. */
  readonly gone: readonly string[];
}

/** The same for a file that nobody sees. */
export function unseenTarget(wanted: Wanted, facts: ClusterFacts, dynamic: boolean): UnseenTarget {
  const target = fileTarget(wanted, facts, {}, dynamic);
  const everyArg = Object.fromEntries(BEATING_ARGS.map((path) => [path, '']));
  const all = Object.entries(target);
  return {
    set: Object.fromEntries(all.filter(([, value]) => value !== null)),
    whereSet: Object.fromEntries(
      Object.entries(fileTarget(wanted, facts, everyArg, dynamic)).filter(([path]) => !(path in target)),
    ),
    gone: all.flatMap(([path, value]) => (value === null ? [path] : [])),
  };
}

/** What ClusterConfig in the API shall say. */
export const clusterTarget = (wanted: Wanted, facts: ClusterFacts, live: K0sSettings): Target =>
  only(wholeTarget(wanted, facts, live), 'Cluster');

function only(target: Target, part: Part): Target {
  const paths = part === 'Controller' ? OF_CONTROLLER : OF_CLUSTER;
  return Object.fromEntries(paths.flatMap((path) => (target[path] === undefined ? [] : [[path, target[path]]])));
}

const wholeTarget = (wanted: Wanted, facts: ClusterFacts, live: K0sSettings): Target =>
  wanted.families.length === 2 ? dualTarget(wanted, facts, live) : singleTarget(wanted, live);

function dualTarget(wanted: Wanted, facts: ClusterFacts, live: K0sSettings): Target {
  const [primary = 'IPv4'] = wanted.families;
  const services = cidrList(wanted.families, wanted.services);
  return {
    // With both families k0s wants the IPv4 networks here, also where IPv6 is primary, and the IPv6 ones below dualStack.
    ...network('spec.network.podCIDR', wanted.pods.IPv4, live),
    ...network('spec.network.serviceCIDR', wanted.services.IPv4, live),
    'spec.network.dualStack.enabled': 'true',
    ...network('spec.network.dualStack.IPv6podCIDR', wanted.pods.IPv6, live),
    ...network('spec.network.dualStack.IPv6serviceCIDR', wanted.services.IPv6, live),
    // Only where it is needed: k0s refuses a file with a field that its version does not know, and older ones do not know this.
    ...(primaryOf(live) === primary && live[PRIMARY] === undefined ? {} : { [PRIMARY]: primary }),
    ...ifSet(live, API_SERVICES, services),
    ...ifSet(live, MANAGER_SERVICES, services),
    ...clusterCIDR(wanted, facts, live, primary),
    ...masks(wanted, live),
    // Beside the mask of each family kube-controller-manager does not stand the one without a family.
    [LEGACY_MASK]: null,
  };
}

/** An extra argument beats what k0s works out, so it is needed where k0s' own order does not fit the Nodes, and must be right where it is. */
function clusterCIDR(wanted: Wanted, facts: ClusterFacts, live: K0sSettings, primary: Family): Target {
  const needed = orderOfNodes(facts.nodes, primary);
  const order = needed.known ? needed.value : wanted.families;
  const isByItself = orderOfK0s(facts.basics.kubernetesVersion, primary).join() === order.join();
  if (isByItself && live[CLUSTER_CIDR] === undefined) return {};
  return { [CLUSTER_CIDR]: keepSpelling(live[CLUSTER_CIDR], cidrList(order, wanted.pods)) };
}

function masks(wanted: Wanted, live: K0sSettings): Target {
  return Object.fromEntries(
    wanted.families.flatMap((family) => {
      const mask = wanted.nodeMask[family];
      const isNeeded = live[MASK[family]] !== undefined || mask !== DEFAULT_MASKS[family];
      return mask === undefined || !isNeeded ? [] : [[MASK[family], String(mask)]];
    }),
  );
}

/** One family: what is left of the other is switched off, and so are the arguments that only both together stand. */
function singleTarget(wanted: Wanted, live: K0sSettings): Target {
  const [family = 'IPv4'] = wanted.families;
  const services = cidrList(wanted.families, wanted.services);
  const mask = wanted.nodeMask[family];
  return {
    ...network('spec.network.podCIDR', wanted.pods[family], live),
    ...network('spec.network.serviceCIDR', wanted.services[family], live),
    'spec.network.dualStack.enabled': 'false',
    ...ifSet(live, API_SERVICES, services),
    ...ifSet(live, MANAGER_SERVICES, services),
    [CLUSTER_CIDR]: null,
    [MASK.IPv4]: null,
    [MASK.IPv6]: null,
    ...(mask === undefined || mask === DEFAULT_MASKS[family] ? {} : { [LEGACY_MASK]: String(mask) }),
  };
}

const network = (path: K0sSetting, cidr: string | undefined, live: K0sSettings): Target =>
  cidr === undefined ? {} : { [path]: keepSpelling(live[path] ?? DEFAULTS[path], [cidr]) };

const ifSet = (live: K0sSettings, path: K0sSetting, networks: readonly string[]): Target =>
  live[path] === undefined ? {} : { [path]: keepSpelling(live[path], networks) };

/** The family that k0s takes as primary: the one written, else that of the API server's outer or own address, else IPv4 (`PrimaryAddressFamily`). */
export function primaryOf(live: K0sSettings): Family {
  const written = live['spec.network.primaryAddressFamily'];
  if (written === 'IPv4' || written === 'IPv6') return written;
  const address = live['spec.api.externalAddress'] || live['spec.api.address'] || '';
  return familyOf(address) ?? 'IPv4';
}

/** What differs, setting by setting. */
export const changesTo = (target: Target, live: K0sSettings): readonly Change[] =>
  Object.entries(target).flatMap(([path, after]) => {
    const before = live[path] ?? null;
    return isAsItIs(path, before, after) ? [] : [{ path, before, after }];
  });

/** What k0s takes without being told counts as said; what shall not be said, and is, does not. */
export const isAsItIs = (path: string, before: string | null, after: string | null): boolean =>
  after === null ? before === null : isSame(before ?? DEFAULTS[path] ?? null, after);

const isSame = (a: string | null, b: string | null): boolean =>
  a === b || (a !== null && b !== null && sameRange(a, b));

/** The settings as the nested object that a file or a patch has. Switches are booleans, all else is text. */
export function nested(changes: readonly Pick<Change, 'path' | 'after'>[]): JsonObject {
  return changes.reduce<JsonObject>((tree, { path, after }) => placed(tree, path.split('.'), valueOf(path, after)), {});
}

const valueOf = (path: string, text: string | null): string | boolean | null =>
  path === 'spec.network.dualStack.enabled' && text !== null ? text === 'true' : text;

function placed(tree: JsonObject, path: readonly string[], value: string | boolean | null): JsonObject {
  const [key, ...rest] = path;
  if (key === undefined) return tree;
  if (rest.length === 0) return { ...tree, [key]: value };
  return { ...tree, [key]: placed((tree[key] ?? {}) as JsonObject, rest, value) };
}
