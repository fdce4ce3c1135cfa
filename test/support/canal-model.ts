import { FELIX_CONTAINER, ROLLOUT_ANNOTATION, type AgentFacts, type CanalFacts } from '../../src/cni/canal/facts.ts';
import { canal } from '../../src/cni/canal/index.ts';
import { assignsIPv6, readNetworkConfig } from '../../src/cni/canal/network-config.ts';
import type { ClusterFacts, NodeFacts, PodFacts, WorkloadFacts } from '../../src/model/facts.ts';
import { readNetConf } from '../../src/model/net-conf.ts';
import { asArray, asString, at, type Json } from '../../src/model/object.ts';
import { phaseOrder } from '../../src/model/phase.ts';
import { known } from '../../src/model/reader.ts';
import type { Recorded } from '../../src/model/record.ts';
import type { Step } from '../../src/model/step.ts';
import type { Wanted } from '../../src/model/wanted.ts';
import { canalFacts, type CanalParts } from './canal-facts.ts';
import { flannelCluster, publishedIPv6 } from './flannel-facts.ts';

/**
 * A Canal that reacts as the real one does, as far as steps can see: a changed template replaces the pods one by one; a pod installs the network configuration
 * and reads the rest when it starts; flanneld ends where its Node has no podCIDR of a family that is on, and learns of another node's IPv6 only if that
 * was published before it started.
 */
export class CanalModel {
  facts: ClusterFacts;
  own: CanalFacts;
  readonly done: string[] = [];
  readonly first: Recorded;
  /** Per node: the nodes that its flanneld has IPv6 routes to. */
  readonly routes = new Map<string, ReadonlySet<string>>();
  /** Nodes whose new pods get an IPv6 address, and those whose Felix takes care of it. */
  readonly assigning = new Set<string>();
  readonly guarding = new Set<string>();
  #pods = 0;

