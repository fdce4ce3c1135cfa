import type { ClusterFacts, NodeFacts } from '../model/facts.ts';
import type { Finding } from '../model/finding.ts';
import type { Memory } from '../model/memory.ts';
import { type Phase, phaseOrder } from '../model/phase.ts';
import type { Plan } from '../model/plan.ts';
import type { Request } from '../model/request.ts';
import { isRemedy, type Step } from '../model/step.ts';
import { unreachable } from '../result.ts';

/** What this pass does. */
export type Decision =
  | { readonly is: 'Act'; readonly step: Step; readonly correction: boolean }
  | { readonly is: 'Wait'; readonly step: Step; readonly why: string }
  | { readonly is: 'Blocked'; readonly step: Step; readonly findings: readonly Finding[] }
  | { readonly is: 'Failed'; readonly step: Step; readonly why: string; readonly remedy: string }
  | { readonly is: 'Paused'; readonly step: Step }
  | { readonly is: 'PlanOnly'; readonly step: Step }
  | { readonly is: 'AwaitingApproval'; readonly step: Step }
  | { readonly is: 'WaitingForUser'; readonly step: Step }
  /** All is done but for nodes that are away, and workloads and Services that cannot be changed now. */
  | { readonly is: 'NodesPending'; readonly steps: readonly Step[] }
  | { readonly is: 'Done' };

/** How often one thing is put right within `CONTEST_MS` before it is reported instead. */
const CONTEST_LIMIT = 3;
const CONTEST_MS = 60 * 60_000;

/** The first step that is not yet true decides. */
export function decide(
  plan: Plan,
  facts: ClusterFacts,
  request: Request,
  memory: Memory,
  generation: number,
): Decision {
  const waitingForUser: Step[] = [];
  const deferred: Step[] = [];
  for (const step of plan.steps) {
    switch (step.state.is) {
      case 'Satisfied':
        continue;
      case 'Deferred':
        deferred.push(step);
        continue;
      case 'Failed':
        if (isAskedBySpec(step, facts, generation)) {
          return { is: 'Failed', step, why: step.state.why, remedy: step.state.remedy };
        }
        break;
      case 'InProgress':
        // How long it may take is judged where it is decided on; the rest does not wait for it.
        if (isRemedy(step)) continue;
        return waitFor(step, step.state.why, plan, memory, facts.at);
      case 'Pending':
      case 'Unknown':
        break;
      default:
        return unreachable(step.state);
    }
    if (step.kind === 'Handoff' && step.holdsUp !== true) {
      waitingForUser.push(step);
      continue;
    }
    const blockers = isRemedy(step) ? [] : blockersOf(step.phase, plan);
    if (blockers.length > 0) return { is: 'Blocked', step, findings: blockers };
    // Nobody is asked to do what is not approved, or what a blocker speaks against.
    if (step.kind === 'Handoff') return gate(step, plan, request) ?? { is: 'WaitingForUser', step };
    if (step.state.is === 'Unknown') return { is: 'Wait', step, why: step.state.why };
    if (step.kind === 'WaitFor') return waitFor(step, step.what, plan, memory, facts.at);
    if (step.kind === 'TransferLease' && isOverdue(step, memory, facts.at)) return notPassedOn(step);
    const gated = gate(step, plan, request);
    if (gated !== null) return gated;
    const others = othersFirst(step, plan, memory, facts);
    if (others !== null && isRemedy(step)) continue;
    return others ?? mayAct(step, memory, facts.at, generation);
  }
  const [user] = waitingForUser;
  if (user !== undefined) return { is: 'WaitingForUser', step: user };
  return deferred.length > 0 ? { is: 'NodesPending', steps: deferred } : { is: 'Done' };
}

/**
 * A host that refused an edit is asked anew when the spec has changed since: mending the cause and changing the spec is how a user says
 * "try again". What is asked of a host names the generation of the spec that asked.
 */
function isAskedBySpec(step: Step, facts: ClusterFacts, generation: number): boolean {
  if (step.kind !== 'EditHost') return true;
  const asked = facts.nodes.find(({ name }) => name === step.node)?.agent?.spec.again;
  return asked === undefined || asked.startsWith(attemptPrefix(generation));
}

/** How the token begins with which a spec of that generation asks a host. */
export const attemptPrefix = (generation: number): string => `${generation}-`;

/** What takes too long for a reason that is told is not failed but blocked. */
function waitFor(step: Step, why: string, plan: Plan, memory: Memory, now: number): Decision {
  if (!isOverdue(step, memory, now)) return { is: 'Wait', step, why };
  const blockers = blockersOf(step.phase, plan);
  return blockers.length > 0 ? { is: 'Blocked', step, findings: blockers } : overdue(step, why);
}

function gate(step: Step, plan: Plan, request: Request): Decision | null {
  if (request.paused) return { is: 'Paused', step };
  if (request.mode === 'Plan') return { is: 'PlanOnly', step };
  const approved = request.approvedPlanHash === '' || request.approvedPlanHash === plan.hash;
  return approved ? null : { is: 'AwaitingApproval', step };
}

/**
 * No node is touched while another is not back from its own edit. The order of the steps alone does not see to that: a node may join, or the
 * spec may change, in the middle of an edit that comes later in the order.
 */
