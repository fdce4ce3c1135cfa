import type { LeaseFacts } from '../../model/manager-lease.ts';
import type { Known } from '../../model/reader.ts';
import type { StepState } from '../../model/step.ts';
import { flagOf, type Instance } from './instances.ts';

/** Seconds of leading after which Node IPAM has taken its flags: a bad one ends the process within a second of leading. */
const PROOF_SECONDS = 30;
/**
 * Seconds after which instances that all run unchanged need no further proof: a bad flag would have ended each of them on its turn to lead
 * long before. Without this an ordinary change of leader would look like unfinished work.
 */
const SETTLED_SECONDS = 600;

/** An instance that may hold the Lease, and whether its flags are as wanted. */
export interface Led {
  readonly instance: Instance;
  readonly hostname: string;
  readonly met: boolean;
}

/** Components take `<hostname>_<random>` as their name in a Lease. */
export const isHeldBy = (holder: string | undefined, { hostname }: Pick<Led, 'hostname'>): boolean =>
  holder?.startsWith(`${hostname}_`) ?? false;

/** Whether an instance with the wanted flags has led long enough, in the process that runs now. */
export function leaseProof(lease: Known<LeaseFacts | null>, all: readonly Led[], now: number): StepState {
  if (all.every((led) => isWell(led) && isSettled(led, now))) {
    return { is: 'Satisfied', evidence: `all instances run unchanged for ${SETTLED_SECONDS} s` };
  }
  const [only] = all;
  if (all.length === 1 && only !== undefined && flagOf(only.instance, 'leader-elect') === 'false') {
    return aloneProof(only, now);
  }
  if (!lease.known) return { is: 'Unknown', why: lease.why };
  return lease.value === null ? { is: 'InProgress', why: 'there is no Lease yet' } : holderProof(lease.value, all);
}

function holderProof({ holder, acquiredAt, renewedAt }: LeaseFacts, all: readonly Led[]): StepState {
  const leader = all.find((led) => isHeldBy(holder, led));
  if (leader === undefined) return { is: 'InProgress', why: `it is held by ${holder || 'nobody'}` };
  if (!leader.met) return { is: 'InProgress', why: `it is held by ${holder}, which has other flags` };
  if (leader.instance.ailment !== null) {
    return {
      is: 'InProgress',
      why: `${leader.instance.component} on ${leader.instance.node}: ${leader.instance.ailment}`,
    };
  }
  const { startedAt } = leader.instance;
  if (startedAt !== null && Date.parse(acquiredAt) < Date.parse(startedAt)) {
    return { is: 'InProgress', why: `${holder} took it before the process of now began` };
  }
  // Both times come from the holder's clock, so a clock that is off here does no harm.
  const held = (Date.parse(renewedAt) - Date.parse(acquiredAt)) / 1000;
  return held >= PROOF_SECONDS
    ? { is: 'Satisfied', evidence: `${holder} holds it since ${acquiredAt}` }
    : { is: 'InProgress', why: `${holder} holds it for less than ${PROOF_SECONDS} s` };
}

/** Without leader election the one instance leads as soon as it runs. */
const aloneProof = (only: Led, now: number): StepState =>
  isWell(only) && age(only, now) >= PROOF_SECONDS
    ? { is: 'Satisfied', evidence: `it runs without leader election since ${only.instance.startedAt}` }
    : { is: 'InProgress', why: `it runs for less than ${PROOF_SECONDS} s` };

const isWell = ({ instance, met }: Led): boolean => met && instance.ailment === null;

const isSettled = (led: Led, now: number): boolean => age(led, now) >= SETTLED_SECONDS;

const age = ({ instance }: Led, now: number): number =>
  instance.startedAt === null ? -1 : (now - Date.parse(instance.startedAt)) / 1000;
