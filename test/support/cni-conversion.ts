import { execute } from '../../src/apply/execute.ts';
import type { CNI } from '../../src/cni/contract.ts';
import type { Cluster } from '../../src/kube/connect.ts';
import { clientReader } from '../../src/kube/reader.ts';
import type { ClusterFacts } from '../../src/model/facts.ts';
import type { Json } from '../../src/model/object.ts';
import { phaseOrder } from '../../src/model/phase.ts';
import { known } from '../../src/model/reader.ts';
import type { Wanted } from '../../src/model/wanted.ts';
import { readBasics } from '../../src/observe/basics.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { clusterFacts } from './facts.ts';

/** The steps of one CNI alone, carried out on a cluster whose other parts are dual-stack already. */

export interface LookOptions {
  /** First states; none: they have not been taken yet. */
  readonly records?: Readonly<Record<string, Json>>;
  /** What the API serves beyond Kubernetes' own groups. */
  readonly groupVersions?: readonly string[];
}

export async function lookAt<Own>(
  { client }: Cluster,
  cni: CNI<Own>,
  { records = {}, groupVersions = [] }: LookOptions = {},
) {
  const reader = clientReader(client);
  const served = ['v1', 'apps/v1', ...groupVersions];
  const basics = await readBasics(reader, { kubernetesVersion: 'v1.36.3', groupVersions: served }, Date.now());
  if (!basics.ok) throw new Error(basics.error);
  const own = await cni.observe(reader, basics.value);
  const change = { basics: basics.value, at: Date.now(), records: known(records) };
  const facts: ClusterFacts = clusterFacts({ nodes: basics.value.nodes }, change);
  return { facts, own, detected: cni.detect(basics.value) };
}

export interface Way {
  /** Ids of the steps that changed something, with the time of each. */
  readonly done: readonly { readonly id: string; readonly at: number }[];
  readonly first: Readonly<Record<string, Json>>;
}

export interface ConvertOptions extends LookOptions {
  /** What happens between two looks, such as what a played daemon does. */
  readonly between?: (facts: ClusterFacts) => Promise<void>;
  readonly deadlineMs?: number;
}

/** Step by step until all are satisfied. */
export async function convertCNI<Own>(
  access: Cluster,
  cni: CNI<Own>,
  wanted: Wanted,
  { between, deadlineMs = 60_000, ...looking }: ConvertOptions = {},
): Promise<Way> {
  const done: { id: string; at: number }[] = [];
  const order = phaseOrder(wanted.direction);
  const first = looking.records ?? (await firstStates(access, cni, looking));
  const deadline = performance.now() + deadlineMs;
  for (;;) {
    const { facts, own } = await lookAt(access, cni, { ...looking, records: first });
    await between?.(facts);
    const steps = cni.steps(wanted, facts, own).toSorted((a, b) => order.indexOf(a.phase) - order.indexOf(b.phase));
    const next = steps.find((step) => step.state.is !== 'Satisfied');
    if (next === undefined) return { done, first };
    if (next.state.is === 'Failed' || performance.now() > deadline) {
      throw new Error(`${next.id}: ${JSON.stringify(next.state)}, done: ${done.map(({ id }) => id).join(' ')}`);
    }
    if (next.state.is !== 'Pending') {
      await systemClock.sleep(100);
      continue;
    }
    const outcome = await execute(next, {
      client: access.client,
      clock: systemClock,
      namespace: 'default',
      suffix: () => 'x',
      attempt: () => '1-x',
      signal: new AbortController().signal,
    });
    if (outcome.is === 'Refused') throw new Error(`${next.id}: ${outcome.error.message}`);
    done.push({ id: next.id, at: Date.now() });
  }
}

async function firstStates<Own>(
  access: Cluster,
  cni: CNI<Own>,
  looking: LookOptions,
): Promise<Readonly<Record<string, Json>>> {
  const { facts, own } = await lookAt(access, cni, looking);
  return Object.fromEntries(cni.records(facts, own).map(({ key, value }) => [key, value]));
}
