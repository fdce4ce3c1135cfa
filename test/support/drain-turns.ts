import { expect } from '@jest/globals';
import { recoverNodes } from '../../src/apply/bring-back.ts';
import { execute } from '../../src/apply/execute.ts';
import type { KubeClient } from '../../src/kube/client.ts';
import { clientReader } from '../../src/kube/reader.ts';
import type { BoundPlugins } from '../../src/model/bound.ts';
import type { ClusterFacts } from '../../src/model/facts.ts';
import type { Outcome } from '../../src/model/outcome.ts';
import type { Plan } from '../../src/model/plan.ts';
import type { Step } from '../../src/model/step.ts';
import type { DrainRules, Wanted } from '../../src/model/wanted.ts';
import { readBasics } from '../../src/observe/basics.ts';
import { readNodeLoads } from '../../src/observe/node-loads.ts';
import { nodesToDrain, uncordonSteps } from '../../src/plan/drain.ts';
import { decide, type Decision } from '../../src/plan/next.ts';
import { checkPodCIDRs, podCIDRSteps } from '../../src/plan/pod-cidrs.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { clusterFacts, wantedDual } from './facts.ts';
import { asked, NO_MEMORY } from './plan-scene.ts';

const RULES: DrainRules = { standalonePods: 'Refuse', emptyDir: 'Refuse', timeout: 600 };
type Families = Wanted['families'];
export const BOTH: Families = ['IPv4', 'IPv6'];
export const ONE: Families = ['IPv4'];
export const drained = (families: Families, rules: Partial<DrainRules> = {}): Wanted => ({
  ...wantedDual({ nodes: { podCIDRs: 'Drain', drain: { ...RULES, ...rules } } }),
  families,
});

const PLUGINS = { cni: { name: 'Flannel', usesNodeIPAM: true } } as BoundPlugins;
const SERVER = { kubernetesVersion: 'v1.36.3', groupVersions: ['v1', 'dualstack.dev/v1alpha1'] };

/** As a pass of the operator does it; of these Nodes alone, as if the others were as they are to be. */
async function look(wanted: Wanted, only: readonly string[], client: KubeClient): Promise<Decision> {
  const reader = clientReader(client);
  const basics = await readBasics(reader, SERVER, Date.now());
  if (!basics.ok) throw new Error(basics.error);
  const facts: ClusterFacts = { ...clusterFacts(), at: Date.now(), nodes: basics.value.nodes };
  const isMeant = (step: Step): boolean => only.some((name) => step.id.endsWith(`/${name}`));
  const toDrain = nodesToDrain(podCIDRSteps(wanted, facts, PLUGINS).filter(isMeant));
  const seen = { ...facts, loads: await readNodeLoads(reader, toDrain) };
  const replacing = podCIDRSteps(wanted, seen, PLUGINS);
  const steps = [...uncordonSteps(wanted, seen, replacing), ...replacing].filter(isMeant);
  const findings = checkPodCIDRs(wanted, seen, PLUGINS, steps);
  const plan: Plan = { direction: 'Forward', wanted, hash: '', steps, findings, recordables: [] };
  return decide(plan, seen, asked(), NO_MEMORY, 1);
}

const random = (): string => 'x';

export interface Turn {
  readonly decision: Decision;
  readonly outcome: Outcome | null;
}

/** What one process does from one look at the cluster to the next. */
export async function turn(wanted: Wanted, only: readonly string[], client: KubeClient): Promise<Turn> {
  const { problem } = await recoverNodes({ client, clock: systemClock }, 5000);
  expect(problem).toBeNull();
  const decision = await look(wanted, only, client);
  if (decision.is !== 'Act') return { decision, outcome: null };
  const { signal } = new AbortController();
  const deps = { client, clock: systemClock, namespace: 'dualstack-system', suffix: random, attempt: random, signal };
  return { decision, outcome: await execute(decision.step, deps) };
}

/** A process that dies right before, or right after, its n-th write. */
export function dying(
  client: KubeClient,
  write: number,
  when: 'Before' | 'After',
): { client: KubeClient; dead: () => boolean } {
  let writes = 0;
  let isDead = false;
  const die = (): never => {
    isDead = true;
    throw new Error('it died');
  };
  const VERBS = ['create', 'createSubresource', 'mergePatch', 'delete'] as const;
  const counted = VERBS.map((verb) => [
    verb,
    async (...call: readonly unknown[]) => {
      writes += 1;
      if (isDead || (when === 'Before' && writes === write)) return die();
      const answer: unknown = await (client[verb] as (...args: readonly unknown[]) => Promise<unknown>)(...call);
      return writes >= write ? die() : answer;
    },
  ]);
  return { client: { ...client, ...(Object.fromEntries(counted) as Partial<KubeClient>) }, dead: () => isDead };
}
