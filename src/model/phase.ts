/**
 * The phases of a conversion, in the order in which they happen. Their reverse is the way back, with one exception:
 * a CNI's agents read its configuration once, when they start, so the configuration goes first in both directions.
 */
export const PHASES = [
  'Record',
  'NodeIPs',
  'APIServer',
  'ControllerManager',
  'ClusterConfig',
  'PodCIDRs',
  'Proxy',
  'Pools',
  'CNIConfig',
  'CNIAgents',
  'DNS',
  'Services',
  'Workloads',
  'Verify',
] as const;

export type Phase = (typeof PHASES)[number];

/** Towards more families (`Forward`), or towards fewer (`Back`): roll-back, `Revert` and dual → single alike. */
export type Direction = 'Forward' | 'Back';

const BACK_ORDER: readonly Phase[] = [
  'Record',
  'Workloads',
  'Services',
  'DNS',
  'CNIConfig',
  'CNIAgents',
  'Pools',
  'Proxy',
  'PodCIDRs',
  'ClusterConfig',
  'ControllerManager',
  'APIServer',
  'NodeIPs',
  'Verify',
];

export const phaseOrder = (direction: Direction): readonly Phase[] => (direction === 'Forward' ? PHASES : BACK_ORDER);

/** Every phase from the given one on: what a blocker usually blocks. */
export function fromPhase(phase: Phase, direction: Direction): readonly Phase[] {
  const order = phaseOrder(direction);
  return order.slice(order.indexOf(phase));
}
