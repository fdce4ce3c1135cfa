import type { ClusterFacts, NodeFacts } from '../../model/facts.ts';
import type { Finding } from '../../model/finding.ts';
import { checkOutside, tellTwoPodCIDRs } from '../../model/held-pod-cidrs.ts';
import { fromPhase } from '../../model/phase.ts';
import { remakeNode } from '../../model/remake-node.ts';
import type { Wanted } from '../../model/wanted.ts';
import { orderOfNodes } from './order.ts';

const RESTART = "restart k0s and the network plug-in's pods there";

/** What Nodes hold must fit what kube-controller-manager is to be told: it ends where it does not. */
export const checkNodes = (wanted: Wanted, facts: ClusterFacts): readonly Finding[] =>
  wanted.families.length === 1
    ? tellTwoPodCIDRs(
        facts.nodes.filter((node) => node.podCIDRs.length > 1),
        wanted.direction,
        RESTART,
      )
    : [
        ...disagreement(wanted, facts.nodes),
        ...checkOutside(wanted, facts.nodes, fromPhase('APIServer', wanted.direction)),
      ];

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
