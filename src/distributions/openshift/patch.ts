import type { JsonObject } from '../../model/object.ts';
import { sameRange } from '../../model/networks.ts';
import type { Change } from '../../model/step.ts';
import type { Wanted } from '../../model/wanted.ts';
import { familyOfNetwork } from '../../net/cidr.ts';
import type { ClusterNetwork, NetworkLists } from './facts.ts';

/**
 * The lists as they shall be. What is there of the families that stay is left byte for byte, as the cluster-network-operator asks
 * (openshift/cluster-network-operator, pkg/network/render.go: `isNetworkChangeSafe`); a family that comes is put behind it.
 */
export function targetLists(wanted: Wanted, spec: NetworkLists): NetworkLists {
  return {
    clusterNetwork: wanted.families.flatMap((family, index): readonly ClusterNetwork[] => {
      const cidr = wanted.pods[family];
      const held = spec.clusterNetwork.filter((entry) => familyOfNetwork(entry.cidr) === family);
      if (cidr === undefined || index === 0 || held.some((entry) => sameRange(entry.cidr, cidr))) return held;
      const hostPrefix = wanted.nodeMask[family];
      return [{ cidr, ...(hostPrefix === undefined ? {} : { hostPrefix }) }];
    }),
    serviceNetwork: wanted.families.flatMap((family, index): readonly string[] => {
      const cidr = wanted.services[family];
      const held = spec.serviceNetwork.filter((entry) => familyOfNetwork(entry) === family);
      if (cidr === undefined || index === 0 || held.some((entry) => sameRange(entry, cidr))) return held;
      return [cidr];
    }),
  };
}

const FIELDS = ['clusterNetwork', 'serviceNetwork'] as const;

const entriesOf = (lists: NetworkLists, field: (typeof FIELDS)[number]): readonly (ClusterNetwork | string)[] =>
  lists[field];

const same = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b);

/** Fields of the spec that differ from the target. */
export const changesTo = (target: NetworkLists, spec: NetworkLists): readonly Change[] =>
  FIELDS.flatMap((field) =>
    same(spec[field], target[field])
      ? []
      : [{ path: `spec.${field}`, before: shown(spec, field), after: shown(target, field) }],
  );

const shown = (lists: NetworkLists, field: (typeof FIELDS)[number]): string =>
  entriesOf(lists, field)
    .map((entry) => (typeof entry === 'string' ? entry : `${entry.cidr} (hostPrefix ${entry.hostPrefix ?? 'unset'})`))
    .join(', ');

/**
 * A JSON patch as OpenShift's documentation has it (converting to dual-stack, and back). It first tests that the lists are those that were looked at: given
 * twice, or after another hand, it changes nothing.
 */
export function patchTo(target: NetworkLists, spec: NetworkLists): readonly JsonObject[] {
  const tests = FIELDS.map((field) => ({ op: 'test', path: `/spec/${field}`, value: json(spec[field]) }));
  return [...tests, ...FIELDS.flatMap((field) => operations(field, entriesOf(spec, field), entriesOf(target, field)))];
}

const isIn = (list: readonly unknown[], entry: unknown): boolean => list.some((each) => same(each, entry));

function operations(
  field: string,
  before: readonly (ClusterNetwork | string)[],
  after: readonly (ClusterNetwork | string)[],
): readonly JsonObject[] {
  // From the end, so that a removal moves none that is still to be removed.
  const removals = before
    .map((entry, index) => ({ entry, index }))
    .toReversed()
    .filter(({ entry }) => !isIn(after, entry))
    .map(({ index }) => ({ op: 'remove', path: `/spec/${field}/${index}` }));
  const additions = after
    .filter((entry) => !isIn(before, entry))
    .map((entry) => ({ op: 'add', path: `/spec/${field}/-`, value: json(entry) }));
  return [...removals, ...additions];
}

const json = (value: unknown): JsonObject[string] => JSON.parse(JSON.stringify(value)) as JsonObject[string];

/** Networks hold no quotes, so a shell takes the text as it is. */
export const patchCommand = (resource: string, patch: readonly JsonObject[]): string =>
  `oc patch ${resource} cluster --type=json -p '${JSON.stringify(patch)}'`;
