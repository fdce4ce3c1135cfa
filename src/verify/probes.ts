import { asArray, asString, asStrings, at, type KubeObject } from '../model/object.ts';
import type { ProofCheck } from '../model/outcome.ts';
import { type Family, familyAtSight } from '../net/family.ts';

/** A Service that is made for a moment, and what the API server must make of it. */
export interface ServiceProbe {
  readonly object: KubeObject;
  readonly families: readonly Family[];
}

export const PROBE_LABEL = 'dualstack.dev/probe';

/**
 * One Service for each way of asking for families that upstream's dual-stack suite checks
 * (`test/e2e/network/dual_stack.go` in kubernetes/kubernetes). Names carry a suffix, so that two runs do not meet.
 */
export function serviceProbes(families: readonly Family[], namespace: string, suffix: string): readonly ServiceProbe[] {
  const [primary, secondary] = families;
  if (primary === undefined) return [];
  const probe = (name: string, spec: object, expected: readonly Family[]): ServiceProbe => ({
    families: expected,
    object: {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: `dualstack-probe-${name}-${suffix}`, namespace, labels: { [PROBE_LABEL]: 'true' } },
      // No pod carries this label: the endpoint slice controller still makes one slice for each family.
      spec: { selector: { [PROBE_LABEL]: 'nothing' }, ports: [{ port: 80, protocol: 'TCP' }], ...spec },
    },
  });
  const single = [
    probe('default', {}, [primary]),
    probe('single', { ipFamilyPolicy: 'SingleStack', ipFamilies: [primary] }, [primary]),
    probe('prefer', { ipFamilyPolicy: 'PreferDualStack' }, families),
  ];
  if (secondary === undefined) return single;
  return [
    ...single,
    probe('second', { ipFamilyPolicy: 'SingleStack', ipFamilies: [secondary] }, [secondary]),
    probe('require', { ipFamilyPolicy: 'RequireDualStack' }, families),
    probe('reverse', { ipFamilyPolicy: 'RequireDualStack', ipFamilies: [secondary, primary] }, [secondary, primary]),
  ];
}

/** True once there is a slice for each family: before that the controller has simply not come round to it. */
export const hasAllSlices = (probe: ServiceProbe, slices: readonly KubeObject[]): boolean =>
  probe.families.every((family) => addressTypes(slices).includes(family));

/** What the API made of the Service, against what it must be. */
export function judgeProbe(probe: ServiceProbe, service: KubeObject, slices: readonly KubeObject[]): ProofCheck {
  const families = asStrings(at(service, 'spec', 'ipFamilies'));
  const clusterIPs = asStrings(at(service, 'spec', 'clusterIPs'));
  const types = addressTypes(slices);
  const ok =
    families.join() === probe.families.join() &&
    clusterIPs.map(familyAtSight).join() === probe.families.join() &&
    types.toSorted().join() === [...probe.families].sort().join();
  return {
    name: `Service ${probeName(probe)}`,
    ok,
    detail: `families ${families.join(',') || 'none'}, clusterIPs ${clusterIPs.join(',') || 'none'}, EndpointSlices ${types.join(',') || 'none'}; wanted ${probe.families.join(',')}`,
  };
}

/** The policy and families that a probe asks for, for people. */
export function probeName(probe: ServiceProbe): string {
  const policy = asString(at(probe.object, 'spec', 'ipFamilyPolicy')) ?? 'without policy';
  const asked = asArray(at(probe.object, 'spec', 'ipFamilies')).join(',');
  return asked === '' ? policy : `${policy} ${asked}`;
}

const addressTypes = (slices: readonly KubeObject[]): readonly string[] => [
  ...new Set(slices.flatMap((slice) => asString(at(slice, 'addressType')) ?? [])),
];
