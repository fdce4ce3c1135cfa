import type { ServiceFacts } from '../model/facts.ts';
import { asArray, asString, at, type KubeObject } from '../model/object.ts';
import type { Family } from '../net/family.ts';

/** All that is read of a Service here. */
export const SERVICE_FIELDS = [
  'metadata.labels',
  'spec.type',
  'spec.ipFamilyPolicy',
  'spec.ipFamilies',
  'spec.clusterIPs',
  'spec.selector',
] as const;

export function toServiceFacts(service: KubeObject): ServiceFacts {
  const clusterIPs = strings(at(service, 'spec', 'clusterIPs'));
  return {
    namespace: service.metadata.namespace ?? '',
    name: service.metadata.name,
    type: asString(at(service, 'spec', 'type')) ?? 'ClusterIP',
    policy: asString(at(service, 'spec', 'ipFamilyPolicy')) ?? '',
    families: strings(at(service, 'spec', 'ipFamilies')).filter(isFamily),
    clusterIPs,
    headless: clusterIPs.includes('None'),
    selector: Object.keys((at(service, 'spec', 'selector') as object | undefined) ?? {}).length > 0,
    labels: service.metadata.labels ?? {},
    resourceVersion: service.metadata.resourceVersion ?? '',
  };
}

const strings = (value: unknown): readonly string[] => asArray(value).flatMap((entry) => asString(entry) ?? []);
const isFamily = (text: string): text is Family => text === 'IPv4' || text === 'IPv6';
