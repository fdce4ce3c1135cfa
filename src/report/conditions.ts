import type { NodesStatus } from '../api/cluster-status.ts';
import type { ClusterConditionType, ConditionUpdate } from '../api/conditions.ts';
import { clip } from '../api/fields.ts';
import type { ConditionReason, FindingReason } from '../api/reasons.ts';
import type { Finding } from '../model/finding.ts';
import { isBlocker } from '../model/finding.ts';
import { listText } from '../model/list-text.ts';
import { isSatisfied, type Step } from '../model/step.ts';
import { hasFamily } from '../net/family.ts';
import { unreachable } from '../result.ts';
import { missingText } from './missing-text.ts';
import { messageOf } from './plan-status.ts';
import type { Looked, Said } from './status.ts';

type Update = ConditionUpdate<ClusterConditionType>;
type Status = Update['status'];

/** What is said of the whole: the three conditions by which kstatus judges. */
interface Verdict {
  readonly ready: boolean;
  readonly reconciling: boolean;
  readonly stalled: boolean;
  readonly reason: ConditionReason;
  readonly message: string;
}

const LONGEST_MESSAGE = 2000;
/** So many unexpected exceptions in a row are no bad moment any more. */
const GIVEN_UP_AFTER = 5;

export function conditionsWithoutLook(said: Exclude<Said, Looked>, generation: number): readonly Update[] {
  const at = (type: ClusterConditionType, status: Status, reason: ConditionReason, message: string): Update => ({
    type,
    status,
    reason,
    message: clip(message, LONGEST_MESSAGE),
    observedGeneration: generation,
  });
  switch (said.is) {
    case 'Invalid': {
      const message = said.problems.map(({ path, message: text }) => `${path}: ${text}`).join('; ');
      return [
        ...overall({ ready: false, reconciling: false, stalled: true, reason: 'Invalid', message }, at),
        at('SpecValid', 'False', 'Invalid', message),
      ];
    }
    case 'AnotherGoverns': {
      const message = `DualStackCluster ${said.name} is older and governs this cluster. Delete one of the two.`;
      return overall({ ready: false, reconciling: false, stalled: true, reason: 'AnotherGoverns', message }, at);
    }
    case 'Unreadable': {
      const message = `The cluster could not be looked at, and is tried again: ${said.message}`;
      return overall({ ready: false, reconciling: true, stalled: false, reason: 'ObservationFailed', message }, at);
    }
    case 'Mishap': {
      const stalled = said.times >= GIVEN_UP_AFTER;
      // The count is not told each time: that would be one more write for each try.
      const how = stalled ? `${GIVEN_UP_AFTER} times in a row; it is tried less and less often` : 'and tries again';
      const message = `The operator came upon a mistake of its own (${how}): ${said.message} Please report it with the operator's log.`;
      return overall({ ready: false, reconciling: !stalled, stalled, reason: 'InternalError', message }, at);
    }
    default:
      return unreachable(said);
  }
}

type Say = (type: ClusterConditionType, status: Status, reason: ConditionReason, message: string) => Update;

const truth = (value: boolean): Status => (value ? 'True' : 'False');

const overall = ({ ready, reconciling, stalled, reason, message }: Verdict, at: Say): readonly Update[] => [
  at('Ready', truth(ready), reason, message),
  at('Reconciling', truth(reconciling), reason, message),
  at('Stalled', truth(stalled), reason, message),
];

export function conditionsAfterLook(said: Looked, nodes: NodesStatus, generation: number): readonly Update[] {
  const at: Say = (type, status, reason, message) => ({
    type,
    status,
    reason,
    message: clip(message, LONGEST_MESSAGE),
    observedGeneration: generation,
  });
  const blockers = said.plan.findings.filter(isBlocker);
  return [
    ...overall(verdict(said), at),
    at('SpecValid', 'True', 'Valid', 'The spec keeps all rules.'),
    blockers.length === 0
      ? at('PreflightPassed', 'True', 'NothingInTheWay', 'Nothing stands in the way of the plan.')
      : at('PreflightPassed', 'False', 'Blocked', findingsText(blockers)),
    nodesCondition(said, nodes, at),
    partCondition('ControlPlaneDualStack', said, ['APIServer', 'ControllerManager', 'ClusterConfig'], at),
    partCondition('KubeProxyDualStack', said, ['Proxy'], at),
    partCondition('NetworkPluginDualStack', said, ['Pools', 'CNIConfig', 'CNIAgents'], at),
    partCondition('ServicesDualStack', said, ['DNS', 'Services'], at),
    connectivity(said, at),
  ];
}

