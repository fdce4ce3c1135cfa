import { asArray, asString, at, type KubeObject, type ObjectRef, refText } from '../model/object.ts';
import type { PagedReader } from '../model/reader.ts';
import { serviceKey } from '../model/service.ts';
import type { Omission, OneFamilyPolicy, TrafficRules } from '../model/traffic-rules.ts';
import { parseCidr } from '../net/cidr.ts';
import type { Family } from '../net/family.ts';

/** What a policy says of networks; null: it names none, or both families. */
type Judged = Omit<OneFamilyPolicy, 'ref'> | null;

interface PolicyKind {
  readonly apiVersion: string;
  readonly kind: string;
  readonly judge: (policy: KubeObject) => Judged;
}

/** Policies whose networks are written in them. Those that are not served are passed over. */
const POLICY_KINDS: readonly PolicyKind[] = [
  { apiVersion: 'networking.k8s.io/v1', kind: 'NetworkPolicy', judge: judgeNetworkPolicy },
  { apiVersion: 'policy.networking.k8s.io/v1alpha1', kind: 'AdminNetworkPolicy', judge: judgeByAction },
  { apiVersion: 'policy.networking.k8s.io/v1alpha1', kind: 'BaselineAdminNetworkPolicy', judge: judgeByAction },
  { apiVersion: 'crd.projectcalico.org/v1', kind: 'NetworkPolicy', judge: judgeByAction },
  { apiVersion: 'crd.projectcalico.org/v1', kind: 'GlobalNetworkPolicy', judge: judgeByAction },
  { apiVersion: 'cilium.io/v2', kind: 'CiliumNetworkPolicy', judge: judgeCilium },
  { apiVersion: 'cilium.io/v2', kind: 'CiliumClusterwideNetworkPolicy', judge: judgeCilium },
  { apiVersion: 'admissionregistration.k8s.io/v1', kind: 'ValidatingAdmissionPolicy', judge: judgeText },
  { apiVersion: 'kyverno.io/v1', kind: 'ClusterPolicy', judge: judgeText },
  { apiVersion: 'kyverno.io/v1', kind: 'Policy', judge: judgeText },
];

/** All that sends requests from outside to Services by their names. */
const FRONT_KINDS = [
  { apiVersion: 'networking.k8s.io/v1', kind: 'Ingress', backends: ingressBackends },
  { apiVersion: 'gateway.networking.k8s.io/v1', kind: 'HTTPRoute', backends: routeBackends },
  { apiVersion: 'gateway.networking.k8s.io/v1', kind: 'GRPCRoute', backends: routeBackends },
  { apiVersion: 'gateway.networking.k8s.io/v1alpha2', kind: 'TCPRoute', backends: routeBackends },
  { apiVersion: 'gateway.networking.k8s.io/v1alpha2', kind: 'TLSRoute', backends: routeBackends },
] as const;

/** Reads them page by page; nothing that cannot be read keeps the rest from being told. */
export async function readTrafficRules(read: PagedReader): Promise<TrafficRules> {
  const policies: OneFamilyPolicy[] = [];
  const fronts: Record<string, string[]> = {};
  const unread: TrafficRules['unread'][number][] = [];
  const each = async (apiVersion: string, kind: string, use: (object: KubeObject) => void): Promise<void> => {
    for await (const page of read({ apiVersion, kind })) {
      if (page.is === 'Found') page.value.forEach(use);
      if (page.is === 'Unreadable') unread.push({ kind: `${kind} (${apiVersion})`, why: page.why });
    }
  };
  for (const { apiVersion, kind, judge } of POLICY_KINDS) {
    await each(apiVersion, kind, (policy) => {
      const judged = judge(policy);
      if (judged !== null) policies.push({ ref: refOf(policy, apiVersion, kind), ...judged });
    });
  }
  for (const { apiVersion, kind, backends } of FRONT_KINDS) {
    await each(apiVersion, kind, (front) => {
      for (const key of new Set(backends(front))) (fronts[key] ??= []).push(refText(refOf(front, apiVersion, kind)));
    });
  }
  return { policies, fronts, unread };
}

const refOf = ({ metadata: { name, namespace } }: KubeObject, apiVersion: string, kind: string): ObjectRef => ({
  apiVersion,
  kind,
  name,
  ...(namespace === undefined ? {} : { namespace }),
});

