import type { CiliumFacts, CiliumNodeFacts } from '../../src/cni/cilium/facts.ts';
import { cilium } from '../../src/cni/cilium/index.ts';
import type { ClusterFacts, NodeFacts, PodFacts, WorkloadFacts } from '../../src/model/facts.ts';
import { at, type Json } from '../../src/model/object.ts';
import { phaseOrder } from '../../src/model/phase.ts';
import { known } from '../../src/model/reader.ts';
import type { Recorded } from '../../src/model/record.ts';
import type { Step } from '../../src/model/step.ts';
import type { Wanted } from '../../src/model/wanted.ts';
import { ciliumCluster, ciliumFacts, type CiliumParts } from './cilium-facts.ts';

/**
 * A Cilium that reacts as the real one does, as far as steps can see (read in its source at `pkg/ipam/allocator` and `pkg/nodediscovery`): agent
 * and operator read the ConfigMap when they start; the operator gives a CiliumNode the pod CIDR that it lacks, ends where it is told a pool of a
 * family that is off, and refuses a CiliumNode with a pod CIDR of such a family; an agent ends where it has no address or pod CIDR of a family.
 */
export class CiliumModel {
  facts: ClusterFacts;
  own: CiliumFacts;
  readonly done: string[] = [];
  readonly first: Recorded;
  /** What the operator has started with: null, it does not run. */
  operatorHasIPv6: boolean | null;
  /** Nodes that the running operator has given a pod CIDR of IPv6, or has seen with one: these it never gives a second. */
  readonly #given = new Set<string>();
  #pods = 0;

  constructor(options: Parameters<typeof ciliumCluster>[0] = {}, parts: CiliumParts = {}) {
    this.facts = ciliumCluster(options);
    this.own = ciliumFacts(this.facts, parts);
    this.operatorHasIPv6 = this.data['enable-ipv6'] === 'true';
    for (const which of ['agent', 'operator'] as const) this.#rehash(which);
    const records: Record<string, Json> = {};
    for (const { key, value } of cilium.records(this.facts, this.own)) records[key] = value;
    this.first = records;
  }

  get config() {
    if (!this.own.config.known || this.own.config.value === null) throw new Error('the model always has the ConfigMap');
    return this.own.config.value;
  }

  get data(): Readonly<Record<string, string>> {
    return this.config.data;
  }

  workload(which: 'agent' | 'operator'): WorkloadFacts {
    const { agent, operator } = this.own;
    if (!agent.known || agent.value === null || !operator.known || operator.value === null) {
      throw new Error('the model always has both workloads');
    }
    return which === 'agent' ? agent.value.workload : operator.value;
  }

  node(name: string): CiliumNodeFacts {
    const node = this.own.nodes.known ? this.own.nodes.value[name] : undefined;
    if (node === undefined) throw new Error(`no CiliumNode ${name}`);
    return node;
  }

  get nodes(): readonly CiliumNodeFacts[] {
    return this.facts.nodes.map(({ name }) => this.node(name));
  }

  steps(wanted: Wanted): readonly Step[] {
    const order = phaseOrder(wanted.direction);
    return cilium
      .steps(wanted, this.facts, this.own)
      .toSorted((a, b) => order.indexOf(a.phase) - order.indexOf(b.phase));
  }

  /** Carries out the first open step, or lets time go by. Null: everything is satisfied. */
  advance(wanted: Wanted): Step | null {
    const step = this.steps(wanted).find(({ state }) => state.is !== 'Satisfied' && state.is !== 'Deferred');
    if (step === undefined) return null;
    if (step.state.is === 'Pending' && step.kind !== 'Handoff') {
      this.done.push(step.id);
      this.execute(step);
    }
    this.pass(10);
    return step;
  }

  run(wanted: Wanted): readonly Step[] {
    const met: Step[] = [];
    for (let pass = 0; pass < 100; pass++) {
      const step = this.advance(wanted);
      if (step === null) return met;
      met.push(step);
    }
    throw new Error(`not done: ${JSON.stringify(this.steps(wanted).map(({ id, state }) => [id, state]))}`);
  }

  /** Time goes by: each workload replaces one more pod, and the operator gives what is asked of it. */
  pass(seconds: number): void {
    this.facts = { ...this.facts, at: this.facts.at + seconds * 1000 };
    for (const which of ['operator', 'agent'] as const) {
      const { pods, newestHash } = this.workload(which);
      const stale = pods.find((pod) => pod.hash !== newestHash);
      if (stale !== undefined && pods.every((pod) => pod.ready)) this.restart(which, stale.node);
    }
    for (const { name } of this.facts.nodes) this.#allocate(name);
    for (const pod of this.workload('agent').pods) if (!pod.ready) this.restart('agent', pod.node);
  }

