import { FINDING_REASONS, type FindingReason } from '../model/finding-reasons.ts';

export { FINDING_REASONS, type FindingReason };

/**
 * Every reason that the operator gives, in a condition, a Finding or an Event, with what it means. The list is closed: the
 * reference is made of it, and a reason that is not here does not compile where `Reason` is asked for.
 */
export const CONDITION_REASONS = {
  NotObserved: 'Nobody has looked at the cluster yet.',
  Converged: 'The cluster is as the spec asks, and that was seen on its components.',
  NotConverged: 'The cluster is not, or not yet, as the spec asks.',
  Converting: 'Steps towards the wanted families are being carried out.',
  ConvertingBack: 'A family is being taken out of the cluster.',
  Paused: '`spec.paused` is true: nothing is changed.',
  PlanOnly: '`spec.mode` is Plan: nothing is changed.',
  AwaitingApproval: '`spec.approvedPlanHash` is not the hash of the plan: nothing is changed until it is.',
  WaitingForUser: 'A step that only a person can do is to be done; the message has the command.',
  Blocked: 'A fact of the cluster stands in the way; `status.plan.blockers` tells which.',
  StepFailed: 'A step failed or took longer than its time-out.',
  RollingBack: 'The cluster is being returned to its recorded first state.',
  RolledBack: 'The cluster was returned to its recorded first state; a change of the spec starts again.',
  Reverting: 'The resource is being deleted and the cluster returned to its first state.',
  AnotherGoverns: 'An older DualStackCluster governs this cluster.',
  Invalid: 'The spec breaks a rule; the message names the field.',
  Valid: 'The spec keeps all rules.',
  ObservationFailed: 'The cluster could not be read.',
  TransientError: 'The API server refused or did not answer; it is tried again.',
  InternalError: 'The operator came upon a mistake of its own; see its log.',
  NothingInTheWay: 'Nothing was found that blocks the plan.',
  DualStack: 'Both families are there.',
  SingleStack: 'One family is there.',
  Mixed: 'Some have both families and some do not.',
  NodesPending: 'Nodes that are down have not been converted; they are when they are back.',
  WorkloadsPending:
    'Workloads cannot be restarted, or Services changed, now; they are when what holds them up is over.',
  Undetermined: 'It could not be told.',
  NotManaged: 'This part is left to the user.',
  ProbesPassed: 'Every check of the last proof was as wanted, and nothing was changed since.',
  ProvenByAPI:
    'Every check through the API was as wanted. No packets were sent, because the operator does not know an image for probe pods.',
  ProbesFailed: 'A check of the last proof was not as wanted.',
  NotVerified: 'The result has not been proven yet, or something was changed since.',
  VerificationOff: '`spec.verification.mode` is None.',
} as const;

/** Reasons in the conditions of a DualStackNode, given by the agent there. */
export const NODE_REASONS = {
  Applied: 'Everything that the spec asks of this host is in force in the running processes.',
  Applying: 'A change is being made or waits for its component to come back.',
  Recording: 'First values are being recorded before the first change.',
  Waiting: 'Something has to happen first; the message says what.',
  Stopped: 'The stop file is there: the agent changes nothing.',
  NotAllowed: 'The spec asks for something that may not be changed; nothing of it is done.',
  AddressMissing: 'An address asked for is not on this host.',
  NotFound: 'A file or component that is to be changed is not on this host.',
  Drifted:
    'Somebody changed the host after the spec had been carried out. The agent puts it right when the operator asks: one node at a time.',
  Refused: 'A value was undone here before and is not tried again for this generation.',
  Failed: 'A change could not be made; the message says why.',
  Healthy: 'The components of this host run and answer.',
  NotHealthy: 'A component does not answer as healthy.',
  NotRunning: 'A component does not run.',
  KubeletNotRunning: 'The kubelet does not run.',
  ManifestUnusable: 'A static-pod manifest cannot be read or edited safely.',
  NothingRolledBack: 'Nothing was undone.',
  Undone: 'A value was undone because its component did not come back with it.',
} as const;

export type NodeReason = keyof typeof NODE_REASONS;
export type ConditionReason = keyof typeof CONDITION_REASONS;
export type Reason = ConditionReason | FindingReason | NodeReason;
