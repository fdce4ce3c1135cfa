import { mergeSettings } from '../../src/apply/settings.ts';
import type { KubeadmFacts } from '../../src/distributions/kubeadm/facts.ts';
import type { ClusterFacts, NodeFacts, PodFacts, WorkloadFacts } from '../../src/model/facts.ts';
import { type AgentCondition, type AgentFacts, STATIC_PODS } from '../../src/model/host.ts';
import type { EditHost, RolloutWorkload } from '../../src/model/step.ts';
import { hostIPv4, podFacts } from '../support/facts.ts';

/** How single parts of the simulated cluster react; all of it pure. */

export const withAgent = (node: NodeFacts, change: (agent: AgentFacts) => AgentFacts): NodeFacts =>
  node.agent === null ? node : { ...node, agent: change(node.agent) };

/** The host has the addresses of that other one. */
export const withAddressesOf = (node: NodeFacts, other: NodeFacts): NodeFacts =>
  withAgent(node, (agent) =>
    agent.report === null
      ? agent
      : { ...agent, report: { ...agent.report, addresses: other.agent?.report?.addresses ?? [] } },
  );

/** New pods, none of which got an IPv6 address. */
export const withoutIPv6 = (workload: WorkloadFacts, now: number): WorkloadFacts => ({
  ...workload,
  pods: workload.pods.map((pod) => ({
    ...pod,
    uid: `${pod.uid}!`,
    podIPs: pod.podIPs.slice(0, 1),
    startedAt: new Date(now).toISOString(),
  })),
});

/** Node IPAM gives a joining node a network of each family that the leader knows of. */
export const withNetworks = (node: NodeFacts, n: number, isDual: boolean): NodeFacts => ({
  ...node,
  podCIDRs: isDual ? [`10.244.${n}.0/24`, `fd00:10:244:${n}::/64`] : [`10.244.${n}.0/24`],
  annotations: { 'projectcalico.org/IPv4Address': `${hostIPv4(n)}/24` },
});

export function leaderIsDual({ lease, instances }: KubeadmFacts): boolean {
  const leader = lease.known ? lease.value?.holder : undefined;
  return instances.some(
    ({ component, node, flags }) =>
      component === 'kube-controller-manager' &&
      leader?.startsWith(`${node}_`) === true &&
      flags.known &&
      (flags.value['cluster-cidr'] ?? '').includes(','),
  );
}

/** What calico-node writes when it has found both of its addresses. */
export const withCalicoAddresses = (node: NodeFacts, ipv6: string): NodeFacts => ({
  ...node,
  annotations: {
    ...node.annotations,
    'projectcalico.org/IPv4Address': `${node.internalIPs[0] ?? ''}/24`,
    'projectcalico.org/IPv6Address': `${ipv6}/64`,
  },
});

/** What an agent is asked for from now on. */
export const withWish = (node: NodeFacts, { settings }: EditHost): NodeFacts =>
  withAgent(node, (agent) => ({
    ...agent,
    spec: mergeSettings(agent.spec, settings),
    generation: agent.generation + 1,
  }));

/** The static pods that an edit restarts do not answer. */
export const withRestart = (node: NodeFacts, { settings }: EditHost): NodeFacts =>
  withAgent(node, (agent) => {
    if (agent.report === null) return agent;
    const staticPods = Object.fromEntries(
      Object.entries(agent.report.staticPods).map(([name, pod]) => [
        name,
        settings.staticPods?.[name as 'kube-apiserver'] === undefined ? pod : { ...pod, healthy: false },
      ]),
    );
    return { ...agent, report: { ...agent.report, staticPods } };
  });

/** The agent put the old text back and says so. */
export const withRefusal = (node: NodeFacts, id: string, now: number): NodeFacts =>
  withAgent(node, (agent) => ({
    ...agent,
    observedGeneration: agent.generation,
    conditions: [
      condition(agent, now, {
        type: 'RolledBack',
        status: 'True',
        reason: 'Undone',
        message: `the edit for ${id} was undone`,
      }),
    ],
  }));