  constructor(options: Parameters<typeof flannelCluster>[0] = {}, parts: CanalParts = {}) {
    this.facts = flannelCluster(options);
    this.own = canalFacts(this.facts, parts);
    const pods = this.agent.workload.pods.map((pod) => ({ ...pod, hash: this.#hash() }));
    this.#setWorkload({ newestHash: this.#hash(), pods });
    const records: Record<string, Json> = {};
    for (const { key, value } of canal.records(this.facts, this.own)) records[key] = value;
    this.first = records;
  }

  get agent() {
    if (!this.own.agent.known || this.own.agent.value === null) throw new Error('the model always has the DaemonSet');
    return this.own.agent.value;
  }

  get config() {
    if (!this.own.config.known || this.own.config.value === null) throw new Error('the model always has the ConfigMap');
    return this.own.config.value;
  }

  steps(wanted: Wanted): readonly Step[] {
    const order = phaseOrder(wanted.direction);
    return canal
      .steps(wanted, this.facts, this.own)
      .toSorted((a, b) => order.indexOf(a.phase) - order.indexOf(b.phase));
  }

  /** Carries out the first open step, or lets the DaemonSet go on. Null: everything is satisfied. */
  advance(wanted: Wanted): Step | null {
    const step = this.steps(wanted).find(({ state }) => state.is !== 'Satisfied' && state.is !== 'Deferred');
    if (step === undefined) return null;
    if (step.state.is === 'Pending') {
      this.done.push(step.id);
      this.execute(step);
    } else {
      this.pass(10);
    }
    return step;
  }

  run(wanted: Wanted): readonly Step[] {
    const met: Step[] = [];
    for (let pass = 0; pass < 200; pass++) {
      const step = this.advance(wanted);
      if (step === null) return met;
      met.push(step);
    }
    throw new Error(`not done: ${JSON.stringify(this.steps(wanted).map(({ id, state }) => [id, state]))}`);
  }

  pass(seconds: number): void {
    this.facts = { ...this.facts, at: this.facts.at + seconds * 1000 };
    const { workload } = this.agent;
    if (workload.strategy === 'OnDelete' || workload.pods.some((pod) => !pod.ready)) return;
    const stale = workload.pods.find((pod) => pod.hash !== workload.newestHash);
    if (stale !== undefined) this.restart(stale.node);
  }

  changeNode(name: string, change: Partial<NodeFacts>): void {
    const nodes = this.facts.nodes.map((node) => (node.name === name ? { ...node, ...change } : node));
    this.facts = { ...this.facts, nodes, basics: { ...this.facts.basics, nodes } };
  }

  execute(step: Step): void {
    if (step.kind !== 'ApplyObject') throw new Error(`no step of kind ${step.kind} was expected`);
    const changedAt = new Date(this.facts.at).toISOString();
    if (step.ref.kind === 'ConfigMap') {
      const flannel = asString(at(step.write, 'body', 'data', 'net-conf.json')) ?? null;
      const network = asString(at(step.write, 'body', 'data', 'cni_network_config')) ?? null;
      this.own = { ...this.own, config: known({ ...this.config, flannel, network, changedAt, untouched: false }) };
    } else if (step.ref.kind === 'DaemonSet') {
      this.#apply(at(step.write, 'body'));
    } else {
      const node = this.facts.nodes.find((each) => each.name === step.ref.name);
      const removed = Object.keys(at(step.write, 'body', 'metadata', 'annotations') as object);
      const annotations = Object.entries(node?.annotations ?? {}).filter(([key]) => !removed.includes(key));
      this.changeNode(step.ref.name, { annotations: Object.fromEntries(annotations) });
    }
  }

  restart(name: string): void {
    const index = this.facts.nodes.findIndex((node) => node.name === name);
    const node = this.facts.nodes[index];
    const [conf, network] = [readNetConf(this.config.flannel ?? ''), readNetworkConfig(this.config.network ?? '')];
    if (node === undefined || !conf.ok || !network.ok) throw new Error(`no Node ${name}, or no configuration`);
    const hasIPv6 = conf.value.enabled.IPv6;
    const ready = !hasIPv6 || node.podCIDRs.some((cidr) => cidr.includes(':'));
    this.#pods++;
    const pod: Partial<PodFacts> = {
      uid: `new-${this.#pods}`,
      hash: this.#hash(),
      startedAt: new Date(this.facts.at).toISOString(),
      ready,
      waiting: ready ? null : 'CrashLoopBackOff',
    };
    const pods = this.agent.workload.pods.map((each) => (each.node === name ? { ...each, ...pod } : each));
    this.#setWorkload({ pods });
    const felix = this.agent.env.FELIX_IPV6SUPPORT;
    this.#tell(this.assigning, name, assignsIPv6(network.value));
    this.#tell(this.guarding, name, felix?.is === 'Value' && felix.value === 'true');
    if (!ready || !hasIPv6) return;
    this.changeNode(name, { annotations: { ...node.annotations, ...publishedIPv6(index + 1) } });
    const told = this.facts.nodes.filter((each) => 'flannel.alpha.coreos.com/public-ipv6' in each.annotations);
    this.routes.set(name, new Set(told.map((each) => each.name).filter((each) => each !== name)));
  }

  #tell(set: Set<string>, name: string, isIn: boolean): void {
    if (isIn) set.add(name);
    else set.delete(name);
  }

  /** Server-side apply of one manager: what it leaves out is removed, if it was its own. Here all of these fields are. */
  #apply(body: unknown): void {
    const template = at(body, 'spec', 'template');
    const container = asArray(at(template, 'spec', 'containers')).find((each) => at(each, 'name') === FELIX_CONTAINER);
    const env = Object.fromEntries(
      asArray(at(container, 'env')).map((entry) => [
        asString(at(entry, 'name')) ?? '',
        { is: 'Value', value: asString(at(entry, 'value')) ?? '' },
      ]),
    ) as AgentFacts['env'];
    const mark = asString(at(template, 'metadata', 'annotations', ROLLOUT_ANNOTATION));
    this.own = { ...this.own, agent: known({ ...this.agent, env }) };
    this.#setWorkload({ templateAnnotations: mark === undefined ? {} : { [ROLLOUT_ANNOTATION]: mark } });
    this.#setWorkload({ newestHash: this.#hash() });
    this.pass(1);
  }

  #hash(): string {
    return JSON.stringify([this.agent.workload.templateAnnotations, this.agent.env]);
  }

  #setWorkload(change: Partial<WorkloadFacts>): void {
    this.own = { ...this.own, agent: known({ ...this.agent, workload: { ...this.agent.workload, ...change } }) };
  }
}
