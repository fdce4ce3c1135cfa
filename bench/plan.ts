// Part of `make bench`: what it takes to plan for thousands of nodes and to report on them, in this process. The reference for the time is a budget of
// 50 ms at 5,000 nodes; that for the growth is the time for a tenth of the nodes.
import { parseArgs } from 'node:util';
import type { NodeFacts } from '../src/model/facts.ts';
import { judge } from '../src/reconcile/judge.ts';
import { makeStatus } from '../src/report/status.ts';
import { nodeFacts } from '../test/support/facts.ts';
import { asked, clusterScene } from '../test/support/plan-scene.ts';

const { values } = parseArgs({
  options: { nodes: { type: 'string', default: '5000' }, runs: { type: 'string', default: '15' } },
});
const FEW = Number(values.nodes);
const MANY = 10 * FEW;
const BUDGET_MS = (50 * FEW) / 5_000;
const RUNS = Number(values.runs);

const bytesOf = (n: number): string => `${n >> 16}.${(n >> 8) & 255}.${n & 255}`;

/** Each second one lacks IPv6. In the order of their names, as a look at a cluster gives them. */
function nodesOf(count: number): readonly NodeFacts[] {
  // Pods take their addresses from Calico's pools, as in clusters of that size: Nodes have no podCIDRs.
  const texts = [true, false].map((ipv6) => JSON.stringify(nodeFacts(1, { name: 'NAME', ipv6 }, { podCIDRs: [] })));
  return Array.from(
    { length: count },
    (_, n) =>
      JSON.parse(
        (texts[n % 2] ?? '')
          .replaceAll('NAME', `worker-${String(n).padStart(6, '0')}`)
          .replaceAll('192.0.2.11', `10.${bytesOf(n)}`)
          .replaceAll('2001:db8::11', `2001:db8::1:${(n >> 16).toString(16)}:${(n & 65_535).toString(16)}`),
      ) as NodeFacts,
  );
}

/** Medians of runs in which one node of `share` is a new object, since it has changed: 1 after a list, 100 while nodes are watched. */
function milliseconds(count: number, share: number): number {
  const request = asked({
    clusterNetwork: { pods: { cidrBlocks: ['fd00:10:200::/48'] }, services: { cidrBlocks: ['fd00:10:96::/112'] } },
  });
  const scene = clusterScene({ nodes: [...controlPlanes(), ...nodesOf(count)] });
  let { nodes } = scene;
  let status = { observedGeneration: -1 };
  const times = Array.from({ length: RUNS }, (_, run) => {
    nodes = nodes.map((node, n) =>
      n % share === run % share ? (JSON.parse(JSON.stringify(node)) as NodeFacts) : node,
    );
    const facts = { ...scene, nodes, basics: { ...scene.basics, nodes } };
    const began = performance.now();
    const looked = judge({ request, facts, status, generation: 1, deleting: false });
    status = makeStatus(looked, status, 1, '2026-11-02T12:00:00Z');
    return performance.now() - began;
  });
  return times.toSorted((a, b) => a - b)[Math.floor(RUNS / 2)] ?? Number.NaN;
}

const controlPlanes = (): readonly NodeFacts[] =>
  [1, 2, 3].map((n) => nodeFacts(n, { controlPlane: true, name: `cp-${n}` }));

const say = (name: string, ours: number, reference: number): void =>
  console.log(
    `${name} ours ${ours.toFixed(1)}ms reference ${reference.toFixed(1)}ms ratio ${(ours / reference).toFixed(2)}`,
  );
const few = milliseconds(FEW, 100);
say(`plan-and-report-${FEW}`, few, BUDGET_MS);
say(`plan-and-report-${MANY}`, milliseconds(MANY, 100), 10 * few);
const anew = milliseconds(FEW, 1);
say(`plan-and-report-${FEW}-after-a-list`, anew, BUDGET_MS);
say(`plan-and-report-${MANY}-after-a-list`, milliseconds(MANY, 1), 10 * anew);
