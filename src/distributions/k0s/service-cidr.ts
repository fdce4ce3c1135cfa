import { sameRange } from '../../model/networks.ts';
import { remakeServiceCIDR } from '../../model/service-networks.ts';
import type { Step, StepBase, StepState } from '../../model/step.ts';
import { cidrList, type Wanted } from '../../model/wanted.ts';
import type { K0sFacts } from './facts.ts';
import { controllersOf } from './network.ts';

/** What the API keeps of the Service networks, where the server has such objects (from Kubernetes 1.33 on). */
export function serviceCIDRSteps(wanted: Wanted, own: K0sFacts, isReady: boolean): readonly Step[] {
  const range = cidrList(wanted.families, wanted.services).join(',');
  if (!own.serviceCIDR.known) return [waitStep(range, null, { is: 'Unknown', why: own.serviceCIDR.why })];
  const live = own.serviceCIDR.value;
  if (live === null) return [];
  if (live.length === 0) {
    return [waitStep(range, null, { is: 'Unknown', why: 'ServiceCIDR kubernetes names no networks' })];
  }
  const held = live.join(',');
  const isHeld = sameRange(held, range);
  if (wanted.direction === 'Back') return [remakeStep(range, held, isHeld, own)];
  if (isHeld) return [waitStep(range, held, { is: 'Satisfied', evidence: `ServiceCIDR kubernetes holds ${held}` })];
  return [waitStep(range, held, isReady ? { is: 'InProgress', why: `it holds ${held}` } : { is: 'Pending' })];
}

const base = (range: string, held: string | null): Omit<StepBase, 'why' | 'state'> => ({
  id: 'service-cidr',
  phase: 'APIServer',
  group: 'service-cidr',
  target: 'ServiceCIDR kubernetes',
  diff: held === range ? [] : [{ path: 'spec.cidrs', before: held, after: range }],
  disrupts: null,
  timeoutSeconds: 300,
});

const waitStep = (range: string, held: string | null, state: StepState): Step => ({
  kind: 'WaitFor',
  ...base(range, held),
  why: 'Service addresses come from this object; an API server that has two networks adds the second.',
  state,
  what: `ServiceCIDR kubernetes holds ${range}`,
});

/** Needs every API server to have one network before: where no agent is, nobody sees that, so it is asked for once more. */
function remakeStep(range: string, held: string, isHeld: boolean, own: K0sFacts): Step {
  const unseen = controllersOf(own).flatMap(({ name, report }) => (report === null ? [name] : []));
  const remake = remakeServiceCIDR(range);
  const first =
    unseen.length === 0
      ? ''
      : `first the file and the restart of k0s controller ${unseen.join(', ')}, as the plan has them (kubectl dualstack plan): no agent sees whether that is done; `;
  return {
    kind: 'Handoff',
    ...base(range, held),
    why: 'It still offers addresses of the family that leaves; the API servers make it again from their flags.',
    state: isHeld ? { is: 'Satisfied', evidence: `ServiceCIDR kubernetes holds ${held}` } : { is: 'Pending' },
    ...remake,
    command: `${first}${remake.command}`,
    // The proof at the end would fail on it, and nobody be asked for it.
    holdsUp: true,
  };
}
