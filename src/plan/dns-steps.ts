import type { ClusterFacts, PodFacts, ServiceFacts, WorkloadFacts } from '../model/facts.ts';
import { at, asArray, asString, type ObjectRef } from '../model/object.ts';
import type { Recordable } from '../model/record.ts';
import type { Step, StepState } from '../model/step.ts';
import { cidrList, type Wanted } from '../model/wanted.ts';
import { isRolledOut } from '../model/workload.ts';
import { type Family, hasFamily } from '../net/family.ts';

const DEPLOYMENT: ObjectRef = { apiVersion: 'apps/v1', kind: 'Deployment', namespace: 'kube-system', name: 'coredns' };
const SERVICE: ObjectRef = { apiVersion: 'v1', kind: 'Service', namespace: 'kube-system', name: 'kube-dns' };
const SERVICE_KEY = 'Service/kube-system/kube-dns';
const ANNOTATION = 'dualstack.dev/restarted';
/**
 * Restarts that follow each other soon: a pod may come to be on a node whose network plug-in is not through yet. What does not help so often
 * counts as failed, and is tried again now and then.
 */
const SOON = 3;
const SOON_MS = 60_000;
const LATER_MS = 3_600_000;

/** First state of the cluster's DNS Service. */
export function dnsRecords(facts: ClusterFacts): readonly Recordable[] {
  const service = dnsService(facts);
  return service === null
    ? []
    : [{ key: SERVICE_KEY, value: { ipFamilyPolicy: service.policy, ipFamilies: [...service.families] } }];
}

/**
 * Pods first, then the Service: an address in DNS or on the Service must not be there before something answers on it. On the way
 * back the other way round. No CoreDNS: the user runs another DNS, and looks after it.
 */
export function dnsSteps(wanted: Wanted, facts: ClusterFacts): readonly Step[] {
  if (facts.coreDNS.known && facts.coreDNS.value === null) return [];
  const pods = podsStep(wanted, facts);
  const service = serviceStep(wanted, facts);
  return wanted.direction === 'Forward' ? [pods, service] : [service, pods];
}

function podsStep(wanted: Wanted, facts: ClusterFacts): Step {
  const forward = wanted.direction === 'Forward';
  const value = forward ? restartMark(wanted, facts) : null;
  return {
    kind: 'RolloutWorkload',
    id: 'dns/pods',
    phase: 'DNS',
    group: 'dns',
    target: 'Deployment kube-system/coredns',
    why: forward
      ? 'Pods get an address of the new family only when they are made anew.'
      : 'The mark by which CoreDNS was restarted is taken away again.',
    diff: diffOf(facts, value),
    state: podsState(wanted, facts, value),
    disrupts: { text: 'CoreDNS pods are replaced one after another', seconds: [0, 0] },
    timeoutSeconds: 300,
    ref: DEPLOYMENT,
    next: { is: 'Annotate', annotation: ANNOTATION, value },
  };
}

function diffOf({ coreDNS }: ClusterFacts, after: string | null): Step['diff'] {
  const before = coreDNS.known ? (coreDNS.value?.templateAnnotations[ANNOTATION] ?? null) : null;
  return before === after ? [] : [{ path: `pod template annotation ${ANNOTATION}`, before, after }];
}

/** What the template is marked with: the networks, and which restart for them this is. */
function restartMark(wanted: Wanted, facts: ClusterFacts): string {
  const networks = cidrList(wanted.families, wanted.pods).join();
  const workload = facts.coreDNS.known ? facts.coreDNS.value : null;
  const restarts = workload === null ? 0 : restartsOf(workload, networks);
  if (workload === null || restarts === 0) return markOf(networks, 1);
  if (isLeftToUser(facts)) return markOf(networks, restarts);
  const wait = restarts < SOON ? SOON_MS : LATER_MS;
  return markOf(networks, lacksFor(workload, wanted.families, facts.at) > wait ? restarts + 1 : restarts);
}

/**
 * Nothing that this program does changes what such a network plug-in gives to pods, and nothing tells when somebody has: one restart shows
 * how it is, and more of them would only disturb.
 */
const isLeftToUser = ({ cni }: ClusterFacts): boolean => cni.name === 'Unmanaged';

const markOf = (networks: string, restarts: number): string => (restarts === 1 ? networks : `${networks} #${restarts}`);

/** 0: it is not marked with these networks. */
function restartsOf({ templateAnnotations }: WorkloadFacts, networks: string): number {
  const [marked, restarts = '1'] = (templateAnnotations[ANNOTATION] ?? '').split(' #');
  return marked === networks ? Number(restarts) : 0;
}

/** Milliseconds for which all pods have been there and some without the family; 0: that is not so. */
const lacksFor = (workload: WorkloadFacts, families: readonly Family[], now: number): number =>
  isRolledOut(workload) && podsWithout(workload, families).length > 0
    ? now - Math.max(...workload.pods.map((pod) => Date.parse(pod.startedAt)))
    : 0;

