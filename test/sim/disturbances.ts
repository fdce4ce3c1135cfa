import type { CalicoFacts } from '../../src/cni/calico/facts.ts';
import type { ClusterFacts, NodeFacts } from '../../src/model/facts.ts';
import { known, unknown } from '../../src/model/reader.ts';
import { NETWORK_CONFIG } from '../support/calico-facts.ts';
import { KCM_SINGLE, SERVICE_RANGES } from '../support/facts.ts';
import { clusterConfigText, proxyConfigText } from '../support/kubeadm.ts';
import type { SimCluster } from './cluster.ts';
import type { Random } from './random.ts';

/** Something that happens to a cluster from outside. What it leaves behind must not stop the work for good, unless `lasting` says so. */
export interface Disturbance {
  readonly name: string;
  begin(cluster: SimCluster, random: Random): void;
  /** What puts an end to it, that many seconds later. */
  readonly end?: { readonly afterSeconds: number; readonly run: (cluster: SimCluster) => void };
}

const time = (cluster: SimCluster): string => new Date(cluster.now).toISOString();

/** A node that has nothing under way goes down for some minutes. */
export function nodeDown(cluster: SimCluster, random: Random, seconds: number): Disturbance {
  const { name } = random.pick(cluster.nodes);
  return {
    name: `${name} down for ${seconds} s`,
    begin: (each) => {
      if (!each.busy.includes(name)) each.changeNode(name, (node) => ({ ...node, ready: false }));
    },
    end: {
      afterSeconds: seconds,
      run: (each) => each.changeNode(name, (node) => ({ ...node, ready: true })),
    },
  };
}

export const leaderChange: Disturbance = { name: 'leader change', begin: (cluster) => cluster.changeLeader() };

/** A worker whose IPv6 address comes late. */
export function lateWorker(name: string, seconds: number): Disturbance {
  return {
    name: `${name} joins, IPv6 after ${seconds} s`,
    begin: (cluster) => cluster.join(name, seconds === 0),
    end: { afterSeconds: seconds, run: (cluster) => cluster.giveIPv6(name) },
  };
}

/** Somebody taints a node for a reason of their own, and takes that back later. */
export function foreignTaint(name: string, seconds: number): Disturbance {
  const set = (cluster: SimCluster, taints: (had: NodeFacts['taints']) => NodeFacts['taints']): void =>
    cluster.changeNode(name, (node) => ({
      ...node,
      taints: taints(node.taints),
      resourceVersion: `${Number(node.resourceVersion) + 1}`,
    }));
  return {
    name: `${name} is tainted by somebody for ${seconds} s`,
    begin: (cluster) => set(cluster, (had) => [...had, { key: 'maintenance', effect: 'NoSchedule' }]),
    end: {
      afterSeconds: seconds,
      run: (cluster) => set(cluster, (had) => had.filter(({ key }) => key !== 'maintenance')),
    },
  };
}

export function refusal(cluster: SimCluster, random: Random): Disturbance {
  const { name } = random.pick(cluster.nodes);
  return { name: `the next edit on ${name} fails`, begin: (each) => each.refusing.add(name) };
}

