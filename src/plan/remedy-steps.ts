import type { ClusterFacts, NodeFacts } from '../model/facts.ts';
import type { HostSettings } from '../model/host.ts';
import type { Memory } from '../model/memory.ts';
import type { Change, Step, StepState } from '../model/step.ts';
import type { Wanted } from '../model/wanted.ts';
import { correctionOf, type RemedyOutlook } from '../nodes/correction.ts';
import { restartOf } from '../nodes/remedy.ts';
import { unreachable } from '../result.ts';

/**
 * What is done on single nodes whose hosts have an address that their Nodes do not show, where giving the kubelet both (the steps of the
 * distribution) is not what helps: the next node whose turn it is, and those that are not done. Steps of this kind come and go.
 */
export function remedySteps(wanted: Wanted, facts: ClusterFacts, memory: Memory): readonly Step[] {
  if (wanted.direction === 'Back' || wanted.nodes.remediation === 'None') return [];
  const outlook = { families: wanted.families, settings: wanted.nodes, now: facts.at };
  const cases = facts.nodes.flatMap((node) => caseOf(wanted, node, outlook, memory) ?? []);
  if (cases.length === 0) return [];
  const asked = cases.filter(({ state }) => state.is === 'InProgress');
  const next = nextOf(cases, asked, wanted, facts);
  return [...(next === null ? [] : [next]), ...asked].map(stepOf);
}

interface Case {
  readonly node: NodeFacts;
  readonly why: string;
  readonly settings: HostSettings;
  readonly diff: readonly Change[];
  readonly again: boolean;
  readonly state: StepState;
}

function caseOf(wanted: Wanted, node: NodeFacts, outlook: RemedyOutlook, memory: Memory): Case | null {
  if (node.agent?.report == null || node.agent.report.stopped) return null;
  return restarting(node, outlook) ?? correcting(wanted, node, outlook, memory);
}

function restarting(node: NodeFacts, outlook: RemedyOutlook): Case | null {
  const restart = restartOf(node, outlook);
  switch (restart?.is) {
    case 'Due':
      return {
        node,
        why: `The host has had ${restart.newcomer.address} since its kubelet was started, and a script works --node-ip out whenever it is.`,
        settings: { restart: { kubelet: restart.token } },
        diff: [],
        again: false,
        state: { is: 'Pending' },
      };
    case 'Asked':
      return {
        node,
        why: `Its kubelet was to find ${restart.attempt.address}.`,
        settings: {},
        diff: [],
        again: false,
        state: { is: 'InProgress', why: `its kubelet was asked to restart, and the Node does not show it yet` },
      };
    case 'Waiting':
    case 'InVain':
    case 'GivenUp':
    case 'Pointless':
    case undefined:
      return null;
    default:
      return unreachable(restart);
  }
}

function correcting(wanted: Wanted, node: NodeFacts, outlook: RemedyOutlook, memory: Memory): Case | null {
  if (wanted.nodes.nodeIP === 'Leave') return null;
  const correction = correctionOf(node, outlook, memory.goneSince[node.name] ?? null);
  switch (correction?.is) {
    case 'Due': {
      const { nodeIPs, gone, token } = correction;
      const before = node.agent?.report?.kubelet.running?.args['node-ip'] ?? null;
      return {
        node,
        why: `Its host no longer has ${gone}, which the Node shows, and has ${nodeIPs.at(-1) ?? ''} in its place.`,
        // The restart that the edit makes is the one that the token asks for.
        settings: { kubelet: { nodeIPs }, restart: { kubelet: token } },
        diff: [{ path: '--node-ip', before, after: nodeIPs.join(',') }],
        again: correction.again,
        state: { is: 'Pending' },
      };
    }
    case 'Asked':
      return {
        node,
        why: `Its --node-ip is to be ${correction.nodeIPs.join(',')}.`,
        settings: { kubelet: { nodeIPs: correction.nodeIPs } },
        diff: [],
        again: false,
        state: { is: 'InProgress', why: `its agent was asked to set --node-ip=${correction.nodeIPs.join(',')}` },
      };
    case 'Waiting':
    case 'InVain':
    case 'Refused':
    case 'GivenUp':
    case undefined:
      return null;
    default:
      return unreachable(correction);
  }
}

/**
 * One at a time, workers first, unless `maxUnavailable` allows more; nodes that are away count. A control-plane node only while nothing else is
 * in change. A node that is itself away, or whose agent has something unfinished, is left alone.
 */
function nextOf(cases: readonly Case[], asked: readonly Case[], wanted: Wanted, { nodes }: ClusterFacts): Case | null {
  const inChange = new Set(asked.map(({ node }) => node.name));
  const away = nodes.filter(({ name, ready }) => !ready && !inChange.has(name)).length;
  const busy = inChange.size + Math.max(0, away - wanted.tolerateUnavailable);
  if (busy >= wanted.nodes.maxUnavailable) return null;
  const [next] = cases
    .filter((each) => each.state.is === 'Pending' && each.node.ready && (each.again || isAtRest(each.node)))
    .toSorted(
      (a, b) => Number(a.node.controlPlane) - Number(b.node.controlPlane) || (a.node.name < b.node.name ? -1 : 1),
    );
  return next === undefined || (next.node.controlPlane && busy > 0) ? null : next;
}

function isAtRest({ agent }: NodeFacts): boolean {
  if (agent === null || agent.observedGeneration !== agent.generation) return false;
  return agent.conditions.find(({ type }) => type === 'Applied')?.status !== 'False';
}

const stepOf = ({ node, why, settings, diff, again, state }: Case): Step => ({
  kind: 'EditHost',
  id: `remedy/${node.name}`,
  phase: 'NodeIPs',
  group: 'node-remedies',
  target: `kubelet on ${node.name}`,
  why,
  diff,
  state,
  disrupts: {
    text: `the kubelet on ${node.name} restarts; its pods go on, Services may leave them out for a second`,
    seconds: [1, 5],
  },
  timeoutSeconds: 300,
  node: node.name,
  settings,
  again,
  remedy: true,
});
