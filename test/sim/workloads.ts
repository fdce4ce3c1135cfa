import type { NodeFacts } from '../../src/model/facts.ts';
import { at, type JsonObject } from '../../src/model/object.ts';
import type { PodOwner } from '../../src/model/pod-owner.ts';
import type { ApplyObject, RolloutWorkload, Step } from '../../src/model/step.ts';
import { podOwner } from '../support/pod-owners.ts';

/** Seconds until all pods of a workload are new, and until the last of them is ready. */
const REPLACED_MS = 40_000;
const READY_MS = 70_000;

/** Workloads of the simulated cluster. A restart takes its time; new pods get what the network plug-in gives then. */
export class SimWorkloads {
  readonly #owners = new Map<string, PodOwner>();
  readonly #restarted = new Map<string, number>();

  add(name: string, restart: Parameters<typeof podOwner>[2] = {}): void {
    this.#owners.set(name, podOwner(name, {}, restart));
  }

  get list(): readonly PodOwner[] {
    return [...this.#owners.values()];
  }

  /** Names of those whose pods are not all new and ready. */
  get rolling(): readonly string[] {
    return this.list.filter(({ restart }) => restart?.rolledOut === false).map(({ name }) => name);
  }

  execute(step: Step & (RolloutWorkload | ApplyObject), now: number): void {
    const owner = this.#owners.get(step.ref.name);
    if (owner === undefined || owner.restart === null) throw new Error(`no workload ${step.ref.name}`);
    const isRestart = step.kind === 'RolloutWorkload' && step.next.is === 'Restart';
    const mark = isRestart && step.next.is === 'Restart' ? step.next.value : null;
    if (isRestart) this.#restarted.set(owner.name, now);
    this.#owners.set(owner.name, {
      ...owner,
      restart: { ...owner.restart, mark, ...(isRestart ? { rolledOut: false } : {}) },
    });
  }

  settle(now: number, givesIPv6: boolean): void {
    for (const [name, at] of this.#restarted) {
      const owner = this.#owners.get(name);
      if (owner === undefined || owner.restart === null) continue;
      const youngestPod = new Date(Math.min(now, at + REPLACED_MS)).toISOString();
      const isReplaced = now - at >= REPLACED_MS;
      const isReady = now - at >= READY_MS;
      if (isReady) this.#restarted.delete(name);
      const notReady = isReady ? null : { pod: `${name}-new`, since: youngestPod };
      this.#owners.set(name, {
        ...owner,
        without: isReplaced ? { IPv4: 0, IPv6: givesIPv6 ? 0 : owner.pods } : owner.without,
        restart: { ...owner.restart, rolledOut: isReady, youngestPod, notReady },
      });
    }
  }
}

export const isGuard = (step: Step): step is Step & ApplyObject & { readonly remedy: true } =>
  step.kind === 'ApplyObject' && step.remedy === true;

const isForeign = ({ key }: JsonObject): boolean => key !== 'dualstack.dev/family-missing';

/** A merge patch of a Node's taints: what is there besides ours must be in it. */
export function withTaints(node: NodeFacts, { write }: ApplyObject): NodeFacts {
  if (at(write, 'resourceVersion') !== node.resourceVersion) throw new Error(`409: ${node.name} has changed`);
  const taints = at(write, 'body', 'spec', 'taints') as readonly JsonObject[];
  if (JSON.stringify(taints.filter(isForeign)) !== JSON.stringify(node.taints.filter(isForeign))) {
    throw new Error(`never: a taint of ${node.name} is lost`);
  }
  return { ...node, taints, resourceVersion: `${Number(node.resourceVersion) + 1}` };
}
