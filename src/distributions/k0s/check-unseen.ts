import type { ClusterFacts } from '../../model/facts.ts';
import type { Finding } from '../../model/finding.ts';
import { isSatisfied } from '../../model/step.ts';
import type { Wanted } from '../../model/wanted.ts';
import { controllerSteps } from './controllers.ts';
import type { K0sFacts } from './facts.ts';
import { controllersOf } from './network.ts';

/**
 * Before Kubernetes 1.33 nothing in the API shows the networks of an API server, so on the way back a controller without an agent counts as done as soon as
 * it was restarted once, be it on the way there. What it is to be given is told all the same.
 */
export function checkUnseen(wanted: Wanted, facts: ClusterFacts, own: K0sFacts): readonly Finding[] {
  if (wanted.direction === 'Forward' || !own.serviceCIDR.known || own.serviceCIDR.value !== null) return [];
  const unseen = controllersOf(own).flatMap(({ name, report }) => (report === null ? [`k0s controller ${name}`] : []));
  return controllerSteps(wanted, facts, own).flatMap((step): readonly Finding[] => {
    if (step.kind !== 'Handoff' || !unseen.includes(step.target) || !isSatisfied(step)) return [];
    return [
      {
        reason: 'Unmanaged',
        object: null,
        message: `Nothing shows which networks ${step.target} has in its file, so that is not waited for: with both, Services there go on getting addresses of the family that leaves.`,
        remedy: `Where it has both still, ${step.command}`,
        blocks: [],
      },
    ];
  });
}
