import type { ClusterFacts } from '../../model/facts.ts';
import { MANAGER_LEASE } from '../../model/manager-lease.ts';
import { isSatisfied, type Step, type StepState } from '../../model/step.ts';
import type { Controller, K0sFacts } from './facts.ts';
import { PROOF_SECONDS } from './lease.ts';
import { clusterSettings } from './network.ts';

/** Longer than a Lease lives after its holder was kept from renewing it (15 s), with room for the next one to take it. */
const TRANSFER_SECONDS = 60;

export interface Turn {
  readonly controller: Controller;
  readonly step: Step;
}

/**
 * Node IPAM checks its networks only in the leader, so wrong ones would pass unseen on every standby. Hence the first controller that was changed must lead
 * for a while before another is touched. With dynamic configuration one object changes all at once, and there is nothing to hold back; nor where a step
 * holds nothing up, because nobody sees whether it is done.
 *
 * @param turns In the order in which they are changed.
 */
export function withTransfer(turns: readonly Turn[], facts: ClusterFacts, own: K0sFacts): readonly Step[] {
  const steps = turns.map(({ step }) => step);
  const areFirm = steps.every((step) => step.kind === 'EditHost' || (step.kind === 'Handoff' && step.holdsUp === true));
  if (turns.length < 2 || !facts.leaseTransfer || clusterSettings(own) !== null || !areFirm) return steps;
  const begun = steps.filter(({ state }) => state.is !== 'Pending' && state.is !== 'Unknown').length;
  const head = turns.slice(0, Math.max(begun, 1));
  return [...steps.slice(0, head.length), transferStep(turns, head, facts, own), ...steps.slice(head.length)];
}

function transferStep(turns: readonly Turn[], head: readonly Turn[], facts: ClusterFacts, own: K0sFacts): Step {
  return {
    kind: 'TransferLease',
    id: 'controller-manager/transfer-lease',
    phase: 'APIServer',
    group: 'controller-manager-transfer',
    target: 'Lease kube-system/kube-controller-manager',
    why: 'Node IPAM checks its networks only in the leader: the first controller with the new ones must lead before another is changed.',
    diff: [],
    state: turns.every(({ step }) => isSatisfied(step))
      ? { is: 'Satisfied', evidence: 'all controllers have the wanted networks' }
      : transferState(turns, head, facts, own),
    disrupts: { text: 'controllers pause until the new leader has started them', seconds: [5, 30] },
    timeoutSeconds: 300,
    lease: MANAGER_LEASE,
    holderPrefix: `${candidateOf(head)?.controller.name ?? ''}_`,
    forSeconds: TRANSFER_SECONDS,
  };
}

const candidateOf = (head: readonly Turn[]): Turn | undefined => head.find(({ step }) => isSatisfied(step)) ?? head[0];

function transferState(
  turns: readonly Turn[],
  head: readonly Turn[],
  { at }: ClusterFacts,
  { lease, transfer }: K0sFacts,
): StepState {
  const candidate = candidateOf(head);
  if (candidate === undefined || !isSatisfied(candidate.step)) return { is: 'Pending' };
  if (!lease.known) return { is: 'Unknown', why: lease.why };
  const { holder = '', acquiredAt = '', renewedAt = '' } = lease.value ?? {};
  const leader = head.find(({ controller, step }) => isSatisfied(step) && isHeldBy(holder, controller));
  if (leader === undefined) {
    // A wrong name would shut out every instance, so the names of the hosts count only where the holder of now has one of them.
    if (!turns.some(({ controller }) => isHeldBy(holder, controller))) {
      const names = turns.map(({ controller }) => controller.name).join(', ');
      return {
        is: 'InProgress',
        why: `the Lease is held by ${holder || 'nobody'}, which is none of the hosts ${names}`,
      };
    }
    const isUnderWay = transfer?.holderPrefix === `${candidate.controller.name}_` && Date.parse(transfer.until) > at;
    return isUnderWay
      ? { is: 'InProgress', why: `the Lease is still held by ${holder || 'nobody'}` }
      : { is: 'Pending' };
  }
  const startedAt = leader.controller.report?.running['kube-controller-manager']?.startedAt;
  if (startedAt !== undefined && Date.parse(acquiredAt) < Date.parse(startedAt)) {
    return { is: 'InProgress', why: `${holder} took it before the process of now began` };
  }
  // Both times come from the holder's clock, so a clock that is off here does no harm.
  return (Date.parse(renewedAt) - Date.parse(acquiredAt)) / 1000 >= PROOF_SECONDS
    ? { is: 'Satisfied', evidence: `${holder} holds it since ${acquiredAt}` }
    : { is: 'InProgress', why: `${holder} holds it for less than ${PROOF_SECONDS} s` };
}

/** Components take `<hostname>_<random>` as their name in a Lease. */
export const isHeldBy = (holder: string, { name }: Controller): boolean => holder.startsWith(`${name}_`);
