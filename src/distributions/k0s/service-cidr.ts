import { sameRange } from '../../model/networks.ts';
import type { Step, StepBase, StepState } from '../../model/step.ts';
import { cidrList, type Wanted } from '../../model/wanted.ts';
import type { K0sFacts } from './facts.ts';

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
  if (wanted.direction === 'Back') return [remakeStep(range, held, isHeld)];
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

/**
 * The object keeps both networks when the API servers have one again, so it must be made anew; and it cannot go while a Service has an address that no
 * other ServiceCIDR holds. Which needs every API server to have one network before: the last of them is seen by nobody here.
 */
const remakeStep = (range: string, held: string, isHeld: boolean): Step => ({
  kind: 'Handoff',
  ...base(range, held),
  why: 'It still offers addresses of the family that leaves; the API servers make it again from their flags.',
  state: isHeld ? { is: 'Satisfied', evidence: `ServiceCIDR kubernetes holds ${held}` } : { is: 'Pending' },
  command:
    'when every controller runs with its new file: kubectl create -f keeper.yaml && kubectl delete servicecidr kubernetes; when kubectl get servicecidr kubernetes shows it again: kubectl delete servicecidr dualstack-keeper',
  watches: `ServiceCIDR kubernetes with ${range} alone`,
  // The proof at the end would fail on it, and nobody be asked for it.
  holdsUp: true,
  snippets: [
    {
      file: 'keeper.yaml',
      text: `apiVersion: networking.k8s.io/v1\nkind: ServiceCIDR\nmetadata:\n  name: dualstack-keeper\nspec:\n  cidrs: ${JSON.stringify(range.split(','))}\n`,
    },
  ],
});
