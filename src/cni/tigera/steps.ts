import type { ClusterFacts } from '../../model/facts.ts';
import { refText } from '../../model/object.ts';
import { crashText, progressOf } from '../../model/rollout.ts';
import type { Step, StepState } from '../../model/step.ts';
import type { Wanted } from '../../model/wanted.ts';
import { unreachable } from '../../result.ts';
import { isAsWanted } from './checks.ts';
import { DAEMON_SET, type PartStatus, type TigeraFacts } from './facts.ts';

/** What the tigera operator makes of its Installation is its own work, and waited for. None: the Installation is not yet as it shall be, which a Finding tells. */
export function steps(wanted: Wanted, facts: ClusterFacts, own: TigeraFacts): readonly Step[] {
  if (wanted.direction === 'Forward' && wanted.families.length === 1) return [];
  const { installation } = own;
  if (!installation.known || installation.value === null || !isAsWanted(wanted, own)) return [];
  return [
    {
      kind: 'WaitFor',
      id: 'tigera/roll-out',
      phase: 'CNIAgents',
      group: 'tigera-roll-out',
      target: refText(DAEMON_SET),
      why: 'The tigera operator makes pools and a new calico-node of what its Installation says; pods get their addresses as these are.',
      diff: [],
      state: rollOutState(facts, own, installation.value.generation),
      disrupts: null,
      // The operator looks at its parts every few seconds, and its calico-node is replaced node by node.
      timeoutSeconds: 600 + 60 * facts.nodes.length,
      what: 'TigeraStatus calico is Available, neither Progressing nor Degraded, and calico-node is rolled out',
    },
  ];
}

/** Parts of the operator that act on pools: older ones do all in `calico`. */
const PARTS = ['ippools', 'calico'];

function rollOutState(facts: ClusterFacts, { statuses, agent }: TigeraFacts, generation: number): StepState {
  if (!statuses.known) return { is: 'Unknown', why: `TigeraStatuses could not be read: ${statuses.why}` };
  if (!agent.known) return { is: 'Unknown', why: `${refText(DAEMON_SET)} could not be read: ${agent.why}` };
  const parts = statuses.value.filter(({ name }) => PARTS.includes(name));
  if (!parts.some(({ name }) => name === 'calico'))
    return { is: 'InProgress', why: 'TigeraStatus calico is not there yet' };
  const old = parts.find((part) => part.generation !== null && part.generation < generation);
  if (old !== undefined) {
    return { is: 'InProgress', why: `TigeraStatus ${old.name} does not speak of the Installation as it is now yet` };
  }
  const stopped = parts.find(({ degraded }) => degraded);
  if (stopped !== undefined) return busy(stopped, 'Degraded');
  if (agent.value === null) return { is: 'InProgress', why: `${refText(DAEMON_SET)} is not there yet` };

  const progress = progressOf(agent.value, facts.nodes, facts.at);
  switch (progress.is) {
    case 'Done': {
      const late = parts.find(({ available, progressing }) => !available || progressing);
      if (late !== undefined) return busy(late, late.progressing ? 'Progressing' : 'not Available');
      return {
        is: 'Satisfied',
        evidence: `TigeraStatus calico is Available, and all ${agent.value.desired} pods of calico-node are new and ready`,
      };
    }
    // The operator counts on nodes that are away, and so stays Progressing.
    case 'DoneButAway':
      return { is: 'Deferred', why: `the pods on ${progress.nodes.join(', ')} follow when their nodes are back` };
    case 'Waiting':
    case 'Stuck':
      return { is: 'InProgress', why: progress.why };
    case 'Crashing': {
      const { pod } = progress;
      return {
        is: 'Failed',
        why: `calico-node on ${pod.node} does not start (${crashText(pod)})`,
        remedy: `See why: kubectl -n calico-system logs ${pod.name} --previous; mend it, then it goes on by itself.`,
      };
    }
    default:
      return unreachable(progress);
  }
}

const busy = ({ name, message }: PartStatus, is: string): StepState => ({
  is: 'InProgress',
  why: `TigeraStatus ${name} is ${is}${message === '' ? '' : `: ${message}`}`,
});
