import { FIRST_STATE, MIGRATE_LABEL } from '../api/names.ts';
import type { ServiceFacts } from '../model/facts.ts';
import type { Known } from '../model/reader.ts';
import { type Backends, serviceKey } from '../model/service.ts';
import { type Family, otherFamily } from '../net/family.ts';
import { balancerAnswer, type Site } from '../providers/load-balancers.ts';
import { unreachable } from '../result.ts';
import { backWay, firstStateOf, undoing } from './back.ts';
import type { ServiceReason } from './reasons.ts';
import type { FamilyChange, Situation, Verdict } from './verdict.ts';

/** The rules: what is done with a Service. What the API server would answer is in `api-server.ts`. */
export function judge(service: ServiceFacts, backends: Known<Backends>, situation: Situation): Verdict {
  const verdict = judgeByRules(service, backends, situation);
  return verdict.is === 'Migrate' ? (whyRefused(service, verdict.change, situation) ?? verdict) : verdict;
}

/** Who else has a say in what a Service may be, such as a webhook, is known only from the answer to a change. */
function whyRefused(service: ServiceFacts, change: FamilyChange, { refusals }: Situation): Verdict | null {
  const refusal = refusals?.[serviceKey(service)];
  if (refusal === undefined || refusal.isDue) return null;
  const isMeant =
    refusal.isContested === true
      ? change.families.length > service.families.length
      : refusal.resourceVersion === service.resourceVersion;
  if (!isMeant) return null;
  const { namespace, name } = service;
  return {
    is: 'Blocked',
    reason: 'Refused',
    why: `${refusal.why.replace(/\.$/u, '')}.`,
    remedy: `Mend what refuses it. It is tried again when the Service changes, and now and then; to leave it out: kubectl -n ${namespace} label service ${name} ${MIGRATE_LABEL}=false --overwrite.`,
  };
}

function judgeByRules(service: ServiceFacts, backends: Known<Backends>, situation: Situation): Verdict {
  const exempt = whyExempt(service);
  if (exempt !== null) return { is: 'Exempt', reason: exempt };
  const { wanted } = situation;
  const isWhole = wanted.every((family) => service.families.includes(family));
  if (isClusterDNS(service)) {
    return isWhole && service.families.length <= wanted.length
      ? { is: 'AsWanted' }
      : wait('ClusterDNS', 'it is changed together with the pods of cluster DNS');
  }
  if (wanted.length < 2) return backWay(service, situation);
  // To leave out what has been changed is how a person says that it shall be undone.
  if (isLeftOut(service)) return undoing(service, situation.served) ?? { is: 'Exempt', reason: 'LeftOut' };
  if (isWhole) return { is: 'AsWanted' };

  const blocked = whyBlocked(service, situation);
  if (blocked !== null) return blocked;
  const change = toBothFamilies(service);
  if (!isAsked(service, situation)) return { is: 'Could', change };
  return whyNotYet(service, backends, situation) ?? { is: 'Migrate', change };
}

const wait = (reason: ServiceReason, why: string): Verdict => ({ is: 'Wait', reason, why });

function whyExempt({ namespace, name, type, labels }: ServiceFacts): ServiceReason | null {
  if (type === 'ExternalName') return 'ExternalName';
  if (namespace === 'default' && name === 'kubernetes') return 'KubernetesDefault';
  return PROBE_LABEL in labels ? 'Probe' : null;
}

/** On Services of a proof. */
const PROBE_LABEL = 'dualstack.dev/probe';

const isLeftOut = ({ labels }: ServiceFacts): boolean => labels[MIGRATE_LABEL] === 'false';
export const isLabelled = ({ labels }: ServiceFacts): boolean => labels[MIGRATE_LABEL] === 'true';

export const isClusterDNS = ({ namespace, name }: ServiceFacts): boolean =>
  namespace === 'kube-system' && name === 'kube-dns';

function isAsked(service: ServiceFacts, { migration }: Situation): boolean {
  switch (migration) {
    case 'None':
      return false;
    case 'Selected':
      return isLabelled(service);
    case 'All':
      return true;
    default:
      return unreachable(migration);
  }
}

/**
 * The families are named, since the API server leaves a Service that says PreferDualStack alone until they change. Who asked for more than PreferDualStack
 * gets what they asked for.
 */
export function toBothFamilies({ policy, families }: ServiceFacts): FamilyChange {
  const [first = 'IPv4'] = families;
  return {
    policy: policy === 'RequireDualStack' ? policy : 'PreferDualStack',
    families: [first, otherFamily(first)],
  };
}

