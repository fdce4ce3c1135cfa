import { contains, parseCidr } from '../net/cidr.ts';
import type { NodeFacts } from './facts.ts';
import type { Finding } from './finding.ts';
import { nameList } from './list-text.ts';
import type { ObjectRef } from './object.ts';
import { type Direction, fromPhase, type Phase } from './phase.ts';
import { remakeNode } from './remake-node.ts';
import type { Wanted } from './wanted.ts';

/**
 * Nodes that hold a network which is not of the wanted ones: Node IPAM ends at once where there is one.
 *
 * @param ask How a network that holds it is asked for, as the beginning of a sentence.
 */
export const checkOutside = (
  wanted: Wanted,
  nodes: readonly NodeFacts[],
  blocks: readonly Phase[],
  ask = askFor,
): readonly Finding[] =>
  nodes.flatMap((node): readonly Finding[] => {
    const outside = node.podCIDRs.find((text) => isOutside(text, wanted));
    if (outside === undefined) return [];
    return [
      {
        reason: 'PodCIDROutsideNetwork',
        object: nodeRef(node),
        message: `Node ${node.name} holds pod CIDR ${outside}, which is not in the pod network asked for: kube-controller-manager would not start.`,
        remedy: `${ask(outside)}, or make Node ${node.name} anew.`,
        blocks,
      },
    ];
  });

const askFor = (podCIDR: string): string => `Ask for a pod network that holds ${podCIDR}`;

function isOutside(text: string, wanted: Wanted): boolean {
  const held = parseCidr(text);
  if (!held.ok) return false;
  const network = parseCidr(wanted.pods[held.value.family] ?? '');
  return network.ok && !contains(network.value, held.value);
}

/**
 * Node IPAM with one family ends at once where a Node holds two networks.
 *
 * @param restart See `remakeNode`.
 */
export function tellTwoPodCIDRs(
  holders: readonly NodeFacts[],
  direction: Direction,
  restart: string,
): readonly Finding[] {
  const [first] = holders;
  if (first === undefined) return [];
  return [
    {
      reason: 'NodesWithTwoPodCIDRs',
      object: nodeRef(first),
      message: `Nodes hold two pod CIDRs, with which kube-controller-manager does not start with one family: ${nameList(holders)}.`,
      remedy: `Set spec.nodes.podCIDRs: Replace to have these Node objects replaced; or make them anew, one at a time: ${remakeNode(first.name, 'First', restart)}.`,
      blocks: fromPhase('ControllerManager', direction),
    },
  ];
}

const nodeRef = ({ name }: NodeFacts): ObjectRef => ({ apiVersion: 'v1', kind: 'Node', name });
