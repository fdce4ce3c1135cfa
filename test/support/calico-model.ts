import { calico } from '../../src/cni/calico/index.ts';
import type { CalicoFacts, EnvEntry, Pool } from '../../src/cni/calico/facts.ts';
import type { ClusterFacts, NodeFacts, PodFacts } from '../../src/model/facts.ts';
import { asArray, asString, at, type Json } from '../../src/model/object.ts';
import { phaseOrder } from '../../src/model/phase.ts';
import { known } from '../../src/model/reader.ts';
import type { Recorded } from '../../src/model/record.ts';
import type { ApplyObject, Step } from '../../src/model/step.ts';
import type { Wanted } from '../../src/model/wanted.ts';
import { parseCidr } from '../../src/net/cidr.ts';
import { FAMILIES, type Family } from '../../src/net/family.ts';
import { calicoCluster, type CalicoClusterOptions, type CalicoParts, calicoFacts } from './calico-facts.ts';

/**
 * A Calico that reacts to steps as the real one does, as far as steps can see: server-side apply removes what its manager leaves
 * out, a template has the same hash when it is the same again, and a calico-node that looks for both addresses on a Node that
 * has one takes that down.
 */
export class CalicoModel {
  facts: ClusterFacts;
  own: CalicoFacts;
  /** Ids of the steps that were carried out, in order. */
  readonly done: string[] = [];
  /** Recorded before anything was changed, as the first phase does. */
  readonly first: Recorded;
  /** Nodes whose calico-node comes up without proof, whatever it is told. */
  readonly broken = new Set<string>();
  #ours = new Set<string>();
  #pods = 0;

  constructor(options: CalicoClusterOptions = {}, parts: CalicoParts = {}) {
    this.facts = calicoCluster(options);
    this.own = calicoFacts(this.facts, parts);
    this.#templateChanged();
    this.#setPods(this.agent.workload.pods.map((pod) => ({ ...pod, hash: this.#hash() })));
    this.first = this.#record();
  }

  get agent() {
    if (!this.own.agent.known || this.own.agent.value === null) throw new Error('the model always has calico-node');
    return this.own.agent.value;
  }

  get configText(): string {
    if (!this.own.config.known || this.own.config.value === null) throw new Error('the model always has calico-config');
    return this.own.config.value.text ?? '';
  }

  get pools(): readonly Pool[] {
    return this.own.pools.known ? this.own.pools.value.pools : [];
  }

