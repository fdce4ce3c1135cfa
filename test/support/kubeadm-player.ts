import { mergeSettings } from '../../src/apply/settings.ts';
import type { KubeadmFacts } from '../../src/distributions/kubeadm/facts.ts';
import type { ClusterFacts, NodeFacts, PodFacts } from '../../src/model/facts.ts';
import type { AgentFacts, HostReport, HostSettings, StaticPod } from '../../src/model/host.ts';
import { STATIC_PODS } from '../../src/model/host.ts';
import { asArray, asString, at } from '../../src/model/object.ts';
import { known } from '../../src/model/reader.ts';
import type { Step } from '../../src/model/step.ts';
import { unreachable } from '../../src/result.ts';
import { kubeadmFacts } from './kubeadm.ts';

/**
 * Plays the cluster for tests without one: what a kubeadm cluster shows after a step was carried out and all went well. Time passes only by
 * `wait` and by the steps.
 */
export interface World {
  readonly facts: ClusterFacts;
  readonly own: KubeadmFacts;
}

const iso = (at: number): string => new Date(at).toISOString();
const valueOf = <T>(known: { known: true; value: T } | { known: false; why: string }): T => {
  if (!known.known) throw new Error(known.why);
  return known.value;
};

/** Lets time pass: the holder renews its Lease, API servers write their ranges into ServiceCIDR `kubernetes`. */
export function wait({ facts, own }: World, seconds: number): World {
  const at = facts.at + seconds * 1000;
  const lease = valueOf(own.lease);
  const isSettled = lease !== null && Date.parse(lease.acquiredAt) <= at;
  const cidrs = apiServerCIDRs(facts.nodes);
  const object = valueOf(own.defaultServiceCIDR);
  const serviceCIDR =
    object === null || cidrs.length > object.cidrs.length ? { uid: `uid-${at}`, cidrs, deleting: false } : object;
  return withOwn(
    { facts: { ...facts, at, serviceCIDR: known(serviceCIDR.cidrs) }, own },
    {
      lease: known(lease === null || !isSettled ? lease : { ...lease, renewedAt: iso(at) }),
      defaultServiceCIDR: known(serviceCIDR),
    },
  );
}

/** What the first API server has; it adds a second range to the object only when all of them have it. */
function apiServerCIDRs(nodes: readonly NodeFacts[]): readonly string[] {
  const ranges = nodes.flatMap(
    (node) => node.agent?.report?.staticPods['kube-apiserver']?.running?.args['service-cluster-ip-range'] ?? [],
  );
  return ranges.map((range) => range.split(',')).toSorted((a, b) => a.length - b.length)[0] ?? [];
}

export function carryOut(world: World, step: Step): World {
  switch (step.kind) {
    case 'EditHost':
      return wait(editHost(world, step.node, step.settings), 40);
    case 'TransferLease': {
      const to = step.holderPrefix.slice(0, -1);
      return wait(passLease(world, to), 40);
    }
    case 'WaitFor':
      return wait(world, 10);
    case 'ApplyObject':
      return wait(applyObject(world, step), 1);
    case 'RolloutWorkload':
      return wait(rollOut(world, step), 5);
    case 'MigrateService':
    case 'MigrateServices':
    case 'ReplaceNode':
    case 'Verify':
    case 'VerifyPackets':
    case 'AskServices':
    case 'Handoff':
      throw new Error(`${step.kind} is not kubeadm's`);
    default:
      return unreachable(step);
  }
}

function editHost(world: World, name: string, settings: HostSettings): World {
  const now = world.facts.at;
  const nodes = world.facts.nodes.map((node) => {
    if (node.name !== name || node.agent?.report == null) return node;
    return editNode(node, node.agent, node.agent.report, settings, now);
  });
  const edited = withNodes(world, nodes);
  const lease = valueOf(world.own.lease);
  const restarts = settings.staticPods?.['kube-controller-manager'] ?? settings.absent?.['kube-controller-manager'];
  if (restarts === undefined || !lease?.holder.startsWith(`${name}_`)) return edited;
  const next = nodes.find((node) => node.controlPlane && node.name !== name)?.name ?? name;
  return passLease(edited, next);
}