/** What people do to a converted cluster. Each takes a part of the second family away. */
export const HAND_EDITS: readonly Disturbance[] = [
  {
    name: 'original calico.yaml applied again',
    begin: (cluster) =>
      cluster.replaceCalico((own) =>
        withEnv(withText(own, NETWORK_CONFIG, time(cluster)), 'FELIX_IPV6SUPPORT', 'false'),
      ),
  },
  {
    name: 'assign_ipv6 taken out',
    begin: (cluster) => {
      cluster.calico = withText(cluster.calico, NETWORK_CONFIG, time(cluster));
    },
  },
  {
    name: 'IPv6 pool disabled',
    begin: (cluster) => {
      const { pools } = cluster.calico;
      if (!pools.known) return;
      const disabled = pools.value.pools.map((pool) => (pool.family === 'IPv6' ? { ...pool, disabled: true } : pool));
      cluster.calico = { ...cluster.calico, pools: known({ ...pools.value, pools: disabled }) };
    },
  },
  {
    name: 'CoreDNS restarted while there was no IPv6 pool',
    begin: (cluster) => cluster.restartDNSWithoutIPv6(),
  },
  {
    name: 'API server range taken out on one node',
    begin: (cluster) =>
      setArgs(cluster, 'kube-apiserver', () => ({ 'service-cluster-ip-range': SERVICE_RANGES.single })),
  },
  {
    name: 'controller manager of one node back to one family',
    begin: (cluster) => setArgs(cluster, 'kube-controller-manager', () => KCM_SINGLE),
  },
  {
    name: 'kube-proxy configuration of one family',
    begin: (cluster) => {
      const text = proxyConfigText(SERVICE_PODS);
      cluster.kubeadm = {
        ...cluster.kubeadm,
        proxyConfig: known({ text, resourceVersion: '99', changedAt: time(cluster) }),
      };
    },
  },
  {
    name: 'kubeadm-config of one family',
    begin: (cluster) => {
      const value = { text: clusterConfigText(), resourceVersion: '99', changedAt: time(cluster) };
      cluster.kubeadm = { ...cluster.kubeadm, clusterConfig: known(value) };
    },
  },
  {
    name: 'kube-dns of one family',
    begin: (cluster) =>
      cluster.changeServices((services) =>
        services.map((service) =>
          service.name === 'kube-dns'
            ? { ...service, policy: 'SingleStack', families: ['IPv4'], clusterIPs: ['10.96.0.10'] }
            : service,
        ),
      ),
  },
];

const SERVICE_PODS = '10.244.0.0/16';

function withText(own: CalicoFacts, text: string, changedAt: string): CalicoFacts {
  if (!own.config.known || own.config.value === null) throw new Error('calico-config is there');
  return { ...own, config: known({ ...own.config.value, text, changedAt }) };
}

function withEnv(own: CalicoFacts, name: string, value: string): CalicoFacts {
  if (!own.agent.known || own.agent.value === null) throw new Error('calico-node is there');
  const env = { ...own.agent.value.env, [name]: { is: 'Value', value } as const };
  return { ...own, agent: known({ ...own.agent.value, env }) };
}

/** On the last control-plane node, with a new process. */
function setArgs(
  cluster: SimCluster,
  component: 'kube-apiserver' | 'kube-controller-manager',
  args: () => Readonly<Record<string, string>>,
): void {
  const name = cluster.nodes.filter((node) => node.controlPlane).at(-1)!.name;
  cluster.changeNode(name, (node) => {
    const report = node.agent?.report;
    const pod = report?.staticPods[component];
    if (node.agent === null || report == null || pod === undefined) return node;
    const changed = { ...pod, args: args(), running: { args: args(), startedAt: time(cluster) } };
    return {
      ...node,
      agent: { ...node.agent, report: { ...report, staticPods: { ...report.staticPods, [component]: changed } } },
    };
  });
}

/** What may be unreadable for a while. */
export const BLURS = 12;

/** The facts without one of them. */
export function blur(facts: ClusterFacts, which: number): ClusterFacts {
  const why = 'the server answered 503';
  const own = facts.distribution.own as object;
  const cni = facts.cni.own as object;
  const blurred: readonly ClusterFacts[] = [
    { ...facts, services: unknown(why) },
    { ...facts, records: unknown(why) },
    { ...facts, coreDNS: unknown(why) },
    { ...facts, serviceCIDR: unknown(why) },
    { ...facts, distribution: { ...facts.distribution, own: { ...own, lease: unknown(why) } } },
    { ...facts, distribution: { ...facts.distribution, own: { ...own, proxy: unknown(why) } } },
    { ...facts, distribution: { ...facts.distribution, own: { ...own, proxyConfig: unknown(why) } } },
    { ...facts, distribution: { ...facts.distribution, own: { ...own, clusterConfig: unknown(why) } } },
    { ...facts, distribution: { ...facts.distribution, own: { ...own, defaultServiceCIDR: unknown(why) } } },
    { ...facts, cni: { ...facts.cni, own: { ...cni, config: unknown(why) } } },
    { ...facts, cni: { ...facts.cni, own: { ...cni, agent: unknown(why) } } },
    { ...facts, cni: { ...facts.cni, own: { ...cni, pools: unknown(why) } } },
  ];
  return blurred[which % BLURS]!;
}
