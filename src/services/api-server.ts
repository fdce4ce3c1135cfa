import { type Family, otherFamily } from '../net/family.ts';

/**
 * What kube-apiserver makes of the family fields of a Service, retold from its source:
 * https://github.com/kubernetes/kubernetes/blob/v1.36.3/pkg/registry/core/service/storage/alloc.go (`initIPFamilyFields`, `updateClusterIPs`) and
 * https://github.com/kubernetes/kubernetes/blob/v1.36.3/pkg/apis/core/validation/validation.go (`ValidateServiceClusterIPsRelatedFields`,
 * `validateUpgradeDowngradeIPFamilies`). A test compares it with a real server, combination by combination.
 */

export const POLICIES = ['SingleStack', 'PreferDualStack', 'RequireDualStack'] as const;
export type Policy = (typeof POLICIES)[number];

export const SERVICE_TYPES = ['ClusterIP', 'NodePort', 'LoadBalancer', 'ExternalName'] as const;
type ServiceType = (typeof SERVICE_TYPES)[number];

/** A Service as far as families go. */
export interface Shape {
  readonly type: ServiceType;
  readonly selector: boolean;
  /** Its cluster IP is `None`. */
  readonly headless: boolean;
  /** Null: not set, as with ExternalName. */
  readonly policy: Policy | null;
  readonly families: readonly Family[];
  /** Families of its cluster IPs, in their order; none when it is headless. */
  readonly addresses: readonly Family[];
}

/** What a merge patch says of a Service; absent: nothing. */
export interface Change {
  readonly policy?: Policy;
  readonly families?: readonly Family[];
}

export type Answer =
  | { readonly is: 'Stored'; readonly shape: Shape }
  /** Such as `spec.ipFamilies[1]`, and why. */
  | { readonly is: 'Refused'; readonly field: string; readonly why: string };

/** The answer to a new Service. `served`: families that the server gives out addresses of, its default first. */
export function answerToCreate(asked: Omit<Shape, 'addresses'>, served: readonly Family[]): Answer {
  const shape: Shape = { ...asked, addresses: [] };
  return placed(shape.type === 'ExternalName' ? stored(shape) : settle(shape, null, served));
}

/** The answer to a merge patch of a Service that is there. */
export function answerToPatch(before: Shape, change: Change, served: readonly Family[]): Answer {
  const after: Shape = {
    ...before,
    policy: change.policy ?? before.policy,
    families: change.families ?? before.families,
  };
  if (after.type === 'ExternalName') return placed(stored(after));
  return isLeftAsItIs(before, after) ? stored(before) : placed(settle(after, before, served));
}

/** What the type does not allow is looked at last: an answer before that names other fields. */
const placed = (answer: Answer): Answer => (answer.is === 'Stored' ? (whyMisplaced(answer.shape) ?? answer) : answer);

const stored = (shape: Shape): Answer => ({ is: 'Stored', shape });
const refused = (field: string, why: string): Extract<Answer, { is: 'Refused' }> => ({ is: 'Refused', field, why });

/** Fields that the type does not allow (`validateService`). */
function whyMisplaced({ type, headless, policy, families }: Shape): Extract<Answer, { is: 'Refused' }> | null {
  switch (type) {
    case 'ClusterIP':
      return null;
    case 'NodePort':
    case 'LoadBalancer':
      return headless ? refused('spec.clusterIPs[0]', `may not be set to 'None' for ${type} services`) : null;
    case 'ExternalName':
      if (headless) return refused('spec.clusterIPs', 'may not be set for ExternalName services');
      if (families.length > 0) return refused('spec.ipFamilies', 'may not be set for ExternalName services');
      return policy === null ? null : refused('spec.ipFamilyPolicy', 'may not be set for ExternalName services');
  }
}

/**
 * A Service that says PreferDualStack before and after, with the same families, is not looked at any further: it neither gains nor loses a family
 * when the server's own families change. This is what keeps it single-stack after a conversion.
 */