function othersFirst(step: Step, plan: Plan, memory: Memory, facts: ClusterFacts): Decision | null {
  if (!disturbsNodes(step)) return null;
  const own = step.kind === 'EditHost' ? step.node : null;
  const begun = plan.steps.find(({ id }) => id === memory.current?.id);
  if (begun?.kind === 'EditHost' && begun.node !== own && begun.state.is === 'InProgress') {
    return waitFor(begun, begun.state.why, plan, memory, facts.at);
  }
  // Remedies count themselves how many of them may be under way.
  const besides = new Set(isRemedy(step) ? remediedNodes(plan) : []);
  const busy = facts.nodes.find(
    (node) => node.name !== own && !besides.has(node.name) && node.ready && isApplying(node),
  );
  const why = `the agent on ${busy?.name ?? ''} has not finished its last edit`;
  return busy === undefined ? null : waitFor(step, why, plan, memory, facts.at);
}

const remediedNodes = ({ steps }: Plan): readonly string[] =>
  steps.flatMap((step) => (step.kind === 'EditHost' && isRemedy(step) ? [step.node] : []));

function disturbsNodes({ kind }: Step): boolean {
  return kind === 'EditHost' || kind === 'ReplaceNode' || kind === 'RolloutWorkload' || kind === 'TransferLease';
}

function isApplying({ agent }: NodeFacts): boolean {
  if (agent === null || agent.report === null || agent.report.stopped) return false;
  const applied = agent.conditions.find((condition) => condition.type === 'Applied');
  return agent.observedGeneration !== agent.generation || applied?.reason === 'Applying';
}

/**
 * What was right once for this very spec and is no longer was changed from outside; of its host an agent says so itself. New pods for a corrected
 * setting, and what ends it, are part of that correction, not one more.
 */
function isCorrection(step: Step, memory: Memory, generation: number): boolean {
  switch (step.kind) {
    case 'EditHost':
      // Remedies count by themselves how often, and give up by themselves: nothing else waits for them.
      return !isRemedy(step) && (step.again || (memory.appliedGeneration === generation && isShared(step.phase)));
    case 'ApplyObject':
      return step.ends !== true && memory.appliedGeneration === generation && isShared(step.phase);
    case 'MigrateService':
      return memory.appliedGeneration === generation && isShared(step.phase);
    // What was put back by another hand is not changed again: its annotation tells.
    case 'MigrateServices':
    case 'ReplaceNode':
    case 'RolloutWorkload':
    case 'TransferLease':
    case 'Verify':
    case 'VerifyPackets':
    case 'AskServices':
    case 'WaitFor':
    case 'Handoff':
      return false;
    default:
      return unreachable(step);
  }
}

function mayAct(step: Step, memory: Memory, now: number, generation: number): Decision {
  const correction = isCorrection(step, memory, generation);
  const before = memory.corrections.find((entry) => entry.id === step.id);
  const contested =
    correction && before !== undefined && before.count >= CONTEST_LIMIT && now - Date.parse(before.lastAt) < CONTEST_MS;
  return contested
    ? { is: 'Blocked', step, findings: [contestedFinding(step, before.count)] }
    : { is: 'Act', step, correction };
}

/** Steps of these phases touch what others may write too. New nodes and new proofs are no corrections. */
function isShared(phase: Phase): boolean {
  switch (phase) {
    case 'APIServer':
    case 'ControllerManager':
    case 'ClusterConfig':
    case 'Proxy':
    case 'Pools':
    case 'CNIConfig':
    case 'CNIAgents':
    case 'DNS':
    case 'Services':
      return true;
    case 'Record':
    case 'NodeIPs':
    case 'PodCIDRs':
    case 'Workloads':
    case 'Verify':
      return false;
    default:
      return unreachable(phase);
  }
}

function contestedFinding(step: Step, count: number): Finding {
  return {
    reason: 'FieldContested',
    object: null,
    message: `${step.target} was put right ${count} times within an hour and is changed again each time: ${step.diff.map((change) => change.path).join(', ')}.`,
    remedy:
      'Find who changes it (kubectl get --show-managed-fields names the managers), and change it there; then edit the spec to go on.',
    blocks: [step.phase],
  };
}

/** A blocker stops its phases and all that follow them. */
function blockersOf(phase: Phase, { direction, findings }: Plan): readonly Finding[] {
  const order = phaseOrder(direction);
  const upTo = new Set(order.slice(0, order.indexOf(phase) + 1));
  return findings.filter((finding) => finding.blocks.some((blocked) => upTo.has(blocked)));
}

const isOverdue = (step: Step, memory: Memory, now: number): boolean =>
  memory.current?.id === step.id && now - memory.current.startedAt > step.timeoutSeconds * 1000;

/** Asked for again and again, it would keep the other instances from leading again and again. */
const notPassedOn = (step: Step): Decision => ({
  is: 'Failed',
  step,
  why: `${step.target} did not pass to the changed instance within ${step.timeoutSeconds} s`,
  remedy: 'See why that instance does not take the Lease (its log tells), mend it, then change the spec to try again.',
});

const overdue = (step: Step, why: string): Decision => ({
  is: 'Failed',
  step,
  why: `${step.target} was not as wanted after ${step.timeoutSeconds} s: ${why}`,
  remedy: 'Mend what it waits for; it goes on by itself as soon as that is so.',
});
