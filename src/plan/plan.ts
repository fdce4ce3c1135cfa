import type { BoundPlugins } from '../model/bound.ts';
import type { ClusterFacts } from '../model/facts.ts';
import type { Finding } from '../model/finding.ts';
import type { Memory } from '../model/memory.ts';
import { type Direction, type Phase, phaseOrder } from '../model/phase.ts';
import type { Plan } from '../model/plan.ts';
import type { Recordable } from '../model/record.ts';
import type { Request } from '../model/request.ts';
import { byKind, editsKubelet, isRemedy, type Step } from '../model/step.ts';
import type { Wanted } from '../model/wanted.ts';
import type { Family } from '../net/family.ts';
import { byHand, isTooOld } from './by-hand.ts';
import { fingerprintOf } from './canonical.ts';
import { checkCluster } from './checks.ts';
import { dnsRecords, dnsSteps } from './dns-steps.ts';
import { guard } from './guard-steps.ts';
import { packetsSteps } from './packets-step.ts';
import { uncordonSteps } from './drain.ts';
import { checkPodCIDRs, podCIDRSteps } from './pod-cidrs.ts';
import { FIRST_FAMILIES_KEY, isRecordLost, recordLostFinding, recordStep } from './record-step.ts';
import { remedySteps } from './remedy-steps.ts';
import { serviceSteps } from './service-steps.ts';
import { checkTrafficRules } from './traffic-checks.ts';
import { verifySteps } from './verify-step.ts';
import { type Goal, settle } from './wanted.ts';
import { workloadSteps } from './workload-steps.ts';

/**
 * The ordered steps from the cluster as it is to what is asked. Pure: the same inputs give the same plan, so it may be made anew in
 * every pass, and by a command that only shows it.
 */
export function makePlan(
  request: Request,
  facts: ClusterFacts,
  plugins: BoundPlugins,
  memory: Memory,
  goal: Goal = 'Spec',
): Plan {
  const { wanted, findings, live } = settle(request, facts, plugins, goal);
  const isLost = isRecordLost(facts, live, memory);
  const recordables = isLost ? [] : recordablesOf(facts, plugins, live);
  const guarded = guard(wanted, facts, plugins.cni.nodeProofs(wanted, facts));
  const replacing = podCIDRSteps(wanted, facts, plugins);
  const own = plugins.distribution.steps(wanted, facts);
  const ordered = inOrder(wanted.direction, [
    recordStep(facts, recordables),
    ...guarded.steps,
    ...(own.some(editsKubelet) ? remedySteps(wanted, facts, memory) : []),
    ...own,
    ...uncordonSteps(wanted, facts, replacing),
    ...replacing,
    ...plugins.cni.steps(wanted, facts),
    ...dnsSteps(wanted, facts),
    ...serviceSteps(wanted, facts, memory),
    ...workloadSteps(wanted, facts, memory),
    ...verifySteps(wanted, facts, plugins, memory.proof),
    ...packetsSteps(wanted, facts, plugins, memory.connectivity, goal),
  ]);
  const steps = isTooOld(facts) ? byHand(ordered, wanted, facts) : ordered;
  return {
    direction: wanted.direction,
    wanted,
    hash: planHash(wanted, steps),
    steps,
    findings: unique([
      ...findings,
      ...(isLost ? [recordLostFinding] : []),
      ...guarded.findings,
      ...checkCluster(wanted, facts, plugins, steps),
      ...checkPodCIDRs(wanted, facts, plugins, steps),
      ...checkTrafficRules(wanted, facts),
      ...plugins.distribution.check(wanted, facts).filter((finding) => !isCuredBySteps(finding, ordered)),
      ...plugins.cni.check(wanted, facts).filter((finding) => !isCuredBySteps(finding, ordered)),
    ]),
    recordables,
  };
}

/**
 * While steps are open that give nodes the family, that it is missing stands in nobody's way: the CNI's own step waits for it. The same
 * with a pod CIDR too many: what it stands in the way of comes after the steps that take it away.
 */
const isCuredBySteps = (finding: Finding, steps: readonly Step[]): boolean =>
  (finding.reason === 'NodesWithoutFamily' &&
    steps.some((step) => step.kind === 'EditHost' && step.phase === 'NodeIPs' && isUnderWay(step))) ||
  (finding.reason === 'NodesWithTwoPodCIDRs' && steps.some((step) => step.kind === 'ReplaceNode' && isUnderWay(step)));

const isUnderWay = ({ state }: Step): boolean => state.is === 'Pending' || state.is === 'InProgress';

/** What could not be told is not recorded, and is as soon as it can be: a record is never overwritten. */
const recordablesOf = (facts: ClusterFacts, plugins: BoundPlugins, live: readonly Family[]): readonly Recordable[] => [
  ...(live.length === 0 ? [] : [{ key: FIRST_FAMILIES_KEY, value: { families: [...live] } }]),
  ...plugins.distribution.records(facts),
  ...plugins.cni.records(facts),
  ...dnsRecords(facts),
];

/** By phase; within one phase as the folder gave them. Remedies come right after the records, in either direction. */
function inOrder(direction: Direction, steps: readonly Step[]): readonly Step[] {
  const [first, ...others] = phaseOrder(direction);
  const byTurn = Map.groupBy(steps, (step) => (isRemedy(step) ? 'Remedy' : step.phase));
  const inTurn = [...(first === undefined ? [] : [first]), 'Remedy', ...others] as const;
  return inTurn.flatMap((turn) => byTurn.get(turn) ?? []);
}

/**
 * What is wanted and which kinds of step lead there: not how far the work is, which node leads, or how many nodes there are. So an
 * approval given before the work still holds in the middle of it. Remedies, changes of Services and restarts of workloads come and go;
 * what is wanted names whether they are asked for. Proofs change nothing, and of what image their pods are made a command beside the cluster cannot know.
 */
function planHash(wanted: Wanted, steps: readonly Step[]): string {
  const lasting = steps.filter((step) => !isRemedy(step) && !COMING_AND_GOING.includes(step.phase));
  return fingerprintOf({ wanted: { ...wanted, restore: undefined }, kinds: [...byKind(lasting).keys()].sort() });
}

const COMING_AND_GOING: readonly Phase[] = ['Services', 'Workloads', 'Verify'];

function unique(findings: readonly Finding[]): readonly Finding[] {
  const seen = new Set<string>();
  return findings.filter((finding) => {
    const key = JSON.stringify([finding.reason, finding.object, finding.message]);
    return seen.size < seen.add(key).size;
  });
}