const isLeftAsItIs = (before: Shape, after: Shape): boolean =>
  before.policy === 'PreferDualStack' && after.policy === 'PreferDualStack' && same(before.families, after.families);

const same = (left: readonly Family[], right: readonly Family[]): boolean => left.join() === right.join();

function settle(asked: Shape, before: Shape | null, served: readonly Family[]): Answer {
  const policy = asked.policy ?? (asked.headless && !asked.selector ? 'RequireDualStack' : 'SingleStack');
  const unfit = whyUnfit(asked);
  if (unfit !== null) return unfit;
  const isReleased = before !== null && policy === 'SingleStack';
  // That nothing else was changed makes the policy alone clear enough.
  const addresses = isReleased ? asked.addresses.slice(0, 1) : asked.addresses;
  const named = isReleased && same(before.families, asked.families) ? asked.families.slice(0, 1) : asked.families;
  const contradiction = whyContradicting(policy, named, before);
  if (contradiction !== null) return contradiction;

  const unserved = addresses.findIndex((family, index) => index >= named.length && !served.includes(family));
  if (unserved !== -1) return refused(`spec.clusterIPs[${unserved}]`, 'its family is not configured on this cluster');
  const inferred = [...named, ...addresses.slice(named.length)];

  if (asked.headless && !asked.selector) {
    // Its endpoints are made by others: the server neither minds which families it serves itself, nor gives out anything.
    return stored({ ...asked, policy, families: completed(policy, inferred, served), addresses: [] });
  }
  if (policy === 'RequireDualStack' && served.length < 2) {
    return refused('spec.ipFamilyPolicy', 'this cluster is not configured for dual-stack services');
  }
  const foreign = inferred.findIndex((family) => !served.includes(family));
  if (foreign !== -1) return refused(`spec.ipFamilies[${foreign}]`, 'not configured on this cluster');
  const families = served.length < 2 ? inferred.concat(served).slice(0, 1) : completed(policy, inferred, served);
  const kept = whyNotKept(asked, before, families);
  return kept ?? stored({ ...asked, policy, families, addresses: asked.headless ? [] : families });
}

/** Without families the server's default; and with a policy that is not SingleStack the other one as well. */
function completed(policy: Policy, families: readonly Family[], served: readonly Family[]): readonly Family[] {
  const [first = served[0], second] = families;
  if (first === undefined) return [];
  if (second !== undefined) return families;
  return policy === 'SingleStack' ? [first] : [first, otherFamily(first)];
}

/** Families twice, or in another order than the addresses that it has. */
function whyUnfit({ families, addresses }: Shape): Extract<Answer, { is: 'Refused' }> | null {
  const twice = families.findIndex((family, index) => families.indexOf(family) < index);
  if (twice !== -1) return refused(`spec.ipFamilies[${twice}]`, 'is there twice');
  const other = addresses.findIndex((family, index) => index < families.length && families[index] !== family);
  return other === -1
    ? null
    : refused(`spec.clusterIPs[${other}]`, `expected an ${families[other] ?? ''} value as indicated by \`ipFamilies\``);
}

function whyContradicting(
  policy: Policy,
  families: readonly Family[],
  before: Shape | null,
): Extract<Answer, { is: 'Refused' }> | null {
  if (policy === 'SingleStack') {
    return families.length > 1
      ? refused(
          'spec.ipFamilyPolicy',
          "must be 'RequireDualStack' or 'PreferDualStack' when multiple IP families are specified",
        )
      : null;
  }
  const isReduced = before !== null && families.length > 0 && families.length < before.families.length;
  return isReduced ? refused('spec.ipFamilyPolicy', "must be 'SingleStack' to release the secondary IP family") : null;
}

/** The first family of a Service with cluster IPs stays. */
function whyNotKept(
  { headless }: Shape,
  before: Shape | null,
  families: readonly Family[],
): Extract<Answer, { is: 'Refused' }> | null {
  if (headless || before === null) return null;
  return before.families[0] === families[0] ? null : refused('spec.ipFamilies[0]', 'may not change once set');
}