const working = (reason: ConditionReason, message: string): Verdict => ({
  ready: false,
  reconciling: true,
  stalled: false,
  reason,
  message,
});

/** It will not go on by itself. */
const stopped = (reason: ConditionReason, message: string): Verdict => ({
  ready: false,
  reconciling: false,
  stalled: true,
  reason,
  message,
});

/** Nothing is being done, because that was asked for. */
const resting = (reason: ConditionReason, message: string): Verdict => ({
  ready: false,
  reconciling: false,
  stalled: false,
  reason,
  message,
});

function verdict(said: Looked): Verdict {
  const { decision, plan, memory, refused } = said;
  const progress = `${plan.steps.filter(isSatisfied).length} of ${plan.steps.length} steps done`;

  if (memory.rollBack?.state === 'Done') {
    return stopped(
      'RolledBack',
      `The first state was restored, because ${memory.rollBack.reason} Mend the cause, then change the spec to try again. ${NOT_AS_BEFORE}`,
    );
  }
  switch (decision.is) {
    case 'Done':
      return { ready: true, reconciling: false, stalled: false, reason: 'Converged', message: doneText(said) };
    case 'Act':
    case 'Wait': {
      const what = decision.is === 'Wait' ? `${decision.step.target}: ${decision.why}` : decision.step.target;
      if (refused !== null) {
        const text = `${progress}; ${decision.step.target}: ${refused.message}`;
        return refused.kind === 'Transient' ? working('TransientError', text) : working('Blocked', text);
      }
      return working(workReason(said), `${progress}; now ${decision.step.phase}: ${what}.`);
    }
    case 'Blocked':
      return decision.findings.some(needsSpecChange)
        ? stopped('Blocked', findingsText(decision.findings))
        : working('Blocked', findingsText(decision.findings));
    case 'Failed':
      return stopped('StepFailed', `${decision.why} ${decision.remedy}`);
    case 'Paused':
      return resting(
        'Paused',
        `spec.paused is true: nothing is changed. ${progress}; next would be ${decision.step.target}.`,
      );
    case 'PlanOnly':
      return resting(
        'PlanOnly',
        `spec.mode is Plan: nothing is changed. Plan ${plan.hash} has ${plan.steps.length} steps.`,
      );
    case 'AwaitingApproval':
      return resting(
        'AwaitingApproval',
        `spec.approvedPlanHash is not ${plan.hash}: read status.plan, then approve it by setting spec.approvedPlanHash: ${plan.hash}.`,
      );
    case 'WaitingForUser':
      return working(
        'WaitingForUser',
        `${decision.step.target}: ${messageOf(decision.step)} ${handoffText(decision.step)}`,
      );
    case 'NodesPending':
      return pending(decision.steps);
    default:
      return unreachable(decision);
  }
}

function pending(steps: readonly Step[]): Verdict {
  const nodes = steps.filter(({ phase }) => phase !== 'Workloads' && phase !== 'Services');
  if (nodes.length > 0) {
    const names = nodes.map((step) => step.target).join(', ');
    return working(
      'NodesPending',
      `All is done but for nodes that are away: ${names}. They follow when they are back.`,
    );
  }
  const [first] = steps;
  const more = steps.length > 1 ? `; and ${steps.length - 1} more` : '';
  return working(
    'WorkloadsPending',
    `All is done but for what cannot be changed now: ${first === undefined ? '' : messageOf(first)}${more}.`,
  );
}

function workReason({ plan, goal, deleting }: Looked): ConditionReason {
  if (deleting) return 'Reverting';
  if (goal === 'FirstState') return 'RollingBack';
  return plan.direction === 'Forward' ? 'Converting' : 'ConvertingBack';
}

const handoffText = (step: Step): string => (step.kind === 'Handoff' ? `Run: ${step.command}` : '');

/** What no way back brings back. */
const NOT_AS_BEFORE =
  'Not as before: Nodes that were replaced and ServiceCIDR kubernetes are new objects with the same content, pods keep the addresses that they have until they are made anew, and network devices of the plug-in stay on the hosts until these boot.';

function doneText({ plan, facts }: Looked): string {
  const { families } = plan.wanted;
  const nodes = facts.nodes.filter((node) => families.every((family) => hasFamily(node.internalIPs, family))).length;
  const now = `The cluster runs with ${families.join(' and ')}: ${nodes} of ${facts.nodes.length} Nodes have an address of each.`;
  const cameBack = families.length === 1 && facts.records.known && Object.keys(facts.records.value).length > 0;
  return cameBack ? `${now} ${NOT_AS_BEFORE}` : now;
}