/** An agent says what differs from settings that were in force, as long as nothing says that they were refused. */
export const withDrift = (node: NodeFacts, now: number): NodeFacts =>
  withAgent(node, (agent) => {
    if (agent.conditions.some((each) => each.observedGeneration === agent.generation) || !differs(agent)) return agent;
    const message = 'somebody changed the host';
    return {
      ...agent,
      conditions: [condition(agent, now, { type: 'Applied', status: 'False', reason: 'Drifted', message })],
    };
  });

const differs = ({ report, spec }: AgentFacts): boolean =>
  STATIC_PODS.some((component) => {
    const args = report?.staticPods[component]?.running?.args ?? {};
    return Object.entries(spec.staticPods?.[component] ?? {}).some(([flag, value]) => args[flag] !== value);
  });

const condition = (
  agent: AgentFacts,
  now: number,
  said: Omit<AgentCondition, 'observedGeneration' | 'lastTransitionTime'>,
): AgentCondition => ({
  ...said,
  observedGeneration: agent.generation,
  lastTransitionTime: new Date(now).toISOString(),
});

/** CoreDNS as the facts have it. */
export function coreDNSOf({ coreDNS }: ClusterFacts): WorkloadFacts {
  if (!coreDNS.known || coreDNS.value === null) throw new Error('the simulated cluster has CoreDNS');
  return coreDNS.value;
}

/** The hash follows from the annotations; pods are on nodes that are ready. */
export function settledDNS(workload: WorkloadFacts, all: readonly NodeFacts[]): WorkloadFacts {
  const newestHash = JSON.stringify(workload.templateAnnotations);
  const nodes = all.filter((node) => node.ready).toReversed();
  const pods = workload.pods.map((pod, index) => ({
    ...pod,
    hash: newestHash,
    node: nodes[index % nodes.length]?.name ?? '',
  }));
  return { ...workload, newestHash, pods };
}

/** New pods, which have IPv6 where their node gives it. */
export function restartedDNS(
  { templateAnnotations, ...workload }: WorkloadFacts,
  next: RolloutWorkload['next'],
  { nodes, at }: ClusterFacts,
  givesIPv6: (node: string) => boolean,
): WorkloadFacts {
  if (next.is !== 'Annotate') throw new Error('CoreDNS is restarted by an annotation');
  const { [next.annotation]: _, ...others } = templateAnnotations;
  const annotated = next.value === null ? others : { ...others, [next.annotation]: next.value };
  const changed = settledDNS({ ...workload, templateAnnotations: annotated }, nodes);
  const pods = changed.pods.map((pod): PodFacts => {
    const [ipv4 = '10.244.9.9'] = pod.podIPs;
    return {
      ...pod,
      uid: `${pod.name}-${at}`,
      podIPs: givesIPv6(pod.node) ? [ipv4, 'fd00:10:244::9'] : [ipv4],
      startedAt: new Date(at).toISOString(),
    };
  });
  return { ...changed, pods };
}

/** The DaemonSet goes on by itself when no node is away any more. */
export function rolledOn(workload: WorkloadFacts, nodes: readonly NodeFacts[], now: number): WorkloadFacts {
  if (nodes.some((node) => !node.ready)) return workload;
  const startedAt = new Date(now).toISOString();
  const hash = workload.newestHash ?? '';
  const pods = workload.pods.map((pod) => (pod.hash === hash ? pod : { ...pod, uid: `${pod.uid}~`, hash, startedAt }));
  return { ...workload, pods };
}

/** A pod of the newest template on a node that joined. */
export function grown(workload: WorkloadFacts, node: string, now: number): WorkloadFacts {
  const startedAt = new Date(now).toISOString();
  const pod = podFacts({ name: `${workload.name}-${node}`, node, hash: workload.newestHash ?? '', startedAt });
  return { ...workload, desired: workload.desired + 1, pods: [...workload.pods, pod] };
}