function editNode(
  node: NodeFacts,
  agent: AgentFacts,
  report: HostReport,
  settings: HostSettings,
  now: number,
): NodeFacts {
  const spec = mergeSettings(agent.spec, settings);
  const staticPods = Object.fromEntries(
    STATIC_PODS.flatMap((component) => {
      const pod = report.staticPods[component];
      if (pod?.running == null) return [];
      const set = settings.staticPods?.[component];
      const absent = settings.absent?.[component] ?? [];
      if (set === undefined && absent.length === 0) return [[component, pod]];
      const kept = Object.entries(pod.running.args).filter(([flag]) => !absent.includes(flag));
      const args = { ...Object.fromEntries(kept), ...set };
      return [[component, { ...pod, args, running: { args, startedAt: iso(now) } }]];
    }),
  );
  const nodeIP = settings.kubelet?.nodeIPs.join(',');
  const isUnset = settings.absent?.kubelet?.includes('node-ip') ?? false;
  const kubeletNow = report.kubelet.running?.args ?? {};
  const { 'node-ip': _before, ...kubeletRest } = kubeletNow;
  const kubeletArgs =
    nodeIP === undefined ? (isUnset ? kubeletRest : kubeletNow) : { ...kubeletNow, 'node-ip': nodeIP };
  const internalIPs = settings.kubelet?.nodeIPs ?? (isUnset ? node.internalIPs.slice(0, 1) : node.internalIPs);
  const forwarding = {
    IPv4: toggle(settings.sysctls?.['net.ipv4.ip_forward'], report.network.forwarding.IPv4),
    IPv6: toggle(settings.sysctls?.['net.ipv6.conf.all.forwarding'], report.network.forwarding.IPv6),
  };
  return {
    ...node,
    internalIPs,
    agent: {
      ...agent,
      spec,
      generation: agent.generation + 1,
      observedGeneration: agent.generation + 1,
      report: {
        ...report,
        staticPods,
        recorded: recordedAfter(report, settings),
        kubelet: { ...report.kubelet, running: { startedAt: iso(now), args: kubeletArgs } },
        network: { ...report.network, forwarding },
      },
    },
  };
}

const toggle = (asked: string | undefined, now: boolean): boolean => (asked === undefined ? now : asked === '1');

/** First values, taken before the first edit and kept. */
function recordedAfter(report: HostReport, settings: HostSettings): HostReport['recorded'] {
  const { recorded } = report;
  const flagsOf = (component: StaticPod): Readonly<Record<string, string | null>> => {
    const touched = [...Object.keys(settings.staticPods?.[component] ?? {}), ...(settings.absent?.[component] ?? [])];
    const before = report.staticPods[component]?.running?.args ?? {};
    const first = Object.fromEntries(touched.map((flag) => [flag, before[flag] ?? null]));
    return { ...first, ...recorded.staticPods?.[component] };
  };
  const touchesKubelet = settings.kubelet !== undefined || settings.absent?.kubelet !== undefined;
  const kubelet =
    recorded.kubelet ?? (touchesKubelet ? { nodeIP: report.kubelet.running?.args['node-ip'] ?? null } : undefined);
  const first: Record<string, string> = {
    'net.ipv4.ip_forward': report.network.forwarding.IPv4 ? '1' : '0',
    'net.ipv6.conf.all.forwarding': report.network.forwarding.IPv6 ? '1' : '0',
  };
  const sysctls = Object.fromEntries(Object.keys(settings.sysctls ?? {}).map((name) => [name, first[name] ?? '1']));
  const staticPods = Object.fromEntries(
    STATIC_PODS.map((component) => [component, flagsOf(component)] as const).filter(
      ([, flags]) => Object.keys(flags).length > 0,
    ),
  );
  return {
    ...(kubelet === undefined ? {} : { kubelet }),
    ...(Object.keys(staticPods).length === 0 ? {} : { staticPods }),
    sysctls: { ...sysctls, ...recorded.sysctls },
  };
}

/** The old holder loses the Lease and ends; the kubelet starts it again. */
function passLease(world: World, to: string): World {
  const lease = valueOf(world.own.lease);
  const now = world.facts.at;
  const holder = lease?.holder.slice(0, lease.holder.lastIndexOf('_'));
  const nodes = world.facts.nodes.map((node) => (node.name === holder && holder !== to ? restarted(node, now) : node));
  return withOwn(withNodes(world, nodes), {
    lease: known({ holder: `${to}_${now}`, acquiredAt: iso(now + 5000), renewedAt: iso(now + 5000) }),
  });
}