  #record(): Recorded {
    const records: Record<string, Json> = {};
    for (const { key, value } of calico.records(this.facts, this.own)) records[key] = value;
    this.facts = { ...this.facts, records: known(records) };
    return records;
  }

  /** In the order in which they are done. */
  steps(wanted: Wanted): readonly Step[] {
    const order = phaseOrder(wanted.direction);
    return calico
      .steps(wanted, this.facts, this.own)
      .toSorted((a, b) => order.indexOf(a.phase) - order.indexOf(b.phase));
  }

  /** Carries out the first step that is not satisfied, or lets time pass. Null: everything is satisfied. */
  advance(wanted: Wanted): Step | null {
    const step = this.steps(wanted).find(({ state }) => state.is !== 'Satisfied' && state.is !== 'Deferred');
    if (step === undefined) return null;
    if (step.state.is === 'Pending') {
      this.execute(step);
      this.done.push(step.id);
    } else {
      this.pass(10);
    }
    return step;
  }

  pass(seconds: number): void {
    this.facts = { ...this.facts, at: this.facts.at + seconds * 1000 };
  }

  changeNode(name: string, change: Partial<NodeFacts>): void {
    const nodes = this.facts.nodes.map((node) => (node.name === name ? { ...node, ...change } : node));
    this.facts = { ...this.facts, nodes, basics: { ...this.facts.basics, nodes } };
  }

  execute(step: Step): void {
    if (step.kind === 'RolloutWorkload') {
      if (step.next.is !== 'DeletePods') throw new Error('Calico deletes pods itself');
      for (const { uid } of step.next.pods) this.#replacePod(uid);
      return;
    }
    if (step.kind !== 'ApplyObject') throw new Error(`Calico has no steps of kind ${step.kind}`);
    switch (step.ref.kind) {
      case 'IPPool':
        return this.#writePool(step);
      case 'ConfigMap':
        return this.#writeConfig(asString(at(step.write, 'body', 'data', 'cni_network_config')) ?? '');
      case 'DaemonSet':
        return this.#writeDaemonSet(at(step.write, 'body'));
      case 'Node':
        return this.#removeAnnotations(step);
      default:
        throw new Error(`Calico does not write ${step.ref.kind}`);
    }
  }

  #writePool({ ref, write }: ApplyObject): void {
    const spec = at(write, 'body', 'spec') as Partial<Pool>;
    const exists = this.pools.some((pool) => pool.name === ref.name);
    if (write.is === 'Create') {
      if (exists) throw new Error(`IPPool ${ref.name} exists`);
      const cidr = parseCidr(spec.cidr ?? '');
      if (!cidr.ok) throw new Error(cidr.error.message);
      const made = {
        name: ref.name,
        resourceVersion: '1',
        family: cidr.value.family,
        disabled: false,
        allocatable: null,
      };
      this.#setPools([...this.pools, { ...made, ...spec } as Pool]);
      return;
    }
    if (!exists) throw new Error(`IPPool ${ref.name} does not exist`);
    this.#setPools(this.pools.map((pool) => (pool.name === ref.name ? { ...pool, ...spec } : pool)));
  }

  #writeConfig(text: string): void {
    if (!this.own.config.known || this.own.config.value === null) return;
    const changedAt = new Date(this.facts.at).toISOString();
    this.own = { ...this.own, config: known({ ...this.own.config.value, text, changedAt }) };
  }

  #writeDaemonSet(body: unknown): void {
    const entries = asArray(at(body, 'spec', 'template', 'spec', 'containers', 0, 'env'));
    const sent = new Map(entries.map((entry) => [at(entry, 'name') as string, at(entry, 'value') as string]));
    const kept = Object.entries(this.agent.env).filter(([name]) => !this.#ours.has(name) || sent.has(name));
    const env: Record<string, EnvEntry> = Object.fromEntries(kept);
    for (const [name, value] of sent) env[name] = { is: 'Value', value };
    this.#ours = new Set(sent.keys());

    const templateAnnotations = (at(body, 'spec', 'template', 'metadata', 'annotations') ?? {}) as Record<
      string,
      string
    >;
    const updateStrategy = { ...this.agent.updateStrategy, type: at(body, 'spec', 'updateStrategy', 'type') as string };
    const workload = { ...this.agent.workload, templateAnnotations };
    this.own = { ...this.own, agent: known({ ...this.agent, env, updateStrategy, workload }) };
    this.#templateChanged();
  }

  #removeAnnotations({ ref, write }: ApplyObject): void {
    const node = this.facts.nodes.find((each) => each.name === ref.name);
    const annotations = { ...node?.annotations };
    const sent = at(write, 'body', 'metadata', 'annotations') as Readonly<Record<string, string | null>>;
    for (const [key, value] of Object.entries(sent)) {
      if (value !== null) throw new Error(`${key} of a Node is Calico's to write`);
      delete annotations[key];
    }
    this.changeNode(ref.name, { annotations });
  }

  /** A new pod of the newest template, and what it does to its Node. */
  #replacePod(uid: string): void {
    this.#setPods(
      this.agent.workload.pods.map((pod) => {
        if (pod.uid !== uid) return pod;
        this.#pods++;
        const startedAt = new Date(this.facts.at).toISOString();
        const ready = this.#startAgent(pod.node);
        const waiting = ready ? null : 'CrashLoopBackOff';
        return { ...pod, uid: `new-${this.#pods}`, hash: this.#hash(), startedAt, ready, waiting };
      }),
    );
  }

  #startAgent(name: string): boolean {
    const node = this.facts.nodes.find((each) => each.name === name);
    if (node === undefined) throw new Error(`no Node ${name}`);
    const sought = FAMILIES.filter((family) => this.#looksFor(family, node));
    const found = new Map(
      sought.flatMap((family) => {
        const address = node.internalIPs.find((each) => each.includes(':') === (family === 'IPv6'));
        return address === undefined ? [] : [[proofOf(family), `${address}/${family === 'IPv6' ? 64 : 24}`] as const];
      }),
    );
    const isBroken = sought.length > 1 && this.broken.has(name);
    if (isBroken || sought.some((family) => !found.has(proofOf(family)))) {
      const lost = sought.filter((family) => this.#isSetTo(family, 'autodetect')).map(proofOf);
      const annotations = Object.entries(node.annotations).filter(([key]) => !lost.includes(key));
      this.changeNode(name, { annotations: Object.fromEntries(annotations) });
      return false;
    }
    this.changeNode(name, { annotations: { ...node.annotations, ...Object.fromEntries(found) } });
    return true;
  }

  /** Of IPv4 it looks for an address without being told, unless it has stored one. */
  #looksFor(family: Family, node: NodeFacts): boolean {
    if (this.#isSetTo(family, 'autodetect')) return true;
    return family === 'IPv4' && this.#isSetTo(family, '') && !(proofOf(family) in node.annotations);
  }

  #isSetTo(family: Family, value: string): boolean {
    const entry = this.agent.env[family === 'IPv4' ? 'IP' : 'IP6'];
    return (entry?.is === 'Value' ? entry.value : '') === value;
  }

  #templateChanged(): void {
    const newestHash = this.#hash();
    const workload = { ...this.agent.workload, newestHash };
    this.own = { ...this.own, agent: known({ ...this.agent, workload }) };
  }

  #hash(): string {
    const env = Object.entries(this.agent.env).toSorted(([a], [b]) => (a < b ? -1 : 1));
    return JSON.stringify([env, this.agent.workload.templateAnnotations]);
  }

  #setPods(pods: readonly PodFacts[]): void {
    this.own = { ...this.own, agent: known({ ...this.agent, workload: { ...this.agent.workload, pods } }) };
  }

  #setPools(pools: readonly Pool[]): void {
    if (!this.own.pools.known) return;
    this.own = { ...this.own, pools: known({ ...this.own.pools.value, pools }) };
  }
}

const proofOf = (family: Family): string => `projectcalico.org/${family}Address`;
