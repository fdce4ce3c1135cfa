import type { FlannelFacts } from '../../src/cni/flannel/facts.ts';
import { flannel } from '../../src/cni/flannel/index.ts';
import { readNetConf } from '../../src/model/net-conf.ts';
import type { ClusterFacts, NodeFacts, PodFacts, WorkloadFacts } from '../../src/model/facts.ts';
import { asString, at, type Json } from '../../src/model/object.ts';
import { phaseOrder } from '../../src/model/phase.ts';
import { known } from '../../src/model/reader.ts';
import type { Recorded } from '../../src/model/record.ts';
import type { Step } from '../../src/model/step.ts';
import type { Wanted } from '../../src/model/wanted.ts';
import type { ClusterOptions } from './facts.ts';
import { flannelCluster, flannelFacts, type FlannelParts, publishedIPv6 } from './flannel-facts.ts';

/**
 * A flannel that reacts as the real one does, as far as steps can see: a changed template replaces the pods one by one, flanneld reads its
 * configuration when it starts, crashes where its Node has no podCIDR of a family that is on, and learns of another node's IPv6 only if that was
 * published before it started.
 */
export class FlannelModel {
  facts: ClusterFacts;
  own: FlannelFacts;
  readonly done: string[] = [];
  readonly first: Recorded;
  /** Per node: the nodes that its flanneld has IPv6 routes to. */
  readonly routes = new Map<string, ReadonlySet<string>>();
  #pods = 0;

  constructor(options: ClusterOptions & { podCIDRs?: boolean; published?: boolean } = {}, parts: FlannelParts = {}) {
    this.facts = flannelCluster(options);
    this.own = flannelFacts(this.facts, parts);
    this.#setWorkload({
      newestHash: this.#hash(),
      pods: this.agent.workload.pods.map((pod) => ({ ...pod, hash: this.#hash() })),
    });
    const records: Record<string, Json> = {};
    for (const { key, value } of flannel.records(this.facts, this.own)) records[key] = value;
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
    return flannel
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

  /** Until nothing is open; returns the states met on the way. */
  run(wanted: Wanted): readonly Step[] {
    const met: Step[] = [];
    for (let pass = 0; pass < 200; pass++) {
      const step = this.advance(wanted);
      if (step === null) return met;
      met.push(step);
    }
    throw new Error(`not done: ${JSON.stringify(this.steps(wanted).map(({ id, state }) => [id, state]))}`);
  }

  /** Time goes by, and the DaemonSet replaces one more pod. */
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
    const changedAt = new Date(this.facts.at).toISOString();
    if (step.kind === 'RolloutWorkload') {
      if (step.next.is !== 'Annotate') throw new Error('pods in a namespace of flannel are not deleted');
      const { [step.next.annotation]: _, ...others } = this.agent.workload.templateAnnotations;
      const templateAnnotations =
        step.next.value === null ? others : { ...others, [step.next.annotation]: step.next.value };
      this.#setWorkload({ templateAnnotations });
      this.#setWorkload({ newestHash: this.#hash() });
      this.pass(1);
      return;
    }
    if (step.kind !== 'ApplyObject') throw new Error(`no step of kind ${step.kind} was expected`);
    if (step.ref.kind === 'ConfigMap') {
      const text = asString(at(step.write, 'body', 'data', 'net-conf.json')) ?? '';
      this.own = { ...this.own, config: known({ ...this.config, text, changedAt, untouched: false }) };
      return;
    }
    const node = this.facts.nodes.find((each) => each.name === step.ref.name);
    const removed = Object.keys(at(step.write, 'body', 'metadata', 'annotations') as object);
    const annotations = Object.entries(node?.annotations ?? {}).filter(([key]) => !removed.includes(key));
    this.changeNode(step.ref.name, { annotations: Object.fromEntries(annotations) });
  }

  restart(name: string): void {
    const index = this.facts.nodes.findIndex((node) => node.name === name);
    const node = this.facts.nodes[index];
    const conf = readNetConf(this.config.text ?? '');
    if (node === undefined || !conf.ok) throw new Error(`no Node ${name}, or no configuration`);
    const ready = !conf.value.enabled.IPv6 || node.podCIDRs.some((cidr) => cidr.includes(':'));
    this.#pods++;
    const pod: Partial<PodFacts> = {
      uid: `new-${this.#pods}`,
      hash: this.#hash(),
      startedAt: new Date(this.facts.at).toISOString(),
      ready,
      waiting: ready ? null : 'CrashLoopBackOff',
    };
    this.#setWorkload({
      pods: this.agent.workload.pods.map((each) => (each.node === name ? { ...each, ...pod } : each)),
    });
    if (!ready || !conf.value.enabled.IPv6) return;
    this.changeNode(name, { annotations: { ...node.annotations, ...publishedIPv6(index + 1) } });
    const known6 = this.facts.nodes.filter(
      (each) => each.annotations['flannel.alpha.coreos.com/public-ipv6'] !== undefined,
    );
    this.routes.set(name, new Set(known6.map((each) => each.name).filter((each) => each !== name)));
  }

  #hash(): string {
    return JSON.stringify(this.agent.workload.templateAnnotations);
  }

  #setWorkload(change: Partial<WorkloadFacts>): void {
    this.own = { ...this.own, agent: known({ ...this.agent, workload: { ...this.agent.workload, ...change } }) };
  }
}
