import type { ClusterFacts, ServiceFacts } from '../model/facts.ts';
import { oncePer } from '../model/once.ts';
import { known, unknown, type Known } from '../model/reader.ts';
import { type Backends, serviceKey } from '../model/service.ts';
import type { Wanted } from '../model/wanted.ts';
import { FAMILIES, type Family, familyAtSight } from '../net/family.ts';
import { siteOf } from '../providers/site.ts';
import { unreachable } from '../result.ts';
import { notesOn, rulesByService, type RulesOnService } from './notes.ts';
import type { Only } from './only.ts';
import { SERVICE_REASONS } from './reasons.ts';
import { judge } from './rules.ts';
import type { Situation, Verdict } from './verdict.ts';

/** `Trapped`: it asks for both families and has one, and the API server will not give it the other by itself. */
export type Stack = 'Dual' | 'Single' | 'Trapped' | 'None';

/** One Service, and what becomes of it. */
export interface ServiceView {
  readonly service: ServiceFacts;
  readonly backends: Known<Backends>;
  readonly stack: Stack;
  readonly verdict: Verdict;
  readonly notes: readonly string[];
}

/** All Services: those on which somebody has to act first. Plan, findings and report are made of the same. */
export const serviceViews: (facts: ClusterFacts, wanted: Wanted) => Known<readonly ServiceView[]> = oncePer(viewsOf);

function viewsOf(facts: ClusterFacts, wanted: Wanted): Known<readonly ServiceView[]> {
  if (!facts.services.known) return facts.services;
  const situation = situationOf(facts, wanted);
  const rulesOn = facts.trafficRules === undefined ? undefined : rulesByService(facts.trafficRules);
  const views = facts.services.value.map((service) => viewOf(service, facts, situation, rulesOn?.(service)));
  return known(
    views.toSorted((a, b) => rankOf(a) - rankOf(b) || compare(serviceKey(a.service), serviceKey(b.service))),
  );
}

const situationOf = (facts: ClusterFacts, wanted: Wanted): Situation => ({
  served: servedFamilies(facts),
  wanted: wanted.families,
  migration: wanted.serviceMigration,
  site: siteOf(facts.nodes, facts.basics.kubernetesVersion),
  ...(facts.refusals === undefined ? {} : { refusals: facts.refusals }),
});

function viewOf(
  service: ServiceFacts,
  facts: ClusterFacts,
  situation: Situation,
  rules: RulesOnService | undefined,
): ServiceView {
  const backends = backendsOf(service, facts);
  const stack = stackOf(service);
  return {
    service,
    backends,
    stack,
    verdict: judge(service, backends, situation),
    notes: stack === 'Single' || stack === 'Trapped' ? notesOn(service, situation.site, rules) : [],
  };
}

function backendsOf(service: ServiceFacts, { backends }: ClusterFacts): Known<Backends> {
  if (backends === undefined) return unknown('nobody has looked');
  if (!backends.known) return backends;
  const found = backends.value[serviceKey(service)];
  return found === undefined ? unknown('it was made after pods and EndpointSlices were looked at') : known(found);
}

function stackOf({ type, policy, families }: ServiceFacts): Stack {
  if (type === 'ExternalName') return 'None';
  if (families.length > 1) return 'Dual';
  return policy === 'SingleStack' ? 'Single' : 'Trapped';
}

/**
 * Families that the API servers give out addresses of, their default first. Servers that have no ServiceCIDR show it by the addresses that are there, which
 * proves what they serve and not what they do not.
 */
function servedFamilies({ serviceCIDR, services }: ClusterFacts): Known<readonly Family[]> {
  if (serviceCIDR.known) return known(serviceCIDR.value.map(familyAtSight));
  const given = services.known
    ? services.value.flatMap(({ clusterIPs }) => clusterIPs.filter(isAddress).map(familyAtSight))
    : [];
  const seen = [...new Set(given)];
  return seen.length === FAMILIES.length ? known(seen) : serviceCIDR;
}

const isAddress = (ip: string): boolean => ip !== 'None' && ip !== '';

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** Those that wait for a person come first, those with which all is well last. */
function rankOf({ verdict, stack }: ServiceView): number {
  switch (verdict.is) {
    case 'Blocked':
      return stack === 'Trapped' ? 0 : 1;
    case 'Wait':
      return 3;
    case 'Migrate':
      return 4;
    case 'Could':
      return stack === 'Trapped' ? 2 : 5;
    case 'AsWanted':
      return 6;
    case 'Exempt':
      return 7;
    default:
      return unreachable(verdict);
  }
}

export function isAmong({ stack, verdict }: ServiceView, only: Only): boolean {
  switch (only) {
    case 'single':
      return verdict.is !== 'Exempt' && (stack === 'Single' || stack === 'Trapped');
    case 'trapped':
      return verdict.is !== 'Exempt' && stack === 'Trapped';
    case 'blocked':
      return verdict.is === 'Blocked';
    case 'pending':
      return verdict.is === 'Migrate' || verdict.is === 'Wait';
    default:
      return unreachable(only);
  }
}

/** Numbers of Services that have, or could have, families; those of a proof are not counted. */
export interface ServiceCounts {
  readonly total: number;
  readonly dualStack: number;
  readonly singleStack: number;
  readonly trapped: number;
  readonly blocked: number;
  readonly pending: number;
}

export function countServices(views: readonly ServiceView[]): ServiceCounts {
  const counted = views.filter(
    ({ stack, verdict }) => stack !== 'None' && !(verdict.is === 'Exempt' && verdict.reason === 'Probe'),
  );
  const count = (which: (view: ServiceView) => boolean): number => counted.filter(which).length;
  const dualStack = count(({ stack }) => stack === 'Dual');
  return {
    total: counted.length,
    dualStack,
    singleStack: counted.length - dualStack,
    trapped: count((view) => isAmong(view, 'trapped')),
    blocked: count((view) => isAmong(view, 'blocked')),
    pending: count((view) => isAmong(view, 'pending')),
  };
}

/** The verdict in a word for a column. */
export function verdictWord(verdict: Verdict): string {
  switch (verdict.is) {
    case 'Wait':
    case 'Blocked':
    case 'Exempt':
      return verdict.reason;
    case 'AsWanted':
      return '-';
    case 'Migrate':
      return 'Next';
    case 'Could':
      return 'NotAsked';
    default:
      return unreachable(verdict);
  }
}

/** What becomes of it or what to do, in sentences; empty: nothing. */
export function verdictText({ verdict, service }: ServiceView): string {
  switch (verdict.is) {
    case 'AsWanted':
      return '';
    case 'Exempt':
      return SERVICE_REASONS[verdict.reason];
    case 'Migrate':
      return 'It is changed in its turn.';
    case 'Wait':
      return `${SERVICE_REASONS[verdict.reason]} Seen: ${verdict.why}.`;
    case 'Could':
      return `Ask for it: kubectl -n ${service.namespace} label service ${service.name} dualstack.dev/migrate=true.`;
    case 'Blocked':
      return `${capital(verdict.why)} ${verdict.remedy}`;
    default:
      return unreachable(verdict);
  }
}

const capital = (text: string): string => `${text.slice(0, 1).toUpperCase()}${text.slice(1)}`;
