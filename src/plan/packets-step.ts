import type { BoundPlugins } from '../model/bound.ts';
import type { Connectivity } from '../model/connectivity.ts';
import type { ClusterFacts } from '../model/facts.ts';
import type { Step, StepState } from '../model/step.ts';
import type { Wanted } from '../model/wanted.ts';
import { fingerprintOf } from './canonical.ts';
import type { Goal } from './wanted.ts';
import { canRunPods, probePlan, type Suspects } from './probe-plan.ts';

/** A proof that failed is tried again after this, and each time after twice as long, up to an hour. */
const AGAIN_AFTER_MS = 60_000;
const AGAIN_AT_MOST_MS = 60 * 60_000;
/** New nodes ask for a new proof, but in a cluster that grows and shrinks all day not more often than this. */
const FOR_NEW_NODES_MS = 5 * 60_000;

/**
 * The proof with packets. Satisfied while the last one found nothing wrong, is about the configuration as it is now, and no node has joined
 * since. Where the image for probe pods is not known there is no such step, and the condition says so.
 */
export function packetsSteps(
  wanted: Wanted,
  facts: ClusterFacts,
  plugins: BoundPlugins,
  last: Connectivity | null,
  goal: Goal,
): readonly Step[] {
  if (wanted.verification === 'None' || facts.probeImage === undefined) return [];
  const fingerprint = packetsFingerprint(wanted, facts, plugins);
  const newcomers = last === null ? [] : newSince(last, facts);
  const suspects = [...(last?.hops.flatMap(({ nodes }) => nodes) ?? []), ...newcomers];
  const probe = probePlan(facts, wanted.families, facts.probeImage, suspects);
  const count = probe.nodes.length;
  const isUnderWay = facts.proving?.fingerprint === fingerprint;
  const state =
    goal === 'FirstState' ? stateOnWayBack(last, fingerprint) : stateOf(last, fingerprint, newcomers, facts.at);
  return [
    {
      kind: 'VerifyPackets',
      id: 'verify/packets',
      phase: 'Verify',
      group: 'verify-packets',
      target: `packets between pods on ${count} ${count === 1 ? 'node' : 'nodes'}`,
      why: 'The result is proven with packets: pods of a moment talk to each other, to Services, to node ports and to DNS in each family.',
      diff: [],
      state: isUnderWay && state.is === 'Pending' ? { is: 'InProgress', why: facts.proving.text } : state,
      disrupts: null,
      timeoutSeconds: 900,
      fingerprint,
      failedBefore: last?.fingerprint === fingerprint ? last.failedInRow : 0,
      probe,
    },
  ];
}

/**
 * What a proof is about. Where a component was found is left out: one more control-plane node with the settings of the others is a new node,
 * not a new configuration.
 */
function packetsFingerprint({ families, pods, services }: Wanted, facts: ClusterFacts, plugins: BoundPlugins): string {
  const settings = [plugins.distribution, plugins.cni].flatMap((plugin) =>
    plugin.components().map((found) => fingerprintOf({ component: found.component, settings: found.settings })),
  );
  const ranges = facts.serviceCIDR.known ? facts.serviceCIDR.value : [];
  return fingerprintOf({ families, pods, services, settings: [...new Set(settings)].sort(), ranges });
}

/** Ready nodes that the last proof knew nothing of: they are younger, or could not take part. */
function newSince({ nodes }: Connectivity, facts: ClusterFacts): Suspects {
  const leftOut = new Set(nodes.leftOut);
  return facts.nodes
    .filter((node) => node.ready && canRunPods(node) && (node.createdAt > nodes.newest || leftOut.has(node.name)))
    .map(({ name }) => name);
}

/** The first state is what it is: the proof tells how it is, and nobody waits for it to be better. */
function stateOnWayBack(last: Connectivity | null, fingerprint: string): StepState {
  if (last === null || last.fingerprint !== fingerprint) return { is: 'Pending' };
  return { is: 'Satisfied', evidence: last.failedInRow === 0 ? connectivityText(last) : failureText(last) };
}

function stateOf(last: Connectivity | null, fingerprint: string, newcomers: Suspects, now: number): StepState {
  if (last === null || last.fingerprint !== fingerprint) return { is: 'Pending' };
  const age = now - Date.parse(last.at);
  if (last.failedInRow === 0) {
    if (newcomers.length > 0 && age >= FOR_NEW_NODES_MS) return { is: 'Pending' };
    return { is: 'Satisfied', evidence: `${connectivityText(last)}${newcomersText(newcomers)}` };
  }
  const again = againAfter(last.failedInRow);
  if (age > again) return { is: 'Pending' };
  const why = failureText(last);
  // The first time it may be the moment: what a network plug-in does on a node can take longer than its pods take to be ready.
  if (last.failedInRow === 1) return { is: 'InProgress', why: `${why} It is tried again after ${again / 1000} s.` };
  const remedy = last.hops[0]?.remedy ?? 'Mend what is named.';
  const soon = `It is tried again by itself, ${Math.round(again / 60_000)} min after the last time.`;
  // A quota or a policy that lets no probe run says nothing about packets: it must not undo a good conversion.
  if (last.hops.every(({ hop }) => hop === 'NotRun' || hop === 'NoReport')) {
    return { is: 'Unknown', why: `${why} ${remedy} ${soon}` };
  }
  return { is: 'Failed', why, remedy: `${remedy} ${soon}` };
}

const againAfter = (failedInRow: number): number =>
  Math.min(AGAIN_AT_MOST_MS, AGAIN_AFTER_MS * 2 ** Math.min(10, failedInRow - 1));

const newcomersText = (newcomers: Suspects): string =>
  newcomers.length === 0 ? '' : ` ${newcomers.length} newer nodes were not there and are proven within minutes.`;

/** What was proven, and of how much of the cluster. */
export function connectivityText({ checks, pairs, nodes, families, at }: Connectivity): string {
  const sample =
    pairs.tested === pairs.total
      ? `over all ${pairs.total} pairs of ${nodes.probed} nodes`
      : `over ${pairs.tested} of ${pairs.total} pairs of nodes (a sample: ${nodes.probed} of ${nodes.ready} nodes took part)`;
  const latencies = families.flatMap(({ family, latency }) =>
    latency === null ? [] : `${family} ${milliseconds(latency.median)} ms, p99 ${milliseconds(latency.p99)} ms`,
  );
  const leftOut =
    nodes.leftOut.length === 0
      ? ''
      : ` Not Ready and left out: ${nodes.leftOut.slice(0, 5).join(', ')}${nodes.leftOut.length > 5 ? ' and more' : ''}.`;
  return `${checks.total - checks.failed} of ${checks.total} checks with packets passed at ${at} ${sample}${latencies.length === 0 ? '' : ` (median ${latencies.join('; ')})`}.${leftOut}`;
}

const failureText = ({ checks, hops }: Connectivity): string => {
  const named = hops.slice(0, 3).map(({ message }) => message);
  const more =
    hops.length > named.length ? ` And ${hops.length - named.length} more, see status.connectivity.hops.` : '';
  return `${checks.failed} of ${checks.total} checks with packets failed: ${named.join(' ')}${more}`;
};

const milliseconds = (microseconds: number): string => (microseconds / 1000).toFixed(1);
