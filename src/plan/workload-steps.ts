import { NAMESPACE, RESTART_LABEL, RESTART_MARK } from '../api/names.ts';
import type { ClusterFacts } from '../model/facts.ts';
import type { Memory } from '../model/memory.ts';
import { type PodOwner, podsLacking, ownerText, type RestartFacts } from '../model/pod-owner.ts';
import type { Step, StepState } from '../model/step.ts';
import { cidrList, type Wanted } from '../model/wanted.ts';
import { unreachable } from '../result.ts';

/** A pod that is not ready so long after it was made holds the roll-out up for good: as long as Deployments take by default. */
const READY_WITHIN_MS = 600_000;
/** Seconds for one pod to be replaced. */
const SECONDS_PER_POD = READY_WITHIN_MS / 1000 + 60;

type Restarted = PodOwner & { readonly restart: RestartFacts };

/**
 * Pods get an address of a second family only when they are made anew. One workload at a time, by its own strategy; the next one begins when all
 * pods of the last are ready. On the way back nothing is restarted: a second address does no harm, and goes with its pod.
 */
export function workloadSteps(wanted: Wanted, facts: ClusterFacts, memory: Memory): readonly Step[] {
  const { workloads } = facts;
  if (wanted.direction === 'Back') return workloads.known ? workloads.value.filter(isRestartable).flatMap(unmark) : [];
  if (wanted.workloadRestart === 'None' || wanted.families.length < 2) return [];
  if (!workloads.known) return [unreadable(workloads.why)];
  const asked = workloads.value
    .filter(isRestartable)
    .filter((owner) => isAsked(wanted, owner) && (whyNotRestarted(owner) === null || isUnderWay(wanted, owner)));
  const settling = asked.find((owner) => isSettling(wanted, owner, facts.at)) ?? null;
  const isBegun = (owner: Restarted): boolean => wasRestarted(wanted, owner) && !owner.restart.rolledOut;
  return asked
    .toSorted((a, b) => Number(isBegun(b)) - Number(isBegun(a)))
    .map((owner) => restartStep(wanted, facts.at, owner, settling, memory));
}

const isRestartable = (owner: PodOwner): owner is Restarted => owner.restart !== null;

/** With `All` a workload is left out by its label. */
export const isAsked = (wanted: Wanted, { restart }: PodOwner): boolean =>
  restart !== null &&
  ((wanted.workloadRestart === 'All' && restart.label !== 'false') ||
    (wanted.workloadRestart === 'Selected' && restart.label === 'true'));

/** Null: it may be restarted. Else a sentence that says why it is left alone. */
export function whyNotRestarted(owner: PodOwner): string | null {
  const { kind, namespace, name, restart } = owner;
  if (restart === null)
    return `Pods of a ${kind} are not made anew by a restart: whoever made them has to make them again.`;
  if (namespace === NAMESPACE) return 'It is a part of this program.';
  if (namespace === 'kube-system' && name === 'coredns') return 'Cluster DNS is restarted in a step of its own.';
  if (restart.keeper !== null) return `${restart.keeper} keeps it: restart it there.`;
  switch (restart.obstacle) {
    case 'Paused':
      return `It is paused: kubectl -n ${namespace} rollout resume ${kindText(kind)}/${name}.`;
    case 'OnDelete':
      return 'Its update strategy is OnDelete: delete its pods one by one, each when the last is ready again.';
    case 'Partition':
      return 'Its roll-out stops at spec.updateStrategy.rollingUpdate.partition: the pods below it have to be deleted by hand.';
    case null:
      return null;
    default:
      return unreachable(restart.obstacle);
  }
}

const kindText = (kind: string): string => kind.toLowerCase();

const markOf = (wanted: Wanted): string => cidrList(wanted.families, wanted.pods).join();

/** It has been restarted for these very networks. */
export const wasRestarted = (wanted: Wanted, { restart }: PodOwner): boolean => restart?.mark === markOf(wanted);

const isUnderWay = (wanted: Wanted, owner: Restarted): boolean =>
  wasRestarted(wanted, owner) && !owner.restart.rolledOut && podsLacking(owner, wanted.families) > 0;

/** Its last pods have only just been made. One that fails much later, in its everyday life, does not count. */
const isSettling = (wanted: Wanted, owner: Restarted, now: number): boolean =>
  wasRestarted(wanted, owner) &&
  !owner.restart.rolledOut &&
  (podsLacking(owner, wanted.families) > 0 || now - Date.parse(owner.restart.youngestPod ?? '') < READY_WITHIN_MS);

const idOf = ({ kind, namespace, name }: PodOwner): string => `workloads/${kindText(kind)}/${namespace}/${name}`;

const refOf = ({ kind, namespace, name }: PodOwner) => ({ apiVersion: 'apps/v1', kind, namespace, name }) as const;

