import type { WorkloadException, WorkloadsStatus } from '../api/cluster-status.ts';
import { clip, LIMITS } from '../api/fields.ts';
import { ownerText, type PodOwner, podsLacking } from '../model/pod-owner.ts';
import type { Step } from '../model/step.ts';
import type { Wanted } from '../model/wanted.ts';
import { isAsked, wasRestarted, whyNotRestarted } from '../plan/workload-steps.ts';
import { messageOf } from './plan-status.ts';

/** Counts of what keeps pods, by the families that all its pods have, and those with the most pods of one family. */
export function workloadsStatus(wanted: Wanted, owners: readonly PodOwner[], steps: readonly Step[]): WorkloadsStatus {
  const counted = owners.filter((owner) => owner.pods > 0);
  const single = counted.filter((owner) => podsLacking(owner, ['IPv4', 'IPv6']) > 0);
  const restarting = steps.find((step) => step.phase === 'Workloads' && step.state.is === 'InProgress');
  return {
    total: counted.length,
    dualStack: counted.length - single.length,
    singleStack: single.length,
    ...(restarting === undefined ? {} : { restarting: clip(restarting.target) }),
    exceptions: worstFirst(counted, wanted)
      .slice(0, LIMITS.exceptions)
      .map((owner) => exceptionOf(wanted, owner, steps)),
  };
}

/** Those whose pods lack a wanted family, the most pods first. */
export const worstFirst = (owners: readonly PodOwner[], wanted: Pick<Wanted, 'families'>): readonly PodOwner[] =>
  owners
    .filter((owner) => podsLacking(owner, wanted.families) > 0)
    .toSorted(
      (a, b) =>
        podsLacking(b, wanted.families) - podsLacking(a, wanted.families) || ownerText(a).localeCompare(ownerText(b)),
    );

function exceptionOf(wanted: Wanted, owner: PodOwner, steps: readonly Step[]): WorkloadException {
  const { kind, namespace, name, pods } = owner;
  const message = clip(noteOn(wanted, owner, steps));
  return { kind, namespace, name, pods, singleStack: podsLacking(owner, wanted.families), message };
}

/** What becomes of it, or what to do. */
export function noteOn(wanted: Wanted, owner: PodOwner, steps: readonly Step[]): string {
  const { kind, namespace, name } = owner;
  const step = steps.find((each) => each.phase === 'Workloads' && each.target === ownerText(owner));
  if (step !== undefined && step.state.is !== 'Satisfied') return messageOf(step);
  const why = whyNotRestarted(owner);
  if (why !== null) return why;
  const object = `${kind.toLowerCase()}/${name}`;
  if (wasRestarted(wanted, owner)) {
    return `It was restarted, and still has pods of one family: see whether they ask for one only. Again by: kubectl -n ${namespace} rollout restart ${object}.`;
  }
  return isAsked(wanted, owner)
    ? 'It is restarted in its turn.'
    : `Restart it when it suits: kubectl -n ${namespace} rollout restart ${object}.`;
}
