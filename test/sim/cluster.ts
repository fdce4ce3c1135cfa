import type { CalicoFacts } from '../../src/cni/calico/facts.ts';
import type { KubeadmFacts } from '../../src/distributions/kubeadm/facts.ts';
import type { ClusterFacts, NodeFacts, ServiceFacts } from '../../src/model/facts.ts';
import { at } from '../../src/model/object.ts';
import type { Outcome, Proof } from '../../src/model/outcome.ts';
import { known } from '../../src/model/reader.ts';
import { fromRecordEntry, type Recorded } from '../../src/model/record.ts';
import type {
  ApplyObject,
  EditHost,
  MigrateService,
  ReplaceNode,
  RolloutWorkload,
  Step,
  Verify,
} from '../../src/model/step.ts';
import { unreachable } from '../../src/result.ts';
import { CalicoModel } from '../support/calico-model.ts';
import { nodeFacts } from '../support/facts.ts';
import { kubeadmFacts } from '../support/kubeadm.ts';
import { carryOut, wait } from '../support/kubeadm-player.ts';
import {
  coreDNSOf,
  grown,
  leaderIsDual,
  restartedDNS,
  rolledOn,
  settledDNS,
  withAddressesOf,
  withAgent,
  withCalicoAddresses,
  withDrift,
  withNetworks,
  withoutIPv6,
  withRefusal,
  withRestart,
  withWish,
} from './parts.ts';
import { isGuard, SimWorkloads, withTaints } from './workloads.ts';

export interface SimOptions {
  readonly controlPlanes: number;
  readonly workers: number;
  readonly dual?: boolean;
  /** `Unmanaged`: nobody knows the network plug-in, which takes the addresses of pods from the podCIDRs of Nodes. */
  readonly cni?: 'Calico' | 'Unmanaged';
}

/** An edit of a host that was asked for and that its agent has not finished. */
interface Pending {
  readonly step: EditHost & Step;
  readonly dueAt: number;
  readonly refuse: boolean;
}

/**
 * A whole kubeadm cluster with Calico in memory: what the models of both folders' tests show, joined, with CoreDNS, Services, records and slow
 * or failing agents around them. It refuses what the real one would refuse by throwing.
 */
export class SimCluster {
  kubeadm: KubeadmFacts;
  /** Node whose next edit of each component fails and is undone by its agent. */
  readonly refusing = new Set<string>();
  /** Seconds that an agent takes for an edit. */
  agentSeconds = 20;
  readonly workloads = new SimWorkloads();
  readonly cni: 'Calico' | 'Unmanaged';
  readonly #calico: CalicoModel;
  readonly #pending: Pending[] = [];
  #facts: ClusterFacts;
  #restarts = 0;