  restart(which: 'agent' | 'operator', node: string): void {
    const starts = which === 'agent' ? this.#startAgent(node) : this.#startOperator();
    this.#pods++;
    const change: Partial<PodFacts> = {
      uid: `new-${this.#pods}`,
      hash: this.workload(which).newestHash ?? '',
      startedAt: new Date(this.facts.at).toISOString(),
      ready: starts,
      waiting: starts ? null : 'CrashLoopBackOff',
    };
    this.#setWorkload(which, {
      pods: this.workload(which).pods.map((pod) => (pod.node === node ? { ...pod, ...change } : pod)),
    });
  }

  changeNode(name: string, change: Partial<NodeFacts>): void {
    const nodes = this.facts.nodes.map((node) => (node.name === name ? { ...node, ...change } : node));
    this.facts = { ...this.facts, nodes, basics: { ...this.facts.basics, nodes } };
  }

  configure(change: Readonly<Record<string, string | null>>): void {
    const entries = Object.entries({ ...this.data, ...change }).filter(
      (entry): entry is [string, string] => entry[1] !== null,
    );
    const changedAt = new Date(this.facts.at).toISOString();
    this.own = { ...this.own, config: known({ ...this.config, data: Object.fromEntries(entries), changedAt }) };
  }

  execute(step: Step): void {
    if (step.kind === 'RolloutWorkload' && step.next.is === 'Annotate') {
      const which = step.ref.kind === 'DaemonSet' ? 'agent' : 'operator';
      const { [step.next.annotation]: _, ...others } = this.workload(which).templateAnnotations;
      const { annotation, value } = step.next;
      this.#setWorkload(which, { templateAnnotations: value === null ? others : { ...others, [annotation]: value } });
      const { newestHash } = this.workload(which);
      this.#setWorkload(which, { newestHash: `${newestHash ?? ''}+` });
      return;
    }
    if (step.kind !== 'ApplyObject') throw new Error(`no step of kind ${step.kind} was expected`);
    if (step.ref.kind === 'ConfigMap') {
      this.configure(at(step.write, 'body', 'data') as Readonly<Record<string, string | null>>);
      return;
    }
    this.#setNode(step.ref.name, { podCIDRs: at(step.write, 'body', 'spec', 'ipam', 'podCIDRs') as readonly string[] });
  }

  #startOperator(): boolean {
    const isOn = this.data['enable-ipv6'] === 'true';
    const isPoolled = (this.data['cluster-pool-ipv6-cidr'] ?? '') !== '';
    this.#given.clear();
    this.operatorHasIPv6 = this.data['ipam'] === 'cluster-pool' && isOn !== isPoolled ? null : isOn;
    return this.operatorHasIPv6 !== null;
  }

  #startAgent(name: string): boolean {
    const isOn = this.data['enable-ipv6'] === 'true';
    const node = this.facts.nodes.find((each) => each.name === name);
    const index = this.facts.nodes.findIndex((each) => each.name === name) + 1;
    const IPv4 = `10.244.${index}.7`;
    if (!isOn) {
      this.#setNode(name, { internalIPs: [IPv4] });
      return true;
    }
    const given = this.data['ipam'] === 'kubernetes' ? (node?.podCIDRs ?? []) : this.node(name).podCIDRs;
    if (!has(node?.internalIPs ?? []) || (this.data['ipam'] !== 'multi-pool' && !has(given))) return false;
    this.#setNode(name, { internalIPs: [IPv4, `fd00:10:244:${index}::7`] });
    return true;
  }

  #allocate(name: string): void {
    if (this.data['ipam'] !== 'cluster-pool' || this.operatorHasIPv6 === null) return;
    const { podCIDRs } = this.node(name);
    const index = this.facts.nodes.findIndex((each) => each.name === name) + 1;
    const holds = podCIDRs.some((cidr) => cidr.includes(':'));
    if (this.operatorHasIPv6 && !holds && !this.#given.has(name)) {
      this.#setNode(name, { podCIDRs: [...podCIDRs, `fd00:10:244:${index}::/64`] });
    }
    if (this.operatorHasIPv6) this.#given.add(name);
    const operatorError = !this.operatorHasIPv6 && holds ? 'allocator for IPv6 addresses does not exist' : '';
    this.#setNode(name, { operatorError });
  }

  #setNode(name: string, change: Partial<CiliumNodeFacts>): void {
    if (!this.own.nodes.known) throw new Error('CiliumNodes are always known here');
    this.own = { ...this.own, nodes: known({ ...this.own.nodes.value, [name]: { ...this.node(name), ...change } }) };
  }

  #rehash(which: 'agent' | 'operator'): void {
    const newestHash = this.workload(which).newestHash ?? '';
    this.#setWorkload(which, { pods: this.workload(which).pods.map((pod) => ({ ...pod, hash: newestHash })) });
  }

  #setWorkload(which: 'agent' | 'operator', change: Partial<WorkloadFacts>): void {
    const workload = { ...this.workload(which), ...change };
    const { agent } = this.own;
    if (which === 'operator') this.own = { ...this.own, operator: known(workload) };
    else if (agent.known && agent.value !== null)
      this.own = { ...this.own, agent: known({ ...agent.value, workload }) };
  }
}

const has = (texts: readonly string[]): boolean => texts.some((text) => text.includes(':'));