function podsState({ direction, families }: Wanted, facts: ClusterFacts, value: string | null): StepState {
  const { coreDNS, at: now } = facts;
  if (!coreDNS.known) return { is: 'Unknown', why: coreDNS.why };
  const workload = coreDNS.value;
  if (workload === null) return { is: 'Satisfied', evidence: 'there is no CoreDNS' };
  const annotated = (workload.templateAnnotations[ANNOTATION] ?? null) === value;
  const lacking = direction === 'Forward' ? podsWithout(workload, families) : [];
  const names = lacking.map((pod) => `Pod ${pod.name}`).join(', ');
  if (lacking.length === 0 && (direction === 'Forward' || annotated) && isRolledOut(workload)) {
    return { is: 'Satisfied', evidence: `${workload.pods.length} CoreDNS pods are ready` };
  }
  if (!annotated && (lacking.length > 0 || direction === 'Back')) return { is: 'Pending' };
  const restarts = value === null ? 0 : restartsOf(workload, value.split(' #')[0] ?? '');
  if (lacksFor(workload, families, now) > SOON_MS && restarts > 0 && isLeftToUser(facts)) {
    return {
      is: 'Failed',
      why: `CoreDNS was restarted, and still these have no address of each family: ${names}.`,
      remedy:
        'The network plug-in is left to you: let it give new pods an address of each family, then kubectl -n kube-system rollout restart deployment coredns; it goes on by itself.',
    };
  }
  if (restarts >= SOON && lacksFor(workload, families, now) > SOON_MS) {
    return {
      is: 'Failed',
      why: `CoreDNS was restarted ${restarts} times, and still these have no address of each family: ${names}.`,
      remedy:
        'See why the network plug-in gives new pods on their nodes one address only. They are restarted once an hour; sooner by: kubectl -n kube-system rollout restart deployment coredns.',
    };
  }
  return {
    is: 'InProgress',
    why: lacking.length > 0 ? `no address of each family yet: ${names}` : 'CoreDNS pods are being replaced',
  };
}

const podsWithout = (workload: WorkloadFacts, families: readonly Family[]): readonly PodFacts[] =>
  workload.pods.filter((pod) => !pod.terminating && families.some((family) => !hasFamily(pod.podIPs, family)));

function serviceStep(wanted: Wanted, facts: ClusterFacts): Step {
  const service = dnsService(facts);
  const { policy, families } = wantedService(wanted);
  const now = service === null ? null : `${service.policy} ${service.families.join()}`;
  return {
    kind: 'MigrateService',
    id: 'dns/service',
    phase: 'DNS',
    group: 'dns',
    target: 'Service kube-system/kube-dns',
    why:
      wanted.direction === 'Forward'
        ? 'Pods of either family shall reach the cluster DNS.'
        : 'The address of the family that leaves is given back while the API server still knows it.',
    diff: [{ path: 'spec.ipFamilyPolicy, ipFamilies', before: now, after: `${policy} ${families.join()}` }],
    state: serviceState(facts, service, policy, families),
    disrupts: null,
    timeoutSeconds: 60,
    ref: SERVICE,
    policy,
    families,
  };
}

function serviceState(
  facts: ClusterFacts,
  service: ServiceFacts | null,
  policy: string,
  families: readonly Family[],
): StepState {
  if (!facts.services.known) return { is: 'Unknown', why: facts.services.why };
  if (service === null) return { is: 'Satisfied', evidence: 'there is no Service kube-dns' };
  const right = service.families.join() === families.join() && service.clusterIPs.length === families.length;
  // Somebody who asked for more than PreferDualStack gets what they asked for.
  const policyRight = service.policy === policy || (families.length > 1 && service.policy === 'RequireDualStack');
  return right && policyRight
    ? { is: 'Satisfied', evidence: `clusterIPs ${service.clusterIPs.join(', ')}` }
    : { is: 'Pending' };
}

type Policy = 'SingleStack' | 'PreferDualStack' | 'RequireDualStack';

function wantedService(wanted: Wanted): { readonly policy: Policy; readonly families: readonly Family[] } {
  if (wanted.direction === 'Forward' && wanted.families.length > 1) {
    return { policy: 'PreferDualStack', families: wanted.families };
  }
  const recorded = wanted.restore[SERVICE_KEY];
  const policy = asString(at(recorded, 'ipFamilyPolicy'));
  const families = asArray(at(recorded, 'ipFamilies')).length;
  const isPolicy = policy === 'SingleStack' || policy === 'PreferDualStack' || policy === 'RequireDualStack';
  // A policy that would take the second address again cannot be restored while the API server is dual-stack.
  const keep = isPolicy && families === wanted.families.length && policy === 'SingleStack';
  return { policy: keep ? policy : 'SingleStack', families: wanted.families };
}

function dnsService({ services }: ClusterFacts): ServiceFacts | null {
  if (!services.known) return null;
  return services.value.find(({ namespace, name }) => namespace === SERVICE.namespace && name === SERVICE.name) ?? null;
}
