import type { K0sFacts } from '../../src/distributions/k0s/facts.ts';
import { k0s } from '../../src/distributions/k0s/index.ts';
import type { ClusterFacts } from '../../src/model/facts.ts';
import type { Step } from '../../src/model/step.ts';
import type { Wanted } from '../../src/model/wanted.ts';
import { wantedDual } from './facts.ts';
import { k0sCluster, type K0sOptions } from './k0s.ts';

/** A cluster of k0s, what is wanted of it, and what is different. */
export interface Case extends K0sOptions {
  readonly wanted?: Wanted;
  readonly own?: Partial<K0sFacts>;
  readonly change?: (own: K0sFacts) => K0sFacts;
  readonly facts?: Partial<ClusterFacts>;
}

export function steps({ wanted, own, change, facts, ...options }: Case): readonly Step[] {
  const scene = k0sCluster(options, own);
  return k0s.steps(wanted ?? wantedDual(), { ...scene.facts, ...facts }, (change ?? ((same) => same))(scene.own));
}

export const step = (scene: Case, id: string): Step => {
  const all = steps(scene);
  const found = all.find((candidate) => candidate.id === id);
  if (found === undefined) throw new Error(`no step ${id} among ${all.map((each) => each.id).join(', ')}`);
  return found;
};
export const states = (scene: Case): Readonly<Record<string, string>> =>
  Object.fromEntries(steps(scene).map((each) => [each.id, each.state.is]));
