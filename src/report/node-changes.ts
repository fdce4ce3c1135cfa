import type { ClusterStatus, NodeException, NodesStatus } from '../api/cluster-status.ts';
import { clip, LIMITS } from '../api/fields.ts';
import { lacksAddress } from '../nodes/cause.ts';
import { unreachable } from '../result.ts';
import type { Told } from './event.ts';

/** What became of one node since the last look. */
export interface NodeChange {
  readonly is: keyof typeof EVENTS;
  /** As it is now; of one with which nothing is wrong any more, as it was. */
  readonly node: NodeException;
}

/** Events that tell of nodes: only what was otherwise a look before. */
const EVENTS = {
  /** In a cluster that had been converted. */
  NodeFamilyMissing: { type: 'Warning', action: 'Observe' },
  NodeDelayed: { type: 'Warning', action: 'Observe' },
  NodeFamilyPresent: { type: 'Normal', action: 'Observe' },
  NodeRemedyBegun: { type: 'Normal', action: 'Remedy' },
  NodeRemedied: { type: 'Normal', action: 'Remedy' },
  NodeRemedyGivenUp: { type: 'Warning', action: 'Remedy' },
} as const satisfies Record<string, Pick<Told, 'type' | 'action'>>;

/**
 * @param isThere Whether there is a Node of that name: one that was deleted is not whole again.
 */
export function nodeChanges(
  before: ClusterStatus,
  after: ClusterStatus,
  isThere: (node: string) => boolean,
): readonly NodeChange[] {
  if (before.nodes === undefined || after.nodes === undefined) return [];
  const looks = { before: before.nodes, after: after.nodes, isSettled: isSettled(before, after) };
  const were = new Map(before.nodes.exceptions.map((node) => [node.name, node]));
  const are = new Map(after.nodes.exceptions.map((node) => [node.name, node]));
  return [
    ...after.nodes.exceptions.flatMap((node) => worse(node, were.get(node.name), looks)),
    ...before.nodes.exceptions
      .filter(({ name }) => isThere(name))
      .flatMap((node) => better(node, are.get(node.name), looks)),
  ];
}

interface Looks {
  readonly before: NodesStatus;
  readonly after: NodesStatus;
  /** The cluster had been converted before: nodes that wait for their turn in a conversion are none that lose something. */
  readonly isSettled: boolean;
}

const isSettled = (before: ClusterStatus, after: ClusterStatus): boolean =>
  before.appliedGeneration !== undefined &&
  before.appliedGeneration === before.observedGeneration &&
  before.observedGeneration === after.observedGeneration;

/** Not so where there are too many to name: then a name that is not there says nothing. */
const allNamed = ({ exceptions }: NodesStatus): boolean => exceptions.length < LIMITS.exceptions;

function worse(node: NodeException, was: NodeException | undefined, looks: Looks): readonly NodeChange[] {
  const isNew = was === undefined ? allNamed(looks.before) : !lacksAddress(was.cause) && was.cause !== LOST;
  const isMissing = looks.isSettled && isNew && lacksAddress(node.cause);
  const isDelayed = looks.isSettled && node.delayed === true && was !== undefined && was.delayed !== true;
  const { tried } = node;
  const isInVain = tried?.inVain === true && was?.tried?.inVain !== true;
  const isBegun = tried !== undefined && tried.inVain !== true && !isSame(tried, was?.tried);
  return [
    ...(isMissing ? [{ is: 'NodeFamilyMissing', node } as const] : []),
    ...(isDelayed ? [{ is: 'NodeDelayed', node } as const] : []),
    ...(isBegun ? [{ is: 'NodeRemedyBegun', node } as const] : []),
    ...(isInVain ? [{ is: 'NodeRemedyGivenUp', node } as const] : []),
  ];
}

const LOST = 'CNILostPrimary';

const isSame = (a: NodeException['tried'], b: NodeException['tried']): boolean =>
  a?.remedy === b?.remedy && a?.at === b?.at && a?.times === b?.times;

function better(node: NodeException, now: NodeException | undefined, looks: Looks): readonly NodeChange[] {
  const isWhole = now === undefined ? allNamed(looks.after) : !isLacking(now);
  if (!isLacking(node) || !isWhole) return [];
  if (node.tried !== undefined && node.tried.inVain !== true) return [{ is: 'NodeRemedied', node }];
  return looks.isSettled && lacksAddress(node.cause) ? [{ is: 'NodeFamilyPresent', node }] : [];
}

const isLacking = ({ cause }: NodeException): boolean =>
  lacksAddress(cause) || cause === LOST || cause === 'AddressGone';

export const toldOf = ({ is, node }: NodeChange): Told => ({ ...EVENTS[is], reason: is, note: clip(noteOf(is, node)) });

function noteOf(is: NodeChange['is'], { name, message, remedy, command, since }: NodeException): string {
  const toDo = remedy === undefined ? '' : ` What to do: ${remedy}${command === undefined ? '' : `: ${command}`}.`;
  switch (is) {
    case 'NodeFamilyMissing':
      return `Node ${name}: ${message}${toDo}`;
    case 'NodeDelayed':
      return `Node ${name} has been like this${since === undefined ? '' : ` since ${since}`}, longer than spec.nodes.gracePeriod: ${message}${toDo}`;
    case 'NodeRemedyBegun':
      return `Node ${name}: ${message}`;
    case 'NodeRemedyGivenUp':
      return `Node ${name}: ${message}${toDo}`;
    case 'NodeRemedied':
      return `Node ${name} has an address of each family again, after what the operator did.`;
    case 'NodeFamilyPresent':
      return `Node ${name} has an address of each family again.`;
    default:
      return unreachable(is);
  }
}