/** The label is a person's word that it may be tried, where nothing is known to go wrong. */
function whyBlocked(service: ServiceFacts, { site }: Situation): Verdict | null {
  if (service.type === 'LoadBalancer') {
    const blocked = whyBalancerBlocks(service, site);
    if (blocked !== null) return blocked;
  }
  const { owner, namespace, name } = service;
  if (firstStateOf(service) !== null) {
    return {
      is: 'Blocked',
      reason: 'PutBack',
      why: 'it was given both families by this program, and one was taken away again, by its label or by somebody else.',
      remedy: `If nobody knows why, find out who; to have it changed once more: kubectl -n ${namespace} annotate service ${name} ${FIRST_STATE}-`,
    };
  }
  if (owner === null || !owner.watches || isLabelled(service)) return null;
  const { policy, families } = toBothFamilies(service);
  return {
    is: 'Blocked',
    reason: 'KeptByOther',
    why: `${owner.text}: whoever that is would put its own values back.`,
    remedy: `Have it set spec.ipFamilyPolicy: ${policy} and spec.ipFamilies: [${families.join(', ')}], or have it done here: ${labelCommand(namespace, name)}.`,
  };
}

const labelCommand = (namespace: string, name: string): string =>
  `kubectl -n ${namespace} label service ${name} ${MIGRATE_LABEL}=true`;

function whyBalancerBlocks(service: ServiceFacts, site: Site): Verdict | null {
  const { namespace, name } = service;
  const answer = balancerAnswer(service, site);
  switch (answer.is) {
    case 'Can':
    case 'FirstOnly':
      return null;
    case 'Needs':
      return {
        is: 'Blocked',
        reason: 'LoadBalancerNeeds',
        why: `${answer.says}.`,
        remedy: `Annotate it: kubectl -n ${namespace} annotate service ${name} ${answer.annotation}`,
      };
    case 'NeedsTogether':
      return {
        is: 'Blocked',
        reason: 'LoadBalancerNeeds',
        why: `${answer.says}.`,
        remedy: `When its pods have addresses of both families, change all at once: kubectl -n ${namespace} patch service ${name} --type merge -p '${patchWith(service, answer.key, answer.value)}'`,
      };
    case 'Cannot':
      return {
        is: 'Blocked',
        reason: 'LoadBalancerCannot',
        why: `${answer.says}.`,
        remedy:
          answer.instead ??
          'Leave it as it is, and make a second Service of type NodePort or ClusterIP with both families for the same pods.',
      };
    case 'NotKnown':
      if (isLabelled(service)) return null;
      return {
        is: 'Blocked',
        reason: 'LoadBalancerNotKnown',
        why: `It is not known ${answer.says}.`,
        remedy: `Try it with a Service that nobody needs; then ${labelCommand(namespace, name)}.`,
      };
    default:
      return unreachable(answer);
  }
}

/** MetalLB refuses a Service that asks for addresses in both places. */
function patchWith(service: ServiceFacts, key: string, value: string): string {
  const { policy, families } = toBothFamilies(service);
  return JSON.stringify({
    metadata: { annotations: { [key]: value } },
    spec: {
      ipFamilyPolicy: policy,
      ipFamilies: families,
      ...(service.loadBalancerIP === '' ? {} : { loadBalancerIP: null }),
    },
  });
}

/** An address in DNS on which nobody answers yet is what clients would see of a migration that comes too soon. */
function whyNotYet(service: ServiceFacts, backends: Known<Backends>, { served }: Situation): Verdict | null {
  if (!served.known) return wait('ServedUnknown', served.why);
  const { families } = toBothFamilies(service);
  const lacking = families.find((family) => !served.value.includes(family));
  if (lacking !== undefined) return wait('ServerSingleStack', `the API servers give out no ${lacking} addresses yet`);
  if (!backends.known)
    return wait('BackendsUnknown', `what is behind ${serviceKey(service)} is not known: ${backends.why}`);
  return whyTooFew(service, backends.value, families);
}

function whyTooFew(
  { namespace, name }: ServiceFacts,
  { pods, endpoints }: Backends,
  [first, second]: readonly Family[],
): Verdict | null {
  if (first === undefined || second === undefined) return null;
  if (pods !== null) {
    const having = pods.having[second];
    const lacking = pods.lacking[second];
    if (pods.ready === 0 && lacking > 0) {
      return wait(
        'PodsLackFamily',
        `none of its pods is ready now, and ${lacking} of the ${pods.addressed} that have an address have no ${second} address`,
      );
    }
    return isEnough(pods.ready, having)
      ? null
      : wait('PodsLackFamily', `${pods.ready - having} of its ${pods.ready} ready pods have no ${second} address`);
  }
  if (isEnough(endpoints[first], endpoints[second])) return null;
  // No controller will ever make them.
  return {
    is: 'Blocked',
    reason: 'EndpointsLackFamily',
    why: `it has no selector, and ${endpoints[first]} ready ${first} endpoints and ${endpoints[second]} of ${second}.`,
    remedy: `Make EndpointSlices of addressType ${second} for it, or leave it out: kubectl -n ${namespace} label service ${name} ${MIGRATE_LABEL}=false --overwrite.`,
  };
}

/**
 * A quarter may be missing, rounded down: as many as a Deployment may be short of while it is rolled out, unless told otherwise
 * (https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#max-unavailable). Clients that prefer the second family all go to those that have
 * it. Pods that are not ready may be so the next moment: where none is ready, all that have an address are asked before.
 */
const isEnough = (ready: number, having: number): boolean => ready - having <= Math.floor(ready / 4);
