import { appliedSpec } from '../api/applied.ts';
import type { ClusterStatus } from '../api/cluster-status.ts';
import { setConditions } from '../api/conditions.ts';
import { clip, LIMITS } from '../api/fields.ts';
import type { Problem } from '../api/rule.ts';
import type { BoundPlugins } from '../model/bound.ts';
import type { ClusterFacts } from '../model/facts.ts';
import type { Memory } from '../model/memory.ts';
import type { OperatorError } from '../model/outcome.ts';
import { isRemedy } from '../model/step.ts';
import type { Plan } from '../model/plan.ts';
import type { Request } from '../model/request.ts';
import { attemptOf } from '../nodes/attempt.ts';
import { outlookOf } from '../nodes/outlook.ts';
import { timesOf } from '../nodes/remedy.ts';
import type { Decision } from '../plan/next.ts';
import type { Goal } from '../plan/wanted.ts';
import { unreachable } from '../result.ts';
import { connectivityStatus } from './connectivity.ts';
import { conditionsAfterLook, conditionsWithoutLook } from './conditions.ts';
import { type Begun, nodesStatus } from './nodes.ts';
import { planStatus } from './plan-status.ts';
import { servicesStatus } from './services.ts';
import { workloadsStatus } from './workloads.ts';

/** What one pass came to. */
export type Said =
  | { readonly is: 'Invalid'; readonly problems: readonly Problem[] }
  | { readonly is: 'AnotherGoverns'; readonly name: string }
  | { readonly is: 'Unreadable'; readonly message: string }
  /** An unexpected exception, so many times in a row. */
  | { readonly is: 'Mishap'; readonly message: string; readonly times: number }
  | Looked;

export interface Looked {
  readonly is: 'Looked';
  readonly request: Request;
  readonly facts: ClusterFacts;
  readonly plugins: BoundPlugins;
  readonly plan: Plan;
  readonly decision: Decision;
  readonly goal: Goal;
  readonly deleting: boolean;
  /** As it is after the pass. */
  readonly memory: Memory;
  /** What kept the step from being carried out. */
  readonly refused: OperatorError | null;
}

/**
 * The status, made anew from what was seen. Equal inputs give an equal status, and no time in it moves by itself, so that an idle
 * cluster is not written to.
 * @param now RFC 3339.
 */
export function makeStatus(said: Said, previous: ClusterStatus, generation: number, now: string): ClusterStatus {
  switch (said.is) {
    case 'Invalid':
    case 'AnotherGoverns':
    case 'Unreadable':
    case 'Mishap': {
      const updates = conditionsWithoutLook(said, generation);
      return {
        ...previous,
        observedGeneration: generation,
        conditions: merge(previous, updates, now),
      };
    }
    case 'Looked':
      return afterLook(said, previous, generation, now);
    default:
      return unreachable(said);
  }
}

/** What was not looked at in this pass keeps what was last said of it. */
function merge(
  previous: ClusterStatus,
  updates: ReturnType<typeof conditionsWithoutLook>,
  now: string,
): NonNullable<ClusterStatus['conditions']> {
  const told = new Set(updates.map(({ type }) => type));
  const before = previous.conditions ?? [];
  return [...setConditions(before, updates, now), ...before.filter(({ type }) => !told.has(type))];
}

function afterLook(said: Looked, previous: ClusterStatus, generation: number, now: string): ClusterStatus {
  const { facts, plugins, plan, decision, memory } = said;
  const { wanted } = plan;
  const primaryFamily = wanted.families[0];
  const services = servicesStatus(facts, wanted, memory.servicePackets);
  const outlook = outlookOf(plan, plugins, said.request, facts.at);
  const nodes = nodesStatus(outlook, facts.nodes, plugins.cni.nodeProofs(wanted, facts), previous.nodes, begunBy(said));
  const done = decision.is === 'Done' && said.goal === 'Spec';
  return {
    observedGeneration: generation,
    conditions: [...setConditions(previous.conditions ?? [], conditionsAfterLook(said, nodes, generation), now)],
    detected: {
      kubernetesVersion: facts.basics.kubernetesVersion,
      distribution: facts.distribution.name,
      cni: facts.cni.name,
      ...(primaryFamily === undefined ? {} : { primaryFamily }),
    },
    components: [plugins.distribution, plugins.cni]
      .flatMap((plugin) => plugin.components())
      .slice(0, LIMITS.components)
      .map(({ component, where, source, settings }) => ({
        component,
        where,
        source: clip(source),
        settings: Object.fromEntries(Object.entries(settings).map(([key, value]) => [key, clip(value)])),
      })),
    plan: planStatus(plan, decision, memory),
    nodes,
    ...(services === undefined ? {} : { services }),
    ...(facts.workloads.known ? { workloads: workloadsStatus(wanted, facts.workloads.value, plan.steps) } : {}),
    ...applied(said, previous, done, generation),
    ...(memory.proof === null
      ? {}
      : {
          verified: {
            fingerprint: memory.proof.fingerprint,
            at: memory.proof.at,
            checks: memory.proof.checks
              .slice(0, LIMITS.checks)
              .map(({ name, ok, detail }) => ({ name: clip(name, LIMITS.name), ok, detail: clip(detail) })),
          },
        }),
    ...(memory.connectivity === null ? {} : { connectivity: connectivityStatus(memory.connectivity) }),
    ...(memory.rollBack === null ? {} : { rollBack: { ...memory.rollBack, reason: clip(memory.rollBack.reason) } }),
    ...(memory.corrections.length === 0 ? {} : { corrections: memory.corrections.slice(0, LIMITS.corrections) }),
  };
}

function begunBy({ decision, refused }: Looked): Begun | null {
  if (decision.is !== 'Act' || refused !== null) return null;
  const { step } = decision;
  if (step.kind !== 'EditHost' || !isRemedy(step)) return null;
  const attempt = attemptOf(step.settings.restart?.kubelet);
  if (attempt === null) return null;
  const remedy = step.settings.kubelet === undefined ? 'RestartKubelet' : 'SetNodeIP';
  return { node: step.node, tried: { remedy, ...timesOf(attempt) } };
}

/** The last spec that was carried out in full; what is under way does not count yet. */
function applied(
  { request, plan, facts }: Looked,
  previous: ClusterStatus,
  done: boolean,
  generation: number,
): Pick<ClusterStatus, 'applied' | 'appliedGeneration'> {
  if (done) {
    const found = { distribution: facts.distribution.name, cni: facts.cni.name };
    return { applied: appliedSpec(request, plan.wanted, found), appliedGeneration: generation };
  }
  return {
    ...(previous.applied === undefined ? {} : { applied: previous.applied }),
    ...(previous.appliedGeneration === undefined ? {} : { appliedGeneration: previous.appliedGeneration }),
  };
}
