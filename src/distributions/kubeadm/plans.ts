import type { NodeFacts } from '../../model/facts.ts';
import type { StaticPod } from '../../model/host.ts';
import type { Wanted } from '../../model/wanted.ts';
import { apiServerPlan } from './api-server.ts';
import { managerPlan } from './controller-manager.ts';
import type { FlagPlan } from './flag-plan.ts';
import type { Instance } from './instances.ts';

const PLANS: Readonly<Record<StaticPod, typeof apiServerPlan>> = {
  'kube-apiserver': apiServerPlan,
  'kube-controller-manager': managerPlan,
};

/** What the flags of one instance of either component shall be. */
export const planFor = (wanted: Wanted, instance: Instance, node: NodeFacts): FlagPlan =>
  PLANS[instance.component](wanted, instance, node);
