import type { ClusterFacts, NodeFacts } from '../../model/facts.ts';
import { isSatisfied, type Step } from '../../model/step.ts';
import { cidrList, type Wanted } from '../../model/wanted.ts';
import type { KubeadmFacts } from './facts.ts';
import { type FlagPlan, restored } from './flag-plan.ts';
import { flagOf, type Instance, instancesOf } from './instances.ts';
import { startedFirst } from './order.ts';
import { keepSpelling } from './ranges.ts';
import { serviceCIDRSteps } from './service-cidr.ts';
import { staticPodStep } from './static-pod-step.ts';
import { hasServiceCIDRs } from './versions.ts';

const FLAG = 'service-cluster-ip-range';
const GROUP = 'api-server';

/** One API server after the other, then what they keep of it in the API: ServiceCIDR `kubernetes`. */
export function apiServerSteps(wanted: Wanted, facts: ClusterFacts, own: KubeadmFacts): readonly Step[] {
  const edits = startedFirst(
    instancesOf(own.instances, 'kube-apiserver').flatMap((instance) => {
      const node = facts.nodes.find((candidate) => candidate.name === instance.node);
      return node === undefined ? [] : [apiServerStep(wanted, instance, node)];
    }),
  );
  if (!hasServiceCIDRs(facts.basics.kubernetesVersion) || edits.length === 0) return edits;
  return [...edits, ...serviceCIDRSteps(wanted, own, edits.every(isSatisfied))];
}

function apiServerStep(wanted: Wanted, instance: Instance, node: NodeFacts): Step {
  return staticPodStep(
    { instance, node, plan: apiServerPlan(wanted, instance, node) },
    {
      phase: 'APIServer',
      group: GROUP,
      why:
        wanted.direction === 'Forward'
          ? 'Services get addresses of a family only when every API server has a range of it.'
          : 'No Service shall get an address of the family that leaves.',
      disrupts: { text: `the API server on ${node.name} restarts; the others go on`, seconds: [5, 40] },
    },
  );
}

export function apiServerPlan(wanted: Wanted, instance: Instance, node: NodeFacts): FlagPlan {
  const range = keepSpelling(flagOf(instance, FLAG), cidrList(wanted.families, wanted.services));
  const plan: FlagPlan = { set: { [FLAG]: range }, absent: [], defaults: {} };
  return wanted.direction === 'Forward'
    ? plan
    : restored(node.agent?.report?.recorded.staticPods?.['kube-apiserver'], plan);
}