function restartStep(wanted: Wanted, now: number, owner: Restarted, settling: Restarted | null, memory: Memory): Step {
  const { restart } = owner;
  const mark = markOf(wanted);
  const isOurs = memory.current?.id === idOf(owner);
  return {
    kind: 'RolloutWorkload',
    id: idOf(owner),
    phase: 'Workloads',
    group: 'workloads',
    target: ownerText(owner),
    why: 'Its pods get an address of the new family only when they are made anew.',
    diff: restart.mark === mark ? [] : [{ path: `annotation ${RESTART_MARK}`, before: restart.mark, after: mark }],
    state: stateOf(wanted, now, owner, settling, isOurs),
    disrupts: {
      text: restart.allAtOnce
        ? 'all its pods end before new ones start (strategy Recreate)'
        : 'its pods are replaced as its own strategy says',
      seconds: [0, 0],
    },
    timeoutSeconds: SECONDS_PER_POD * Math.max(1, restart.desired),
    ref: refOf(owner),
    next: { is: 'Restart', mark: RESTART_MARK, value: mark, resourceVersion: restart.resourceVersion },
  };
}

function stateOf(
  wanted: Wanted,
  now: number,
  owner: Restarted,
  settling: Restarted | null,
  isOurs: boolean,
): StepState {
  const { restart } = owner;
  const lacking = podsLacking(owner, wanted.families);
  if (wasRestarted(wanted, owner)) {
    const isDone = restart.rolledOut || (lacking === 0 && !isOurs);
    return isDone ? { is: 'Satisfied', evidence: restartedText(owner, lacking) } : rollingState(owner, lacking, now);
  }
  if (lacking === 0) return { is: 'Satisfied', evidence: `its ${owner.pods} pods have both families` };
  if (!restart.rolledOut || restart.notReady !== null) {
    return { is: 'Deferred', why: `not all pods of ${ownerText(owner)} are ready before its restart` };
  }
  if (restart.budget !== null) {
    return {
      is: 'Deferred',
      why: `PodDisruptionBudget ${owner.namespace}/${restart.budget} allows no disruption of ${ownerText(owner)} now`,
    };
  }
  if (settling !== null) return { is: 'InProgress', why: `waits until ${ownerText(settling)} is rolled out` };
  return { is: 'Pending' };
}

const restartedText = (owner: PodOwner, lacking: number): string =>
  lacking === 0
    ? `restarted; its ${owner.pods} pods have both families`
    : `restarted; ${lacking} of its ${owner.pods} pods still have one family`;

function rollingState(owner: Restarted, lacking: number, now: number): StepState {
  const { notReady } = owner.restart;
  const { kind, namespace, name } = owner;
  const object = `${kindText(kind)}/${name}`;
  if (notReady !== null && now - Date.parse(notReady.since) > READY_WITHIN_MS) {
    return {
      is: 'Failed',
      why: `${ownerText(owner)} did not become ready after its restart: Pod ${notReady.pod} has not been ready since it was made at ${notReady.since}.`,
      remedy:
        `See why: kubectl -n ${namespace} describe pod ${notReady.pod}. To put its old template back and leave it out: ` +
        `kubectl -n ${namespace} label ${object} ${RESTART_LABEL}=false --overwrite && kubectl -n ${namespace} rollout undo ${object}.`,
    };
  }
  return {
    is: 'InProgress',
    why: lacking > 0 ? `${lacking} of its pods still have one family` : 'its last pods are not ready yet',
  };
}

const unreadable = (why: string): Step => ({
  kind: 'WaitFor',
  id: 'workloads/list',
  phase: 'Workloads',
  group: 'workloads',
  target: 'workloads of all namespaces',
  why: 'What shall be restarted must be known first.',
  diff: [],
  state: { is: 'Unknown', why },
  disrupts: null,
  timeoutSeconds: 300,
  what: 'a list of all workloads',
});

/** So that a later way forward restarts it again. An annotation of the workload itself makes no new pods. */
function unmark(owner: Restarted): readonly Step[] {
  if (owner.restart.mark === null) return [];
  return [
    {
      kind: 'ApplyObject',
      id: idOf(owner),
      phase: 'Workloads',
      group: 'workloads',
      target: ownerText(owner),
      why: 'The mark of its restart is taken away; its pods stay as they are.',
      diff: [{ path: `annotation ${RESTART_MARK}`, before: owner.restart.mark, after: null }],
      state: { is: 'Pending' },
      disrupts: null,
      timeoutSeconds: 60,
      ref: refOf(owner),
      write: { is: 'MergePatch', body: { metadata: { annotations: { [RESTART_MARK]: null } } }, resourceVersion: null },
    },
  ];
}
