import { FIRST_STATE } from '../api/names.ts';
import type { ServiceFacts } from '../model/facts.ts';
import { asArray, asString, at } from '../model/object.ts';
import type { Family } from '../net/family.ts';
import { addressLeft } from '../providers/load-balancers.ts';
import { POLICIES } from './api-server.ts';
import type { FamilyChange, Situation, Verdict } from './verdict.ts';

/** What a Service said of its families before this program changed it. */
type FirstState = FamilyChange;

/** The text of the annotation that keeps it. */
export const firstStateText = ({ policy, families }: FirstState): string =>
  JSON.stringify({ ipFamilyPolicy: policy, ipFamilies: families });

/** Null: it was not changed by this program, or what stands there is not what it wrote. */
export function firstStateOf({ annotations }: ServiceFacts): FirstState | null {
  const text = annotations[FIRST_STATE];
  if (text === undefined) return null;
  const parsed = parse(text);
  const policy = POLICIES.find((each) => each === asString(at(parsed, 'ipFamilyPolicy')));
  const families = asArray(at(parsed, 'ipFamilies'));
  return policy === undefined || families.length === 0 || !families.every(isFamily) ? null : { policy, families };
}

const isFamily = (value: unknown): value is Family => value === 'IPv4' || value === 'IPv6';

/** An annotation is anybody's to write: a text that is no JSON counts as none. */
function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/**
 * The way back to a first state. While the API server serves both families it gives the second to any Service whose policy changes to PreferDualStack, so a
 * Service that said so and had one family is SingleStack for as long, and gets its policy back when the server has one family again. Nor does a server of one
 * family take a second one away but for SingleStack; and one that is headless and has no selector it gives both families in any case, unless it is SingleStack.
 */
export function undoChange(
  first: FirstState,
  now: Pick<ServiceFacts, 'families' | 'headless' | 'selector'>,
  served: readonly Family[],
): FamilyChange {
  const isTrap =
    first.families.length === 1 &&
    first.policy !== 'SingleStack' &&
    (served.length > 1 || now.families.length > first.families.length || (now.headless && !now.selector));
  return isTrap ? { policy: 'SingleStack', families: first.families } : first;
}

/** What becomes of a Service when a family leaves: what this program added goes, the rest is for those to decide who asked for it. */
export function backWay(service: ServiceFacts, { wanted, served }: Pick<Situation, 'wanted' | 'served'>): Verdict {
  const { families } = service;
  const [primary] = families;
  const leaving = families.filter((family) => !wanted.includes(family));
  if (leaving.length === 0) return undoing(service, served) ?? { is: 'AsWanted' };
  if (primary === undefined || !wanted.includes(primary)) {
    return {
      is: 'Blocked',
      reason: 'PrimaryLeaves',
      why: `its first family is ${primary ?? 'not known'}, which leaves, and cannot change.`,
      remedy: remadeWithout(service),
    };
  }
  const first = firstStateOf(service);
  if (first?.families.length === 1 && !isRequiredSince(service, first)) {
    return (
      undoing(service, served) ?? {
        is: 'Wait',
        reason: 'ServedUnknown',
        why: 'what it can be put back to is not known',
      }
    );
  }
  return {
    is: 'Blocked',
    reason: 'AskedByHand',
    why:
      first?.families.length === 1
        ? `it was given ${leaving.join(', ')} by this program, and somebody has made it RequireDualStack since.`
        : `it has ${leaving.join(', ')}, and this program did not give it.`,
    remedy: `Make it single-stack when no client needs ${leaving.join(', ')}: ${releaseCommand(service, { policy: 'SingleStack', families: [primary] })}.`,
  };
}

/** What this program writes is PreferDualStack, unless a Service said more before. */
const isRequiredSince = ({ policy }: ServiceFacts, first: FirstState): boolean =>
  policy === 'RequireDualStack' && first.policy !== policy;

/** All that has to change at once. */
function releaseCommand(
  { namespace, name, type, annotations }: ServiceFacts,
  { policy, families }: FamilyChange,
): string {
  const left = type === 'LoadBalancer' ? addressLeft({ annotations }, families[0] ?? 'IPv4') : null;
  const changes = {
    ...(left === null ? {} : { [left.key]: left.value }),
    ...(FIRST_STATE in annotations ? { [FIRST_STATE]: null } : {}),
  };
  const metadata = Object.keys(changes).length === 0 ? {} : { metadata: { annotations: changes } };
  const patch = JSON.stringify({ ...metadata, spec: { ipFamilyPolicy: policy, ipFamilies: families } });
  return `kubectl -n ${namespace} patch service ${name} -p '${patch}'`;
}

/**
 * A first family changes only with the object. Its text is saved before, for it goes with it. What the server chose for the old one is left out; but
 * `clusterIP: None` is what makes a Service headless.
 */
function remadeWithout({ namespace, name, type, headless }: ServiceFacts): string {
  const file = `${name}.yaml`;
  const addresses = headless ? '' : 'spec.clusterIP, spec.clusterIPs, ';
  const kept = headless ? ' and leave clusterIP: None' : '';
  const changes =
    type === 'LoadBalancer'
      ? ' Its external address may change too: see to DNS, and to a fixed address at the load balancer, before.'
      : '';
  return `Save it first: kubectl -n ${namespace} get service ${name} -o yaml > ${file}. Take ${addresses}spec.ipFamilies, spec.ipFamilyPolicy, metadata.uid, metadata.resourceVersion and status out of the file${kept}; then kubectl replace --force -f ${file}, which deletes it and makes it anew${headless ? '' : ' with another cluster IP'}.${changes}`;
}

/** The next change on the way back to what a Service said before this program changed it; null: there is none, or none now. */
export function undoing(service: ServiceFacts, served: Situation['served']): Verdict | null {
  const first = firstStateOf(service);
  const [primary] = service.families;
  if (first === null || !served.known || primary === undefined || first.families[0] !== primary) return null;
  // No change of such a Service is taken before its own family is served again.
  if (!served.value.includes(primary)) return null;
  const change = undoChange(first, service, served.value);
  const isThere = change.policy === service.policy && change.families.join() === service.families.join();
  if (isThere) return null;
  return whyAddressLost(service, change) ?? { is: 'Migrate', change };
}

/** With two addresses asked for and one family MetalLB gives none: what it has is lost to those clients too that were there before. */
function whyAddressLost(service: ServiceFacts, change: FamilyChange): Verdict | null {
  const [stays] = change.families;
  const isLost =
    service.type === 'LoadBalancer' &&
    stays !== undefined &&
    change.families.length < service.families.length &&
    addressLeft(service, stays) !== null;
  return isLost
    ? {
        is: 'Blocked',
        reason: 'LoadBalancerTakes',
        why: 'it asks MetalLB for an address of each family, and with one family it would have none.',
        remedy: `Change all at once: ${releaseCommand(service, change)}.`,
      }
    : null;
}
