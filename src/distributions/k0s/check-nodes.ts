import type { ClusterFacts, NodeFacts } from '../../model/facts.ts';
import type { Finding } from '../../model/finding.ts';
import { listText } from '../../model/list-text.ts';
import type { ObjectRef } from '../../model/object.ts';
import { fromPhase } from '../../model/phase.ts';
import { remakeNode } from '../../model/remake-node.ts';
import type { Wanted } from '../../model/wanted.ts';
import { contains, parseCidr } from '../../net/cidr.ts';
import { orderOfNodes } from './order.ts';

const nodeRef = (name: string): ObjectRef => ({ apiVersion: 'v1', kind: 'Node', name });

const RESTART = "restart k0s and the network plug-in's pods there";

/** What Nodes hold must fit what kube-controller-manager is to be told: it ends where it does not. */
export const checkNodes = (wanted: Wanted, facts: ClusterFacts): readonly Finding[] =>
  wanted.families.length === 1
    ? twoPodCIDRs(wanted, facts.nodes)
    : [...disagreement(wanted, facts.nodes), ...outside(wanted, facts.nodes)];

function disagreement(wanted: Wanted, nodes: readonly NodeFacts[]): readonly Finding[] {
  const order = orderOfNodes(nodes, wanted.families[0] ?? 'IPv4');
  if (order.known) return [];
  return [
    {
      reason: 'InconsistentControlPlane',
      object: null,
      message: `${order.why}: kube-controller-manager starts with neither order of the pod networks.`,
      remedy: `Make the Nodes anew whose podCIDRs begin with the family that is not the primary one, one at a time (NODE is its name): ${remakeNode('NODE', 'None', RESTART)}.`,
      blocks: fromPhase('APIServer', wanted.direction),
    },
  ];
}

function outside(wanted: Wanted, nodes: readonly NodeFacts[]): readonly Finding[] {
  return nodes.flatMap((node): readonly Finding[] => {
    const lost = node.podCIDRs.find((text) => isOutside(text, wanted));
    if (lost === undefined) return [];
    return [
      {
        reason: 'PodCIDROutsideNetwork',
        object: nodeRef(node.name),
        message: `Node ${node.name} holds pod CIDR ${lost}, which is not in the pod network asked for: kube-controller-manager would not start.`,
        remedy: `Ask for a pod network that holds ${lost}, or make Node ${node.name} anew.`,
        blocks: fromPhase('APIServer', wanted.direction),
      },
    ];
  });
}

function isOutside(text: string, wanted: Wanted): boolean {
  const held = parseCidr(text);
  if (!held.ok) return false;
  const network = parseCidr(wanted.pods[held.value.family] ?? '');
  return network.ok && !contains(network.value, held.value);
}

function twoPodCIDRs(wanted: Wanted, nodes: readonly NodeFacts[]): readonly Finding[] {
  const holders = nodes.filter((node) => node.podCIDRs.length > 1);
  const [first] = holders;
  if (first === undefined) return [];
  return [
    {
      reason: 'NodesWithTwoPodCIDRs',
      object: nodeRef(first.name),
      message: `Nodes hold two pod CIDRs, with which kube-controller-manager does not start with one family: ${listText(holders.map(({ name }) => name))}.`,
      remedy: `Set spec.nodes.podCIDRs: Replace to have these Node objects replaced; or make them anew, one at a time: ${remakeNode(first.name, 'First', RESTART)}.`,
      blocks: fromPhase('ControllerManager', wanted.direction),
    },
  ];
}
