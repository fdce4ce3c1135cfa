import type { ClusterFacts, NodeFacts } from '../../model/facts.ts';
import type { Step, StepBase, StepState } from '../../model/step.ts';
import { isSatisfied } from '../../model/step.ts';
import { cidrList, type Wanted } from '../../model/wanted.ts';
import { DEFAULT_SERVICE_CIDR, type KubeadmFacts } from './facts.ts';
import { type FlagPlan, restored } from './flag-plan.ts';
import { flagOf, type Instance, instancesOf } from './instances.ts';
import { startedFirst } from './order.ts';
import { keepSpelling, sameRange } from './ranges.ts';
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
  const allEdited = edits.every(isSatisfied);
  return wanted.direction === 'Forward'
    ? [...edits, gainsRange(wanted, own, allEdited)]
    : [...edits, ...losesRange(wanted, own, allEdited)];
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
      disrupts: { text: `the API server on ${node.name} restarts; the others go on`, seconds: [10, 40] },
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

/** An API server that starts with two ranges adds the second to the object by itself. */
function gainsRange(wanted: Wanted, own: KubeadmFacts, allEdited: boolean): Step {
  const range = cidrList(wanted.families, wanted.services).join(',');
  return {
    kind: 'WaitFor',
    ...serviceCIDRBase('service-cidr', own, range),
    why: 'Service addresses come from this object; the API servers fill it from their flags.',
    state: holdsState(range, own, allEdited),
    what: `ServiceCIDR kubernetes holds ${range}`,
  };
}

/**
 * The object keeps both ranges when the flags go back to one, so it is deleted; the API servers make it again from their flags within
 * seconds. Until then no Service can be made, which is why this comes last.
 */
function losesRange(wanted: Wanted, own: KubeadmFacts, allEdited: boolean): readonly Step[] {
  const range = cidrList(wanted.families, wanted.services).join(',');
  const uid = own.defaultServiceCIDR.known ? (own.defaultServiceCIDR.value?.uid ?? '') : '';
  return [
    {
      kind: 'ApplyObject',
      ...serviceCIDRBase('service-cidr/delete', own, null),
      why: 'The object still offers addresses of the family that leaves; the API servers make it again from their flags.',
      state: deletedState(range, own, allEdited),
      disrupts: { text: 'no Service can be created until the API servers have made it again', seconds: [1, 10] },
      ref: DEFAULT_SERVICE_CIDR,
      write: { is: 'Delete', uid },
    },
    {
      kind: 'WaitFor',
      ...serviceCIDRBase('service-cidr', own, range),
      why: 'Services can be created only when the API servers have made the object again.',
      state: holdsState(range, own, allEdited),
      what: `ServiceCIDR kubernetes holds ${range}`,
    },
  ];
}

function serviceCIDRBase(id: string, own: KubeadmFacts, after: string | null): Omit<StepBase, 'why' | 'state'> {
  const before = liveRange(own);
  return {
    id,
    phase: 'APIServer',
    group: 'service-cidr',
    target: 'ServiceCIDR kubernetes',
    diff: before === after ? [] : [{ path: 'spec.cidrs', before, after }],
    disrupts: null,
    timeoutSeconds: 300,
  };
}

const liveRange = (own: KubeadmFacts): string | null =>
  own.defaultServiceCIDR.known ? (own.defaultServiceCIDR.value?.cidrs.join(',') ?? null) : null;

function holdsState(range: string, own: KubeadmFacts, allEdited: boolean): StepState {
  if (!own.defaultServiceCIDR.known) return { is: 'Unknown', why: own.defaultServiceCIDR.why };
  const object = own.defaultServiceCIDR.value;
  if (object !== null && !object.deleting && sameRange(object.cidrs.join(','), range)) {
    return { is: 'Satisfied', evidence: `ServiceCIDR kubernetes holds ${range}` };
  }
  if (!allEdited) return { is: 'Pending' };
  return { is: 'InProgress', why: object === null ? 'it is not there yet' : `it holds ${object.cidrs.join(',')}` };
}

function deletedState(range: string, own: KubeadmFacts, allEdited: boolean): StepState {
  if (!own.defaultServiceCIDR.known) return { is: 'Unknown', why: own.defaultServiceCIDR.why };
  const object = own.defaultServiceCIDR.value;
  // Missing before the flags are back would be another's doing; the API servers make it again either way.
  if (object === null) return { is: 'Satisfied', evidence: 'it is gone' };
  if (sameRange(object.cidrs.join(','), range)) return { is: 'Satisfied', evidence: `it holds ${range} alone` };
  if (!allEdited) return { is: 'Pending' };
  return object.deleting
    ? { is: 'InProgress', why: 'it goes when no Service holds an address of it any more' }
    : { is: 'Pending' };
}
