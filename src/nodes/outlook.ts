import type { BoundPlugins } from '../model/bound.ts';
import { keyed } from '../model/keyed.ts';
import type { Plan } from '../model/plan.ts';
import type { Request } from '../model/request.ts';
import { editsKubelet } from '../model/step.ts';
import type { Outlook } from './told.ts';

/** What decides on the causes of all nodes alike, from a pass. @param now Milliseconds since the epoch. */
export const outlookOf = (plan: Plan, { cni, distribution }: BoundPlugins, request: Asked, now: number): Outlook => ({
  families: plan.wanted.families,
  settings: plan.wanted.nodes,
  usesPodCIDRs: cni.usesNodeIPAM,
  hostPodIPs: keyed(
    distribution
      .hostPods()
      .filter(({ hostNetwork, terminating, podIPs }) => hostNetwork && !terminating && podIPs.length > 0),
    ({ node }) => node,
    ({ podIPs }) => podIPs,
  ),
  editsHosts: plan.steps.some(editsKubelet),
  heldBy: heldBy(request, plan),
  now,
});

type Asked = Pick<Request, 'paused' | 'mode' | 'approvedPlanHash'>;

function heldBy({ paused, mode, approvedPlanHash }: Asked, { hash }: Plan): string | null {
  if (paused) return 'spec.paused is true.';
  if (mode === 'Plan') return 'spec.mode is Plan.';
  return approvedPlanHash === '' || approvedPlanHash === hash ? null : 'spec.approvedPlanHash names another plan.';
}