function restarted(node: NodeFacts, now: number): NodeFacts {
  const pod = node.agent?.report?.staticPods['kube-controller-manager'];
  if (node.agent?.report == null || pod?.running == null) return node;
  const running = { ...pod.running, startedAt: iso(now + 3000) };
  const staticPods = { ...node.agent.report.staticPods, 'kube-controller-manager': { ...pod, running } };
  return { ...node, agent: { ...node.agent, report: { ...node.agent.report, staticPods } } };
}

function applyObject(world: World, step: Step & { kind: 'ApplyObject' }): World {
  const changedAt = iso(world.facts.at);
  const isKeeper = step.ref.name === 'dualstack-keeper';
  if (step.write.is === 'Create' && isKeeper) {
    const cidrs = asArray(at(step.write.body, 'spec', 'cidrs')).map(String);
    return withOwn(world, { keeperServiceCIDR: known({ uid: 'uid-keeper', cidrs, deleting: false }) });
  }
  if (step.write.is === 'Delete' && isKeeper) return withOwn(world, { keeperServiceCIDR: known(null) });
  if (step.write.is === 'Delete') {
    if (valueOf(world.own.keeperServiceCIDR) === null) throw new Error('addresses in use hold the ServiceCIDR');
    const cidrs = apiServerCIDRs(world.facts.nodes);
    const remade = { uid: `uid-${world.facts.at}`, cidrs, deleting: false };
    return withOwn(
      { ...world, facts: { ...world.facts, serviceCIDR: known(cidrs) } },
      { defaultServiceCIDR: known(remade) },
    );
  }
  if (step.write.is !== 'Apply') throw new Error(step.write.is);
  const key = step.ref.name === 'kubeadm-config' ? 'ClusterConfiguration' : 'config.conf';
  const text = asString(at(step.write.body, 'data', key));
  if (text === undefined) throw new Error(`${step.id} has no text`);
  const value = known({ text, resourceVersion: `${world.facts.at}`, changedAt });
  return withOwn(world, step.ref.name === 'kubeadm-config' ? { clusterConfig: value } : { proxyConfig: value });
}

function rollOut(world: World, step: Step & { kind: 'RolloutWorkload' }): World {
  const workload = valueOf(world.own.proxy);
  if (workload === null) throw new Error('no kube-proxy');
  const startedAt = iso(world.facts.at + 1000);
  if (step.next.is === 'DeletePods') {
    const gone = new Set(step.next.pods.map((pod) => pod.uid));
    const renewed = (pod: PodFacts): PodFacts =>
      gone.has(pod.uid) ? { ...pod, uid: `${pod.uid}+`, hash: workload.newestHash ?? '', startedAt } : pod;
    return withOwn(world, { proxy: known({ ...workload, pods: workload.pods.map(renewed) }) });
  }
  if (step.next.is === 'Restart') throw new Error('kube-proxy is not restarted like a workload');
  const newestHash = `rev-${step.next.value ?? 'none'}`;
  const { [step.next.annotation]: _old, ...others } = workload.templateAnnotations;
  const templateAnnotations =
    step.next.value === null ? others : { ...others, [step.next.annotation]: step.next.value };
  const isAway = (pod: PodFacts): boolean => world.facts.nodes.some((node) => node.name === pod.node && !node.ready);
  // The DaemonSet counts a pod on a node that is down as its one unavailable pod, and stops there.
  const isStuck = workload.pods.some(isAway);
  const pods = workload.pods.map((pod) =>
    isStuck ? pod : { ...pod, uid: `${pod.uid}+`, hash: newestHash, startedAt },
  );
  return withOwn(world, { proxy: known({ ...workload, templateAnnotations, newestHash, pods }) });
}

const withNodes = (world: World, nodes: readonly NodeFacts[]): World =>
  withOwn({ ...world, facts: { ...world.facts, nodes, basics: { ...world.facts.basics, nodes } } }, {});

/** Instances always follow from the nodes, with mirror Pods that agree. */
function withOwn({ facts, own }: World, change: Partial<KubeadmFacts>): World {
  const { instances, etcdNotReady } = kubeadmFacts(facts.nodes);
  const next = { ...own, instances, etcdNotReady, ...change };
  return { facts: { ...facts, distribution: { ...facts.distribution, own: next } }, own: next };
}