/** These end only when the user changes the spec; all others when the cluster does. */
const SPEC_REASONS: ReadonlySet<FindingReason> = new Set([
  'PrimaryFamilyMismatch',
  'ExistingCIDRImmutable',
  'NetworkImmutable',
  'SecondaryCIDRMissing',
  'PrimaryCIDRUnknown',
  'CIDROverlap',
  'PrefixNotAllowed',
  'NodeCapacityExhausted',
  'EncapsulationUnsupported',
  'EncapsulationMismatch',
  'PoolBlockSize',
  'UnsupportedVersion',
  'PlatformUnsupported',
  'Unmanaged',
  'AnotherOwner',
  'FieldContested',
]);
const needsSpecChange = (finding: Finding): boolean => SPEC_REASONS.has(finding.reason);

const findingsText = (findings: readonly Finding[]): string =>
  findings.map(({ reason, message, remedy }) => `${reason}: ${message} ${remedy}`).join(' ');

function nodesCondition({ plan, facts }: Looked, nodes: NodesStatus, at: Say): Update {
  const { families } = plan.wanted;
  const total = facts.nodes.length;
  if (families.length === 1) {
    return at('NodesDualStack', 'False', 'SingleStack', `One family is asked for: ${families.join()}.`);
  }
  if (nodes.dualStack === total)
    return at('NodesDualStack', 'True', 'DualStack', `All ${total} Nodes have an address of each family.`);
  const reason = nodes.dualStack === 0 ? 'SingleStack' : 'Mixed';
  return at('NodesDualStack', 'False', reason, missingText(nodes, families));
}

function partCondition(
  type: ClusterConditionType,
  { plan }: Looked,
  phases: readonly Step['phase'][],
  at: Say,
): Update {
  const steps = plan.steps.filter((step) => phases.includes(step.phase));
  if (steps.length === 0) return at(type, 'Unknown', 'NotManaged', 'Nothing of this is managed in this cluster.');
  const open = steps.filter((step) => !isSatisfied(step));
  const dual = plan.wanted.families.length > 1;
  if (!dual) return at(type, 'False', 'SingleStack', `One family is asked for: ${plan.wanted.families.join()}.`);
  if (open.length === 0) return at(type, 'True', 'DualStack', `All ${steps.length} steps are seen to be done.`);
  const targets = listText([...new Set(open.map((step) => step.target))]);
  return at(
    type,
    'False',
    open.length === steps.length ? 'SingleStack' : 'Mixed',
    `${open.length} of ${steps.length} steps are open: ${targets}.`,
  );
}

/** True only when every proof that can be made holds; where none can be made with packets, that is said. */
function connectivity({ plan, memory, facts }: Looked, at: Say): Update {
  const type = 'ConnectivityVerified';
  if (plan.wanted.verification === 'None') {
    return at(type, 'Unknown', 'VerificationOff', 'spec.verification.mode is None.');
  }
  const steps = plan.steps.filter(({ kind }) => kind === 'Verify' || kind === 'VerifyPackets');
  const failed = steps.find(({ state }) => state.is === 'Failed');
  if (failed?.kind === 'Verify') {
    const wrong = memory.proof?.checks.filter((check) => !check.ok) ?? [];
    return at(type, 'False', 'ProbesFailed', wrong.map((check) => `${check.name}: ${check.detail}`).join('; '));
  }
  if (failed !== undefined) return at(type, 'False', 'ProbesFailed', messageOf(failed));
  const lost = memory.connectivity !== null && memory.connectivity.failedInRow > 0;
  const packets = steps.find(({ kind }) => kind === 'VerifyPackets');
  if (lost && packets !== undefined && isSatisfied(packets))
    return at(type, 'False', 'ProbesFailed', messageOf(packets));
  if (steps.length > 0 && steps.every(isSatisfied)) {
    const proven = steps.map((step) => `${messageOf(step).replace(/\.$/u, '')}.`).join(' ');
    return facts.probeImage === undefined
      ? at(
          type,
          'True',
          'ProvenByAPI',
          `${proven} Proven through the API only, no packets were sent: ${WHY_NO_PACKETS}`,
        )
      : at(type, 'True', 'ProbesPassed', proven);
  }
  const open = steps.find((step) => step.state.is === 'InProgress');
  const text = open === undefined ? 'Nothing was proven yet of the cluster as it is now.' : messageOf(open);
  return at(type, 'False', 'NotVerified', text);
}

const WHY_NO_PACKETS =
  'the operator does not know the image for probe pods, because it does not run as a pod. Give it --probe-image.';