/** Rules only ever let through: who is in none of them is denied (https://kubernetes.io/docs/concepts/services-networking/network-policies/). */
function judgeNetworkPolicy(policy: KubeObject): Judged {
  const inward = onlyPeers(asArray(at(policy, 'spec', 'ingress')), 'from');
  const family = inward ?? onlyPeers(asArray(at(policy, 'spec', 'egress')), 'to');
  if (family === null) return null;
  return { family, omission: 'Denied', guards: inward === null ? null : matchLabels(policy) };
}

/** Null also where a rule lets everybody through. */
function onlyPeers(rules: readonly unknown[], side: 'from' | 'to'): Family | null {
  const peers = rules.map((rule) => asArray(at(rule, side)));
  return peers.some((list) => list.length === 0) ? null : onlyFamily(peers.flat().map((peer) => at(peer, 'ipBlock')));
}

/** Null: it also selects by expressions. */
function matchLabels(policy: KubeObject): OneFamilyPolicy['guards'] {
  const selector = at(policy, 'spec', 'podSelector');
  if (asArray(at(selector, 'matchExpressions')).length > 0) return null;
  return (at(selector, 'matchLabels') as Record<string, string> | undefined) ?? {};
}

/**
 * Calico's own policies, and those of administrators: each rule says whether it lets through
 * (https://docs.tigera.io/calico/latest/reference/resources/globalnetworkpolicy, https://network-policy-api.sigs.k8s.io/api-overview/).
 */
function judgeByAction(policy: KubeObject): Judged {
  const rules = ['ingress', 'egress'].flatMap((side) => asArray(at(policy, 'spec', side)));
  const denying = rules.filter((rule) => at(rule, 'action') === 'Deny');
  return judgedLists(
    denying,
    rules.filter((rule) => !denying.includes(rule)),
  );
}

/** https://docs.cilium.io/en/stable/security/policy/language/#cidr-based and `#deny-policies` */
function judgeCilium(policy: KubeObject): Judged {
  const specs = [policy['spec'], ...asArray(policy['specs'])];
  const rules = (...sides: readonly string[]) =>
    specs.flatMap((spec) => sides.flatMap((side) => asArray(at(spec, side))));
  return judgedLists(rules('ingressDeny', 'egressDeny'), rules('ingress', 'egress'));
}

function judgedLists(denying: readonly unknown[], passing: readonly unknown[]): Judged {
  return judged(onlyFamily(denying), 'NotCovered') ?? judged(onlyFamily(passing), 'Denied');
}

/** Expressions and patterns, whatever they look at. */
function judgeText(policy: KubeObject): Judged {
  return judged(onlyFamily(policy['spec']), 'NotChecked');
}

const judged = (family: Family | null, omission: Omission): Judged =>
  family === null ? null : { family, omission, guards: null };

/** The one family of all networks in it; null: there is none, or there are both. */
function onlyFamily(value: unknown): Family | null {
  const families = new Set(textsIn(value).flatMap(familiesIn));
  const [family] = families;
  return families.size === 1 ? (family ?? null) : null;
}

function textsIn(value: unknown): readonly string[] {
  if (typeof value === 'string') return [value];
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(textsIn) : [];
}

/** Networks, alone or in the middle of an expression such as `cidr('10.0.0.0/8').containsIP(…)`. */
const NETWORKS = /(?<![\w.:/])[\da-f:.]*[.:][\da-f:.]*\/\d{1,3}(?![\w.])/giu;

const familiesIn = (text: string): readonly Family[] =>
  (text.match(NETWORKS) ?? []).flatMap((network) => {
    const cidr = parseCidr(network);
    return cidr.ok ? [cidr.value.family] : [];
  });

function ingressBackends(ingress: KubeObject): readonly string[] {
  const paths = asArray(at(ingress, 'spec', 'rules')).flatMap((rule) => asArray(at(rule, 'http', 'paths')));
  const backends = [at(ingress, 'spec', 'defaultBackend'), ...paths.map((path) => at(path, 'backend'))];
  return backends.flatMap((backend) => keyOf(at(backend, 'service', 'name'), ingress.metadata.namespace));
}

function routeBackends(route: KubeObject): readonly string[] {
  return asArray(at(route, 'spec', 'rules'))
    .flatMap((rule) => asArray(at(rule, 'backendRefs')))
    .filter((backend) => (at(backend, 'kind') ?? 'Service') === 'Service')
    .flatMap((backend) => keyOf(at(backend, 'name'), asString(at(backend, 'namespace')) ?? route.metadata.namespace));
}

function keyOf(name: unknown, namespace = ''): readonly string[] {
  const text = asString(name);
  return text === undefined ? [] : [serviceKey({ namespace, name: text })];
}
