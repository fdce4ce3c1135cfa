import { FIELD_MANAGER, GROUP } from '../api/names.ts';
import type { ServiceFacts } from '../model/facts.ts';
import { asArray, asNumber, asString, asStrings, at, type KubeObject } from '../model/object.ts';
import { ownerOf } from '../model/owner.ts';
import type { Family } from '../net/family.ts';
import { BALANCER_ANNOTATIONS } from '../providers/load-balancers.ts';

/** All that is read of a Service here. */
export const SERVICE_FIELDS = [
  'metadata.labels',
  'metadata.annotations',
  'metadata.ownerReferences.kind',
  'metadata.ownerReferences.name',
  'metadata.managedFields.manager',
  'metadata.managedFields.operation',
  'metadata.managedFields.time',
  'spec.type',
  'spec.ipFamilyPolicy',
  'spec.ipFamilies',
  'spec.clusterIPs',
  'spec.selector',
  'spec.loadBalancerClass',
  'spec.loadBalancerIP',
  'spec.loadBalancerSourceRanges',
  'spec.externalTrafficPolicy',
  'spec.internalTrafficPolicy',
  'spec.sessionAffinity',
  'spec.externalIPs',
  'spec.ports.protocol',
  'spec.ports.port',
] as const;

export function toServiceFacts(service: KubeObject): ServiceFacts {
  const clusterIPs = asStrings(at(service, 'spec', 'clusterIPs'));
  const selects = (at(service, 'spec', 'selector') as Record<string, string> | undefined) ?? {};
  return {
    namespace: service.metadata.namespace ?? '',
    name: service.metadata.name,
    type: asString(at(service, 'spec', 'type')) ?? 'ClusterIP',
    policy: asString(at(service, 'spec', 'ipFamilyPolicy')) ?? '',
    families: asStrings(at(service, 'spec', 'ipFamilies')).filter(isFamily),
    clusterIPs,
    headless: clusterIPs.includes('None'),
    selector: Object.keys(selects).length > 0,
    selects,
    labels: service.metadata.labels ?? {},
    resourceVersion: service.metadata.resourceVersion ?? '',
    annotations: telling(service.metadata.annotations ?? {}),
    owner: ownerOf(service),
    appliedBy: appliers(service),
    loadBalancerClass: asString(at(service, 'spec', 'loadBalancerClass')) ?? '',
    loadBalancerIP: asString(at(service, 'spec', 'loadBalancerIP')) ?? '',
    sourceRanges: asStrings(at(service, 'spec', 'loadBalancerSourceRanges')),
    externalTrafficPolicy: asString(at(service, 'spec', 'externalTrafficPolicy')) ?? '',
    internalTrafficPolicy: asString(at(service, 'spec', 'internalTrafficPolicy')) ?? '',
    sessionAffinity: asString(at(service, 'spec', 'sessionAffinity')) ?? '',
    externalIPs: asStrings(at(service, 'spec', 'externalIPs')),
    tcpPort: tcpPortOf(service),
    changedAt: appliedAt(service),
  };
}

/** The last manifest that kubectl applied is an annotation too: of thousands of Services that is more than all else together. */
const telling = (annotations: Readonly<Record<string, string>>): Readonly<Record<string, string>> =>
  Object.fromEntries(
    Object.entries(annotations).filter(([key]) => key.startsWith(`${GROUP}/`) || BALANCER_ANNOTATIONS.includes(key)),
  );

function appliers({ metadata }: KubeObject): readonly string[] {
  const managers = (metadata.managedFields ?? []).flatMap((entry) =>
    entry['operation'] === 'Apply' ? (asString(entry['manager']) ?? []) : [],
  );
  return [...new Set(managers)].filter((manager) => manager !== FIELD_MANAGER);
}

/** A port that says nothing of its protocol speaks TCP. */
function tcpPortOf(service: KubeObject): number | null {
  const port = asArray(at(service, 'spec', 'ports')).find((each) => (at(each, 'protocol') ?? 'TCP') === 'TCP');
  return asNumber(at(port, 'port')) ?? null;
}

/** The way back is a patch: what was put back has no apply of this program any more. */
const appliedAt = ({ metadata }: KubeObject): string =>
  (metadata.managedFields ?? []).flatMap((entry) =>
    entry['manager'] === FIELD_MANAGER && entry['operation'] === 'Apply' ? (asString(entry['time']) ?? []) : [],
  )[0] ?? '';

const isFamily = (text: string): text is Family => text === 'IPv4' || text === 'IPv6';
