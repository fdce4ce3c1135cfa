import type { NodeFacts } from '../../model/facts.ts';
import { hasDrifted, type HostReport } from '../../model/host.ts';
import type { Phase } from '../../model/phase.ts';
import type { Disruption, EditHost, Step, StepBase, StepState } from '../../model/step.ts';
import { type FlagPlan, isAsked, isAskedOtherwise, isMet, planDiff, planSettings, planText } from './flag-plan.ts';
import type { Instance } from './instances.ts';

/**
 * Seconds for one static-pod edit. An API server may be away for 40 s and a controller manager without its Lease for 65 s; the agent takes a
 * bad edit back after 180 s and must have told so before this runs out.
 */
const EDIT_TIMEOUT = 300;

interface StaticPodEdit {
  readonly instance: Instance;
  readonly node: NodeFacts;
  readonly plan: FlagPlan;
}

interface EditWords {
  readonly phase: Phase;
  readonly group: string;
  readonly why: string;
  readonly disrupts: Disruption;
}

/** One edit of one static pod. */
export function staticPodStep(edit: StaticPodEdit, words: EditWords): Step & StepBase & EditHost {
  const { instance, node, plan } = edit;
  const state = editState(edit);
  return {
    kind: 'EditHost',
    id: `${words.group}/${node.name}`,
    phase: words.phase,
    group: words.group,
    target: `${instance.component} on ${node.name}`,
    why: words.why,
    diff: planDiff(instance, plan),
    state,
    disrupts: words.disrupts,
    timeoutSeconds: EDIT_TIMEOUT,
    node: node.name,
    settings: planSettings(instance.component, plan),
    again: state.is === 'Pending' && hasDrifted(node.agent),
  };
}

function editState(edit: StaticPodEdit): StepState {
  const { instance, node, plan } = edit;
  if (!instance.flags.known) return { is: 'Unknown', why: instance.flags.why };
  if (node.agent !== null && isAskedOtherwise(node.agent.spec, instance.component, plan)) return { is: 'Pending' };
  const met = isMet(instance, plan);
  if (met && instance.ailment === null) {
    return { is: 'Satisfied', evidence: `${instance.source}: ${planText(plan) || 'nothing to set'}` };
  }
  const asked = node.agent !== null && isAsked(node.agent.spec, instance.component, plan);
  const failure = asked && !met ? failureOf(edit) : null;
  if (failure !== null) return failure;
  if (met) return { is: 'InProgress', why: instance.ailment ?? '' };
  return asked && !hasDrifted(node.agent) ? { is: 'InProgress', why: progressOf(edit) } : { is: 'Pending' };
}

/** What the agent says about an edit that it undid or will not do. */
function failureOf({ instance, node, plan }: StaticPodEdit): StepState | null {
  const { agent } = node;
  if (agent === null) return null;
  const refusal = agent.report?.refused.find(
    (entry) =>
      entry.component === instance.component && entry.generation === agent.generation && isValueOf(plan, entry),
  );
  if (refusal !== undefined) {
    return {
      is: 'Failed',
      why: `${instance.component} on ${node.name} did not run with --${refusal.flag}=${refusal.value}, and the agent put the old value back: ${refusal.why}`,
      remedy: `Correct the value in spec.clusterNetwork, or mend what ${instance.component} says in its log on ${node.name} and ask again with a changed spec.`,
    };
  }
  const failed = agent.conditions.find(
    (condition) =>
      condition.observedGeneration === agent.generation &&
      ((condition.type === 'RolledBack' && condition.status === 'True') ||
        (condition.type === 'Applied' && condition.status === 'False' && condition.reason === 'NotAllowed')),
  );
  if (failed === undefined) return null;
  return {
    is: 'Failed',
    why: `${instance.component} on ${node.name}: ${failed.message}`,
    remedy: `See DualStackNode ${node.name} and the log of ${instance.component} there, mend the cause, then change the spec to try again.`,
  };
}

const isValueOf = (plan: FlagPlan, entry: HostReport['refused'][number]): boolean =>
  plan.set[entry.flag] === entry.value || (entry.value === '' && plan.absent.includes(entry.flag));

function progressOf({ instance, node }: StaticPodEdit): string {
  const applied = node.agent?.conditions.find((condition) => condition.type === 'Applied');
  if (applied?.status === 'False') return `the agent on ${node.name}: ${applied.message}`;
  return instance.ailment ?? `the agent on ${node.name} makes the edit`;
}