  constructor(options: SimOptions) {
    this.cni = options.cni ?? 'Calico';
    this.#calico = new CalicoModel({ ...options, proven: options.dual ?? false });
    this.#facts = { ...this.#calico.facts, records: known({}) };
    this.kubeadm = kubeadmFacts(this.#facts.nodes, { dual: options.dual ?? false });
    this.#facts = { ...this.#facts, coreDNS: known(settledDNS(coreDNSOf(this.#facts), this.#facts.nodes)) };
  }

  get now(): number {
    return this.#facts.at;
  }

  get nodes(): readonly NodeFacts[] {
    return this.#facts.nodes;
  }

  get calico(): CalicoFacts {
    return this.#calico.own;
  }

  set calico(own: CalicoFacts) {
    this.#calico.own = own;
  }

  get calicoText(): string {
    return this.#calico.configText;
  }

  get records(): Recorded {
    return this.#facts.records.known ? this.#facts.records.value : {};
  }

  /** Nodes with an edit under way. */
  get busy(): readonly string[] {
    return this.#pending.map(({ step }) => step.node);
  }

  /** All that a pass can see. A static pod in the middle of its edit is away for half of the time. */
  observe(): ClusterFacts {
    const nodes = this.#facts.nodes.map((node) => this.#asSeen(node));
    const { instances, etcdNotReady } = kubeadmFacts(nodes);
    return {
      ...this.#facts,
      nodes,
      basics: { ...this.#facts.basics, nodes },
      distribution: { ...this.#facts.distribution, own: { ...this.kubeadm, instances, etcdNotReady } },
      cni:
        this.cni === 'Calico'
          ? { ...this.#facts.cni, own: this.#calico.own }
          : { name: 'Unmanaged', detectedBy: 'spec.cni', own: null },
      workloads: known(this.workloads.list),
    };
  }

  #asSeen(node: NodeFacts): NodeFacts {
    const edit = this.#pending.find(({ step }) => step.node === node.name);
    const isAway = edit !== undefined && edit.dueAt - this.now < this.agentSeconds * 500;
    return isAway ? withRestart(node, edit.step) : node;
  }

  pass(seconds: number): void {
    this.#world(wait({ facts: this.#facts, own: this.kubeadm }, seconds));
    this.#settle();
  }

  execute(step: Step): Outcome {
    switch (step.kind) {
      case 'EditHost':
        this.#askAgent(step);
        return { is: 'Changed', what: step.id };
      case 'Verify':
        return { is: 'Proven', proof: this.#prove(step) };
      case 'MigrateServices':
        throw new Error('no Service of this cluster is asked for');
      case 'VerifyPackets':
      case 'AskServices':
        throw new Error('there are no packets here, and no image was told');
      case 'MigrateService':
        this.#migrate(step);
        return { is: 'Changed', what: step.id };
      case 'ReplaceNode':
        this.#replaceNode(step);
        return { is: 'Changed', what: step.id };
      case 'WaitFor':
      case 'Handoff':
        return { is: 'Unchanged' };
      case 'ApplyObject':
      case 'RolloutWorkload':
      case 'TransferLease':
        this.#change(step);
        return { is: 'Changed', what: step.id };
      default:
        return unreachable(step);
    }
  }

  /** As somebody would do it by hand: at once. */
  byHand(step: Step): void {
    if (step.kind !== 'EditHost') return void this.execute(step);
    const recorded = this.#facts.nodes.find(({ name }) => name === step.node)?.agent?.report?.recorded ?? {};
    this.#world(carryOut({ facts: this.#facts, own: this.kubeadm }, step));
    // No agent was asked, so none took first values.
    this.changeNode(step.node, (node) =>
      withAgent(node, (agent) => ({
        ...agent,
        report: agent.report === null ? null : { ...agent.report, recorded },
      })),
    );
  }

  changeNode(name: string, change: (node: NodeFacts) => NodeFacts): void {
    this.#setNodes(this.#facts.nodes.map((node) => (node.name === name ? change(node) : node)));
  }

  changeServices(change: (services: readonly ServiceFacts[]) => readonly ServiceFacts[]): void {
    const services = this.#facts.services.known ? this.#facts.services.value : [];
    this.#facts = { ...this.#facts, services: known(change(services)) };
  }

  /** A worker joins. Node IPAM gives it a network of each family that the leader knows of. */
  join(name: string, ipv6: boolean): void {
    const n = this.#facts.nodes.length + 1;
    const node = withNetworks(nodeFacts(n, { name, ipv6 }), n, leaderIsDual(this.kubeadm));
    this.#setNodes([...this.#facts.nodes, { ...node, createdAt: new Date(this.now).toISOString() }]);
    this.#addPods(name);
    this.#startLate(name);
  }

  /** The host of a node gets an IPv6 address. */
  giveIPv6(name: string): void {
    const n = this.#facts.nodes.findIndex((node) => node.name === name) + 1;
    this.changeNode(name, (node) => withAddressesOf(node, nodeFacts(n, { name })));
  }

  /** New CoreDNS pods, none of which got an IPv6 address. */
  restartDNSWithoutIPv6(): void {
    this.#facts = { ...this.#facts, coreDNS: known(withoutIPv6(coreDNSOf(this.#facts), this.now)) };
  }

  /** The leader's process ends and another takes the Lease. */
  changeLeader(): void {
    const lease = this.kubeadm.lease.known ? this.kubeadm.lease.value : null;
    const members = this.#facts.nodes.filter((node) => node.controlPlane && node.ready);
    const next = members.find((node) => lease?.holder.startsWith(`${node.name}_`) !== true);
    if (lease === null || next === undefined) return;
    const time = new Date(this.now).toISOString();
    this.kubeadm = {
      ...this.kubeadm,
      lease: known({ holder: `${next.name}_${this.now}`, acquiredAt: time, renewedAt: time }),
    };
  }

  /** Pods of calico-node come up anew of a template that somebody else wrote, paced by the DaemonSet itself. */
  replaceCalico(change: (own: CalicoFacts) => CalicoFacts): void {
    this.#restarts += 1;
    const own = change(this.#calico.own);
    if (!own.agent.known || own.agent.value === null) throw new Error('calico-node is there');
    const hash = `by-hand-${this.#restarts}`;
    const startedAt = new Date(this.now).toISOString();
    const { workload } = own.agent.value;
    const pods = workload.pods.map((pod) => ({ ...pod, uid: `${pod.uid}*`, hash, startedAt }));
    this.#calico.own = {
      ...own,
      agent: known({ ...own.agent.value, workload: { ...workload, newestHash: hash, pods } }),
    };
  }

  #change(step: (ApplyObject | RolloutWorkload | (Step & { kind: 'TransferLease' })) & Step): void {
    if (step.id.startsWith('calico/')) {
      this.#calico.facts = this.#facts;
      this.#calico.execute(step);
      const { nodes } = this.#calico.facts;
      this.#setNodes(nodes);
      return;
    }
    if (isGuard(step)) return this.changeNode(step.ref.name, (node) => withTaints(node, step));
    if (step.phase === 'Workloads' && step.kind !== 'TransferLease') return this.workloads.execute(step, this.now);
    if (step.id === 'record/cluster') return this.#record(step as ApplyObject & Step);
    if (step.id === 'dns/pods') return this.#restartDNS(step as RolloutWorkload & Step);
    this.#world(carryOut({ facts: this.#facts, own: this.kubeadm }, step));
  }

  /** Server-side apply: what the owner of the fields no longer names is gone. */
  #record(step: ApplyObject & Step): void {
    const data = at(step.write, 'body', 'data') as Readonly<Record<string, string>>;
    const entries = Object.values(data).map((text) => fromRecordEntry(Buffer.from(text, 'base64').toString('utf8')));
    const records: Recorded = Object.fromEntries(entries.map((entry) => [entry!.key, entry!.value]));
    for (const [key, first] of Object.entries(this.records)) {
      if (JSON.stringify(records[key]) !== JSON.stringify(first))
        throw new Error(`never: the record of ${key} is lost`);
    }
    this.#facts = { ...this.#facts, records: known(records) };
  }

  #restartDNS({ next }: RolloutWorkload & Step): void {
    const workload = restartedDNS(coreDNSOf(this.#facts), next, this.#facts, (name) => this.#assignsIPv6(name));
    this.#facts = { ...this.#facts, coreDNS: known(workload) };
  }

  #assignsIPv6(name: string): boolean {
    const node = this.#facts.nodes.find((each) => each.name === name);
    if (this.cni === 'Unmanaged') return node?.podCIDRs.length === 2;
    return this.#givesIPv6() && node?.annotations['projectcalico.org/IPv6Address'] !== undefined;
  }

  #givesIPv6(): boolean {
    return (
      this.#calico.configText.includes('"assign_ipv6": "true"') &&
      this.#calico.pools.some((pool) => pool.family === 'IPv6' && !pool.disabled)
    );
  }

  #migrate({ ref, policy, families }: MigrateService & Step): void {
    const ranges = this.#facts.nodes.flatMap(
      (node) => node.agent?.report?.staticPods['kube-apiserver']?.running?.args['service-cluster-ip-range'] ?? [],
    );
    const isServed = ranges.every((range) => families.every((family) => range.includes(':') || family === 'IPv4'));
    if (!isServed) throw new Error(`an API server without the family refuses ${families.join()}`);
    this.changeServices((services) =>
      services.map((service) =>
        service.namespace === ref.namespace && service.name === ref.name
          ? {
              ...service,
              policy,
              families: [...families],
              clusterIPs: families.map((family) => (family === 'IPv4' ? '10.96.0.10' : 'fd00:10:96::a')),
            }
          : service,
      ),
    );
  }

  #prove({ fingerprint, families }: Verify & Step): Proof {
    const cidrs = this.#facts.serviceCIDR.known ? this.#facts.serviceCIDR.value : [];
    const ok = cidrs.length === families.length;
    const check = { name: 'ServiceCIDR kubernetes', ok, detail: cidrs.join() };
    return { fingerprint, at: new Date(this.now).toISOString(), checks: [check] };
  }

  /** All of it stays but the uid, the time and the podCIDRs. */
  #replaceNode({ node: name, podCIDRs }: ReplaceNode & Step): void {
    this.#restarts += 1;
    const createdAt = new Date(this.now).toISOString();
    const uid = `uid-${name}-${this.#restarts}`;
    this.changeNode(name, (node) => ({ ...node, uid, createdAt, podCIDRs: [...podCIDRs] }));
  }

  #askAgent(step: EditHost & Step): void {
    this.changeNode(step.node, (node) => withWish(node, step));
    const refuse = this.refusing.has(step.node);
    this.#pending.push({ step, dueAt: this.now + this.agentSeconds * 1000, refuse });
  }

  /** What time brings: agents finish, the DaemonSets go on where nodes came back, calico-node finds its address. */
  #settle(): void {
    for (const edit of this.#pending.filter(({ dueAt }) => dueAt <= this.now)) {
      this.#pending.splice(this.#pending.indexOf(edit), 1);
      if (edit.refuse) this.#refuse(edit.step);
      else this.#world(carryOut({ facts: this.#facts, own: this.kubeadm }, edit.step));
    }
    const { proxy } = this.kubeadm;
    if (proxy.known && proxy.value !== null) {
      this.kubeadm = { ...this.kubeadm, proxy: known(rolledOn(proxy.value, this.#facts.nodes, this.now)) };
    }
    this.#settleCalico();
    this.workloads.settle(this.now, this.#givesIPv6());
    this.#setNodes(this.#facts.nodes.map((node) => (this.busy.includes(node.name) ? node : withDrift(node, this.now))));
  }

  #refuse({ node, id }: EditHost & Step): void {
    this.refusing.delete(node);
    this.changeNode(node, (each) => withRefusal(each, id, this.now));
  }

  /** calico-node looks for its address until it finds one. */
  #settleCalico(): void {
    const { agent } = this.#calico;
    const ip6 = agent.env['IP6'];
    if (ip6?.is !== 'Value' || ip6.value !== 'autodetect') return;
    for (const pod of agent.workload.pods) {
      const node = this.#facts.nodes.find((each) => each.name === pod.node);
      if (node === undefined || pod.hash !== agent.workload.newestHash) continue;
      if ('projectcalico.org/IPv6Address' in node.annotations) continue;
      const address = node.internalIPs.find((each) => each.includes(':'));
      if (address === undefined) continue;
      this.changeNode(pod.node, (each) => withCalicoAddresses(each, address));
      this.#setPod(pod.uid, { ready: true, waiting: null });
    }
  }

  /** calico-node that looks for IPv6 on a node without it takes the node's IPv4 down, and ends over and over. */
  #startLate(name: string): void {
    const { agent } = this.#calico;
    const ip6 = agent.env['IP6'];
    if (ip6?.is !== 'Value' || ip6.value !== 'autodetect') return;
    this.changeNode(name, (node) => ({ ...node, annotations: {} }));
    for (const { uid, node } of agent.workload.pods) {
      if (node === name) this.#setPod(uid, { ready: false, waiting: 'CrashLoopBackOff' });
    }
  }

  #setPod(uid: string, change: { readonly ready: boolean; readonly waiting: string | null }): void {
    const { agent } = this.#calico;
    const pods = agent.workload.pods.map((pod) => (pod.uid === uid ? { ...pod, ...change } : pod));
    this.#calico.own = { ...this.#calico.own, agent: known({ ...agent, workload: { ...agent.workload, pods } }) };
  }

  #addPods(name: string): void {
    const { proxy } = this.kubeadm;
    if (proxy.known && proxy.value !== null) {
      this.kubeadm = { ...this.kubeadm, proxy: known(grown(proxy.value, name, this.now)) };
    }
    const { agent } = this.#calico;
    const workload = grown(agent.workload, name, this.now);
    this.#calico.own = { ...this.#calico.own, agent: known({ ...agent, workload }) };
  }

  #world({ facts, own }: { readonly facts: ClusterFacts; readonly own: KubeadmFacts }): void {
    this.#facts = facts;
    this.kubeadm = own;
  }

  #setNodes(nodes: readonly NodeFacts[]): void {
    this.#facts = { ...this.#facts, nodes, basics: { ...this.#facts.basics, nodes } };
    const { instances, etcdNotReady } = kubeadmFacts(nodes);
    this.kubeadm = { ...this.kubeadm, instances, etcdNotReady };
  }
}
