import type { ServiceFacts } from '../model/facts.ts';
import { refText } from '../model/object.ts';
import { serviceKey } from '../model/service.ts';
import type { OneFamilyPolicy, TrafficRules } from '../model/traffic-rules.ts';
import { type Family, hasFamily } from '../net/family.ts';
import { balancerAnswer, type Site } from '../providers/load-balancers.ts';
import { toBothFamilies } from './rules.ts';

/**
 * What one should know of a Service before it gets its second family, in sentences. None of it keeps it from being migrated. `rules`: what else decides on traffic
 * to it; absent: nobody looked.
 */
export function notesOn(service: ServiceFacts, site: Site, rules?: RulesOnService): readonly string[] {
  const { policy, families } = toBothFamilies(service);
  const [, second = 'IPv6'] = families;
  return [
    ...rangeNotes(service, second),
    ...(service.type === 'NodePort' || service.type === 'LoadBalancer'
      ? [`Its node ports are then open on the ${second} addresses of the nodes too: see that firewalls cover these.`]
      : []),
    ...localNotes(service, second),
    ...(service.sessionAffinity === 'ClientIP'
      ? [
          'sessionAffinity: a client that changes from one family to the other counts as two, and may reach another pod.',
        ]
      : []),
    ...externalIPNotes(service, second),
    ...(service.headless && !service.selector
      ? [`Its DNS records are made of EndpointSlices that others keep: ${second} ones come from there alone.`]
      : []),
    ...(service.type === 'LoadBalancer' ? balancerNotes(service, site) : []),
    ...(rules === undefined ? [] : [...policyNotes(rules, second), ...frontNotes(rules, second)]),
    ...ownerNotes(service, `ipFamilyPolicy: ${policy} and ipFamilies: [${families.join(', ')}]`),
  ];
}

/** Of one Service. */
export interface RulesOnService {
  readonly policies: readonly OneFamilyPolicy[];
  /** What sends to it. */
  readonly fronts: readonly string[];
}

/** What is about a Service of all rules there are, looked up by namespace: there are thousands of Services. */
export function rulesByService({ policies, fronts }: TrafficRules): (service: ServiceFacts) => RulesOnService {
  const byNamespace = Map.groupBy(policies, ({ ref }) => ref.namespace);
  return (service) => ({
    policies: (byNamespace.get(service.namespace) ?? []).filter(
      ({ guards }) => guards !== null && isGuarded(service, guards),
    ),
    fronts: fronts[serviceKey(service)] ?? [],
  });
}

/** All pods that a Service selects are among those that a policy guards when it asks for no other labels. */
const isGuarded = ({ selector, selects }: ServiceFacts, guards: Readonly<Record<string, string>>): boolean =>
  selector && Object.entries(guards).every(([key, value]) => selects[key] === value);

const policyNotes = ({ policies }: RulesOnService, second: Family): readonly string[] =>
  policies
    .filter(({ family }) => family !== second)
    .map(
      ({ ref }) =>
        `${refText(ref)} lets in no ${second} network: clients that it lets in from outside over the other family are denied.`,
    );

const frontNotes = ({ fronts }: RulesOnService, second: Family): readonly string[] =>
  fronts.length === 0
    ? []
    : [
        `${fronts.join(', ')} sends to it: for ${second} clients its own controller or Gateway needs an ${second} address, and it may go to pods over either family then.`,
      ];

function localNotes(
  { type, externalTrafficPolicy, internalTrafficPolicy }: ServiceFacts,
  second: Family,
): readonly string[] {
  const fields = [
    ...(externalTrafficPolicy === 'Local' && (type === 'NodePort' || type === 'LoadBalancer')
      ? ['externalTrafficPolicy: Local']
      : []),
    ...(internalTrafficPolicy === 'Local' ? ['internalTrafficPolicy: Local'] : []),
  ];
  return fields.length === 0
    ? []
    : [`${fields.join(' and ')}: over ${second} only nodes answer that run one of its pods with an ${second} address.`];
}

function externalIPNotes({ externalIPs }: ServiceFacts, second: Family): readonly string[] {
  return externalIPs.length === 0 || hasFamily(externalIPs, second)
    ? []
    : [`spec.externalIPs names no ${second} address: there it is reached as before.`];
}

/** `loadBalancerSourceRanges` is a list of who is let in; what it says of a family that it does not name is up to each load balancer. */
function rangeNotes({ type, sourceRanges }: ServiceFacts, second: Family): readonly string[] {
  return type !== 'LoadBalancer' || sourceRanges.length === 0 || hasFamily(sourceRanges, second)
    ? []
    : [
        `spec.loadBalancerSourceRanges names no ${second} range: ${second} clients are kept out, or all let in, as its load balancer sees fit.`,
      ];
}

function balancerNotes(service: ServiceFacts, site: Site): readonly string[] {
  const answer = balancerAnswer(service, site);
  return answer.is === 'FirstOnly' ? [`From outside nothing changes: ${answer.says}.`] : [];
}

function ownerNotes({ owner, appliedBy }: ServiceFacts, fields: string): readonly string[] {
  const keepers = [
    ...(owner === null || owner.watches ? [] : [owner.text]),
    ...appliedBy.map((manager) => `applied by ${manager}`),
  ];
  return keepers.length === 0
    ? []
    : [`${keepers.join(', ')}: set ${fields} there as well, or it is lost with the next change that names them.`];
}
