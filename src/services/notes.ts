import type { ServiceFacts } from '../model/facts.ts';
import { balancerAnswer, type Site } from '../providers/load-balancers.ts';
import { toBothFamilies } from './rules.ts';

/** What one should know of a Service before it gets its second family, in sentences. None of it keeps it from being migrated. */
export function notesOn(service: ServiceFacts, site: Site): readonly string[] {
  const { policy, families } = toBothFamilies(service);
  const [, second = 'IPv6'] = families;
  return [
    ...rangeNotes(service, second),
    ...(service.type === 'NodePort' || service.type === 'LoadBalancer'
      ? [`Its node ports are then open on the ${second} addresses of the nodes too: see that firewalls cover these.`]
      : []),
    ...(service.headless && !service.selector
      ? [`Its DNS records are made of EndpointSlices that others keep: ${second} ones come from there alone.`]
      : []),
    ...(service.type === 'LoadBalancer' ? balancerNotes(service, site) : []),
    ...ownerNotes(service, `ipFamilyPolicy: ${policy} and ipFamilies: [${families.join(', ')}]`),
  ];
}

/** `loadBalancerSourceRanges` is a list of who is let in; what it says of a family that it does not name is up to each load balancer. */
function rangeNotes({ type, sourceRanges }: ServiceFacts, second: string): readonly string[] {
  const isNamed = sourceRanges.some((range) => range.includes(':') === (second === 'IPv6'));
  return type !== 'LoadBalancer' || sourceRanges.length === 0 || isNamed
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
    : [`${keepers.join(', ')}: set ${fields} there as well, or it is lost with the next change.`];
}
