import type { BoundPlugins } from '../../src/model/bound.ts';
import type { ClusterFacts } from '../../src/model/facts.ts';
import type { Memory } from '../../src/model/memory.ts';
import type { Plan } from '../../src/model/plan.ts';
import { known } from '../../src/model/reader.ts';
import type { Request } from '../../src/model/request.ts';
import type { Step, StepState } from '../../src/model/step.ts';
import { resolve } from '../../src/api/resolve.ts';
import { makePlan } from '../../src/plan/plan.ts';
import type { Goal } from '../../src/plan/wanted.ts';
import { registry, vocabulary } from '../../src/registry.ts';
import { calicoCluster, calicoFacts, type CalicoParts } from './calico-facts.ts';
import { type ClusterOptions, PODS, SERVICES, wantedDual } from './facts.ts';
import { kubeadmFacts } from './kubeadm.ts';

/** IPv4 → IPv4,IPv6, unless told otherwise. */
export function asked(change: Record<string, unknown> = {}): Request {
  const spec = {
    ipFamilies: ['IPv4', 'IPv6'],
    clusterNetwork: { pods: { cidrBlocks: [PODS.IPv6] }, services: { cidrBlocks: [SERVICES.IPv6] } },
    ...change,
  };
  const request = resolve(spec, vocabulary);
  if (!request.ok) throw new Error(JSON.stringify(request.error));
  return request.value;
}

export const askedBack = (change: Record<string, unknown> = {}): Request =>
  asked({ ipFamilies: ['IPv4'], clusterNetwork: {}, ...change });

export const NO_MEMORY: Memory = {
  current: null,
  proof: null,
  connectivity: null,
  servicePackets: null,
  rollBack: null,
  corrections: [],
  appliedGeneration: null,
  goneSince: {},
};

/** A kubeadm cluster with Calico, as the planner gets to see it. */
export function clusterScene(
  options: ClusterOptions & { readonly proven?: boolean } = {},
  change: Partial<ClusterFacts> = {},
  calico: CalicoParts = {},
): ClusterFacts {
  const facts = { ...calicoCluster(options), ...change };
  const basics = { ...facts.basics, nodes: facts.nodes };
  return {
    ...facts,
    basics: change.basics ?? basics,
    distribution: { ...facts.distribution, own: kubeadmFacts(facts.nodes, { dual: options.dual ?? false }) },
    cni: { ...facts.cni, own: calicoFacts(facts, calico) },
  };
}

export interface PlanScene {
  readonly facts: ClusterFacts;
  readonly plugins: BoundPlugins;
  readonly plan: Plan;
}

export function planScene(
  facts: ClusterFacts,
  request: Request = asked(),
  memory: Memory = NO_MEMORY,
  goal: Goal = 'Spec',
): PlanScene {
  const plugins = registry.bind(facts);
  return { facts, plugins, plan: makePlan(request, facts, plugins, memory, goal) };
}

/** A step for tests of what is done with steps. */
export const someStep = (id: string, state: StepState, change: Partial<Step> = {}): Step =>
  ({
    id,
    phase: 'CNIConfig',
    group: id,
    target: `ConfigMap ${id}`,
    why: 'It is needed.',
    diff: [{ path: 'data', before: 'a', after: 'b' }],
    state,
    disrupts: null,
    timeoutSeconds: 300,
    kind: 'ApplyObject',
    ref: { apiVersion: 'v1', kind: 'ConfigMap', namespace: 'kube-system', name: 'some' },
    write: { is: 'Apply', body: {}, force: true },
    ...change,
  }) as Step;

export const somePlan = (steps: readonly Step[], change: Partial<Plan> = {}): Plan => ({
  direction: 'Forward',
  wanted: wantedDual(),
  hash: 'abc',
  steps,
  findings: [],
  recordables: [],
  ...change,
});

export const recordsOf = (plan: Plan): ClusterFacts['records'] =>
  known(Object.fromEntries(plan.recordables.map(({ key, value }) => [key, value])));
