import type { ClusterFacts } from '../../model/facts.ts';
import type { Finding } from '../../model/finding.ts';
import { checkOutside, tellTwoPodCIDRs } from '../../model/held-pod-cidrs.ts';
import { nameList } from '../../model/list-text.ts';
import type { ObjectRef } from '../../model/object.ts';
import { fromPhase, type Phase } from '../../model/phase.ts';
import { RESTART_KUBELET } from '../../model/remake-node.ts';
import type { Step } from '../../model/step.ts';
import type { Wanted } from '../../model/wanted.ts';
import { apiServerSteps } from './api-server.ts';
import { controllerManagerSteps, runsNodeIPAM } from './controller-manager.ts';
import type { KubeadmFacts } from './facts.ts';
import { instancesOf } from './instances.ts';
import { addressOfFamily } from '../../model/node-address.ts';
import { isLeftToCloud, nodeIPSteps } from './node-ips.ts';

const nodeRef = (name: string): ObjectRef => ({ apiVersion: 'v1', kind: 'Node', name });

export function checkNodes(wanted: Wanted, facts: ClusterFacts, own: KubeadmFacts): readonly Finding[] {
  const steps = [
    ...nodeIPSteps(wanted, facts),
    ...apiServerSteps(wanted, facts, own),
    ...controllerManagerSteps(wanted, facts, own),
  ];
  const usesIPAM = instancesOf(own.instances, 'kube-controller-manager').some(runsNodeIPAM);
  return [
    ...notReady(wanted, facts, steps),
    ...stopped(facts, steps),
    ...leftToCloud(wanted, facts),
    ...(usesIPAM ? podCIDRs(wanted, facts) : []),
  ];
}

/** A node is not touched while more of the others are away than is tolerated. What has begun goes on. */
function notReady(wanted: Wanted, facts: ClusterFacts, steps: readonly Step[]): readonly Finding[] {
  const begun = new Set(
    steps.flatMap((step) => (step.kind === 'EditHost' && step.state.is === 'InProgress' ? [step.node] : [])),
  );
  const away = facts.nodes.filter((node) => !node.ready && !begun.has(node.name));
  const isDone = steps.every((step) => step.state.is === 'Satisfied');
  if (wanted.direction === 'Back' || isDone || away.length <= wanted.tolerateUnavailable) return [];
  const [first] = away;
  return [
    {
      reason: 'NodesNotReady',
      object: first === undefined ? null : nodeRef(first.name),
      message: `${away.length} Node(s) are not ready, more than spec.rollout.tolerateUnavailable=${wanted.tolerateUnavailable}: ${nameList(away)}.`,
      remedy: 'Bring them back, or raise spec.rollout.tolerateUnavailable to have them converted later.',
      blocks: fromPhase('NodeIPs', 'Forward'),
    },
  ];
}

function stopped(facts: ClusterFacts, steps: readonly Step[]): readonly Finding[] {
  const halted = facts.nodes.filter((node) => node.agent?.report?.stopped === true);
  if (halted.length === 0) return [];
  const openByNode = Map.groupBy(
    steps.flatMap((step) => (step.kind === 'EditHost' && step.state.is !== 'Satisfied' ? [step] : [])),
    ({ node }) => node,
  );
  return halted.flatMap((node): readonly Finding[] => {
    const open = openByNode.get(node.name) ?? [];
    if (open.length === 0) return [];
    return [
      {
        reason: 'AgentStopped',
        object: nodeRef(node.name),
        message: `The stop file on ${node.name} keeps its agent from changing anything there.`,
        remedy: `Remove /etc/dualstack/stop on ${node.name} when the work may go on.`,
        blocks: [...new Set<Phase>(open.map((step) => step.phase))],
      },
    ];
  });
}

function leftToCloud(wanted: Wanted, facts: ClusterFacts): readonly Finding[] {
  if (wanted.direction === 'Back') return [];
  const nodes = facts.nodes.filter(
    (node) =>
      isLeftToCloud(node) && wanted.families.some((family) => addressOfFamily(node.internalIPs, family) === undefined),
  );
  const [first] = nodes;
  if (first === undefined) return [];
  return [
    {
      reason: 'CloudProvider',
      object: nodeRef(first.name),
      message: `A cloud provider gives these Nodes their addresses, and they lack a wanted family: ${nameList(nodes)}.`,
      remedy:
        'Turn both families on in the cloud network and in the cloud controller manager; the Nodes follow by themselves.',
      blocks: [],
    },
  ];
}

const podCIDRs = (wanted: Wanted, { nodes }: ClusterFacts): readonly Finding[] =>
  wanted.direction === 'Back'
    ? tellTwoPodCIDRs(
        nodes.filter((node) => node.podCIDRs.length > wanted.families.length),
        'Back',
        RESTART_KUBELET,
      )
    : checkOutside(wanted, nodes, fromPhase('ControllerManager', 'Forward'));
