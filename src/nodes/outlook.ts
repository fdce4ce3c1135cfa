import type { BoundPlugins } from '../model/bound.ts';
import type { Plan } from '../model/plan.ts';
import { editsKubelet } from '../model/step.ts';
import type { Outlook } from './told.ts';

/** What decides on the causes of all nodes alike, from a pass. @param now Milliseconds since the epoch. */
export const outlookOf = ({ wanted, steps }: Plan, { cni, distribution }: BoundPlugins, now: number): Outlook => ({
  families: wanted.families,
  settings: wanted.nodes,
  usesPodCIDRs: cni.usesNodeIPAM,
  hostPodIPs: new Map(
    distribution
      .hostPods()
      .filter(({ hostNetwork, terminating, podIPs }) => hostNetwork && !terminating && podIPs.length > 0)
      .map(({ node, podIPs }) => [node, podIPs]),
  ),
  editsHosts: steps.some(editsKubelet),
  now,
});
