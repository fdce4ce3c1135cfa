import { expect, test } from '@jest/globals';
import type { NodeException } from '../../../src/api/cluster-status.ts';
import { nodeMetrics } from '../../../src/reconcile/node-metrics.ts';
import type { NodeChange } from '../../../src/report/node-changes.ts';
import { createMetrics } from '../../../src/runtime/metrics.ts';
import { fakeClock } from '../../support/fake-clock.ts';

const scene = () => {
  const clock = fakeClock(Date.parse('2026-11-02T12:00:00Z'));
  const metrics = createMetrics(clock);
  const read = async (): Promise<readonly string[]> =>
    (await metrics.registry.metrics()).split('\n').filter((line) => line.startsWith('dualstack_'));
  return { clock, nodes: nodeMetrics(metrics), read };
};
const COUNTS = { total: 120, dualStack: 117, ipv4Only: 2, ipv6Only: 0, none: 1, delayed: 2, exceptions: [] };
const change = (is: NodeChange['is'], tried?: NodeException['tried']): NodeChange => ({
  is,
  node: { name: 'a', families: [], cause: 'LateAddress', message: '', ...(tried === undefined ? {} : { tried }) },
});

test('before a look there is nothing to tell of nodes, and every counter is there', async () => {
  expect(await scene().read()).toEqual([
    'dualstack_oldest_delayed_node_seconds 0',
    'dualstack_remedies_total{remedy="restart_kubelet",result="success"} 0',
    'dualstack_remedies_total{remedy="restart_kubelet",result="failure"} 0',
    'dualstack_remedies_total{remedy="set_node_ip",result="success"} 0',
    'dualstack_remedies_total{remedy="set_node_ip",result="failure"} 0',
  ]);
});

test('nodes by state, and how long the oldest has been delayed, which grows by itself', async () => {
  const { clock, nodes, read } = scene();
  nodes.shown({ ...COUNTS, delayedSince: '2026-11-02T11:50:00Z' });
  await clock.advance(30_000);
  const lines = await read();
  for (const line of [
    'dualstack_nodes{state="dual_stack"} 117',
    'dualstack_nodes{state="ipv4_only"} 2',
    'dualstack_nodes{state="ipv6_only"} 0',
    'dualstack_nodes{state="none"} 1',
    'dualstack_nodes{state="delayed"} 2',
    'dualstack_oldest_delayed_node_seconds 630',
  ]) {
    expect(lines).toContain(line);
  }
  nodes.shown(undefined);
  const after = await read();
  expect(after).toContain('dualstack_nodes{state="dual_stack"} 0');
  expect(after).toContain('dualstack_oldest_delayed_node_seconds 0');
});

test('remedies count when they have ended', async () => {
  const { nodes, read } = scene();
  const restart = { remedy: 'RestartKubelet', times: 1 } as const;
  nodes.changed([
    change('NodeRemedyBegun', restart),
    change('NodeRemedied', restart),
    change('NodeRemedied', { remedy: 'SetNodeIP', times: 1 }),
    change('NodeRemedyGivenUp', { ...restart, inVain: true }),
    change('NodeFamilyPresent', { ...restart, inVain: true }),
    change('NodeFamilyPresent'),
  ]);
  const lines = await read();
  expect(lines).toContain('dualstack_remedies_total{remedy="restart_kubelet",result="success"} 1');
  expect(lines).toContain('dualstack_remedies_total{remedy="restart_kubelet",result="failure"} 1');
  expect(lines).toContain('dualstack_remedies_total{remedy="set_node_ip",result="success"} 1');
});
