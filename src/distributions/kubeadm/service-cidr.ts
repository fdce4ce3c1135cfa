import { DEFAULT_SERVICE_CIDR } from '../../model/service-networks.ts';
import type { Step, StepBase, StepState } from '../../model/step.ts';
import { cidrList, type Wanted } from '../../model/wanted.ts';
import { KEEPER_SERVICE_CIDR, type KubeadmFacts, type ServiceCIDRFacts } from './facts.ts';
import { sameRange } from './ranges.ts';

/** What of the ranges is kept in the API, once every API server has its flags. */
export function serviceCIDRSteps(wanted: Wanted, own: KubeadmFacts, allEdited: boolean): readonly Step[] {
  const range = cidrList(wanted.families, wanted.services).join(',');
  if (!own.defaultServiceCIDR.known) return [holds(range, null, { is: 'Unknown', why: own.defaultServiceCIDR.why })];
  if (!own.keeperServiceCIDR.known) return [holds(range, null, { is: 'Unknown', why: own.keeperServiceCIDR.why })];
  const view: View = {
    range,
    object: own.defaultServiceCIDR.value,
    keeper: own.keeperServiceCIDR.value,
    allEdited,
  };
  // On the way forward one is there only if a way back was broken off.
  const leftOver = view.keeper === null ? [] : [release(view)];
  return wanted.direction === 'Forward'
    ? [holds(range, view.object, holdsState(view)), ...leftOver]
    : [keep(view), remove(view), holds(range, view.object, holdsState(view)), release(view)];
}

interface View {
  /** What the object shall hold. */
  readonly range: string;
  readonly object: ServiceCIDRFacts | null;
  readonly keeper: ServiceCIDRFacts | null;
  readonly allEdited: boolean;
}

const isAsWanted = ({ object, range }: View): boolean =>
  object !== null && !object.deleting && sameRange(object.cidrs.join(','), range);

/** An API server that starts with two ranges adds the second to the object by itself; one that finds none makes it. */
function holds(range: string, object: ServiceCIDRFacts | null, state: StepState): Step {
  return {
    kind: 'WaitFor',
    ...base('service-cidr', DEFAULT_SERVICE_CIDR.name, object, range),
    why: 'Service addresses come from this object; the API servers fill it from their flags.',
    state,
    what: `ServiceCIDR kubernetes holds ${range}`,
  };
}

function holdsState(view: View): StepState {
  if (isAsWanted(view)) return { is: 'Satisfied', evidence: `ServiceCIDR kubernetes holds ${view.range}` };
  if (!view.allEdited) return { is: 'Pending' };
  const why = view.object === null ? 'it is not there yet' : `it holds ${view.object.cidrs.join(',')}`;
  return { is: 'InProgress', why };
}

/**
 * The object keeps both ranges when the flags go back to one, so it must be made anew; but it cannot go while a Service has an address that no
 * other ServiceCIDR holds, and without it no Service can be made. A second object with the primary network meets both.
 */
function keep(view: View): Step {
  const isThere = view.keeper !== null && !view.keeper.deleting;
  return {
    kind: 'ApplyObject',
    ...base('service-cidr/keep', KEEPER_SERVICE_CIDR.name, view.keeper, view.range),
    why: 'ServiceCIDR kubernetes can be made anew only while another one holds the addresses that are in use.',
    state:
      isAsWanted(view) || isThere
        ? { is: 'Satisfied', evidence: isThere ? 'it is there' : 'it is not needed any more' }
        : { is: 'Pending' },
    ref: KEEPER_SERVICE_CIDR,
    write: { is: 'Create', body: { spec: { cidrs: view.range.split(',') } } },
  };
}

function remove(view: View): Step {
  return {
    kind: 'ApplyObject',
    ...base('service-cidr/delete', DEFAULT_SERVICE_CIDR.name, view.object, null),
    why: 'It still offers addresses of the family that leaves; the API servers make it again from their flags.',
    state: removedState(view),
    ref: DEFAULT_SERVICE_CIDR,
    write: { is: 'Delete', uid: view.object?.uid ?? '' },
  };
}

function removedState(view: View): StepState {
  if (view.object === null) return { is: 'Satisfied', evidence: 'it is gone' };
  if (isAsWanted(view)) return { is: 'Satisfied', evidence: `it holds ${view.range} alone` };
  return view.object.deleting
    ? { is: 'InProgress', why: 'it goes when no other object is needed to hold an address in use' }
    : { is: 'Pending' };
}

function release(view: View): Step {
  return {
    kind: 'ApplyObject',
    ...base('service-cidr/release', KEEPER_SERVICE_CIDR.name, view.keeper, null),
    // Shown also while it is still to be made; gone for good, there is nothing to show.
    diff: isAsWanted(view) && view.keeper === null ? [] : [{ path: 'spec.cidrs', before: view.range, after: null }],
    why: 'ServiceCIDR kubernetes holds the network again.',
    state: releasedState(view),
    ref: KEEPER_SERVICE_CIDR,
    write: { is: 'Delete', uid: view.keeper?.uid ?? '' },
  };
}

function releasedState(view: View): StepState {
  if (!isAsWanted(view)) return { is: 'Pending' };
  if (view.keeper === null) return { is: 'Satisfied', evidence: 'it is gone' };
  return view.keeper.deleting ? { is: 'InProgress', why: 'it takes 10 s to go' } : { is: 'Pending' };
}

function base(
  id: string,
  name: string,
  object: ServiceCIDRFacts | null,
  after: string | null,
): Omit<StepBase, 'why' | 'state'> {
  const before = object?.cidrs.join(',') ?? null;
  return {
    id,
    phase: 'APIServer',
    group: 'service-cidr',
    target: `ServiceCIDR ${name}`,
    diff: before === after ? [] : [{ path: 'spec.cidrs', before, after }],
    disrupts: null,
    timeoutSeconds: 300,
  };
}
