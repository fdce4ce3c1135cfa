import type { ClusterFacts } from '../model/facts.ts';
import type { Reader } from '../model/reader.ts';
import { readNodeLoads } from '../observe/node-loads.ts';
import { nodesToDrain } from '../plan/drain.ts';
import type { Looked } from '../report/status.ts';
import type { Clock } from '../runtime/clock.ts';
import { judge, type Seen } from './judge.ts';

type Loads = NonNullable<ClusterFacts['loads']>;

/** What is on Nodes that are to be drained. */
export interface LoadCache {
  /** Of the first of them as it is now; of those whose turn comes next, as it was some seconds ago. */
  get(nodes: readonly string[]): Promise<Loads>;
}

/** So many Nodes that wait for their turn are looked at, so that what stands in the way is told early. */
const AHEAD = 20;
const AHEAD_MS = 30_000;

export function loadCache(reader: Reader, clock: Clock): LoadCache {
  let last: { readonly at: number; readonly key: string; readonly value: Loads } | null = null;
  const ahead = async (nodes: readonly string[]): Promise<Loads> => {
    const [now, key] = [clock.monotonic(), nodes.join()];
    if (last === null || last.key !== key || now - last.at >= AHEAD_MS) {
      last = { at: now, key, value: await readNodeLoads(reader, nodes) };
    }
    return last.value;
  };
  return {
    get: async ([inTurn, ...others]) =>
      inTurn === undefined
        ? {}
        : { ...(await ahead(others.slice(0, AHEAD))), ...(await readNodeLoads(reader, [inTurn])) },
  };
}

/** Plans and decides; where Nodes are to be drained, by what is on them. */
export async function judgeWithLoads(seen: Seen, loads: LoadCache): Promise<Looked> {
  const first = judge(seen);
  const nodes = nodesToDrain(first.plan.steps);
  return nodes.length === 0 ? first : judge({ ...seen, facts: { ...seen.facts, loads: await loads.get(nodes) } });
}
