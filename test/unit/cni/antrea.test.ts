import { expect, test } from '@jest/globals';
import { antrea } from '../../../src/cni/antrea/index.ts';
import type { ClusterFacts, NodeFacts } from '../../../src/model/facts.ts';
import { known, unknown } from '../../../src/model/reader.ts';
import {
  basics,
  before,
  clusterFacts,
  podFacts,
  SERVICES,
  wantedDual,
  wantedSingle,
  workloadFacts,
} from '../../support/facts.ts';

function cluster(change: (node: NodeFacts, index: number) => Partial<NodeFacts> = () => ({})): ClusterFacts {
  const facts = clusterFacts({ dual: true });
  const nodes = facts.nodes.map((node, index) => ({
    ...node,
    podCIDRs: [...node.podCIDRs, `fd00:10:244:${index}::/64`],
    ...change(node, index),
  }));
  return { ...facts, nodes };
}

const agents = (facts: ClusterFacts) =>
  known(
    workloadFacts(
      'antrea-agent',
      facts.nodes.map((node) => node.name),
    ),
  );
const check = (facts: ClusterFacts, wanted = wantedDual()) => antrea.check(wanted, facts, agents(facts));

test('it is recognised by its agents', () => {
  const seen = basics({ nodes: [] });
  const facts = { ...seen, objects: { ...seen.objects, DaemonSet: ['kube-system/antrea-agent'] } };
  expect(antrea.detect(facts)).toBe('DaemonSet kube-system/antrea-agent');
  expect(antrea.detect(seen)).toBeNull();
});

test('nothing of it is changed; what is left to do is told until it shows', () => {
  const single = cluster((node) => ({ podCIDRs: node.podCIDRs.slice(0, 1) }));
  const [finding] = check(single);
  expect(finding).toMatchObject({
    reason: 'Unmanaged',
    blocks: ['CNIAgents'],
    message: expect.stringContaining('worker-1'),
  });
  expect(finding?.remedy).toContain('rollout restart daemonset/antrea-agent');
  expect(finding?.remedy).toContain(SERVICES.IPv6);
  expect(antrea.steps(wantedDual(), single, agents(single))).toEqual([]);

  const renewed = cluster((_node, index) => (index === 1 ? { createdAt: before(60) } : {}));
  expect(check(renewed)[0]?.message).toMatch(/not yet on worker-1$/u);
  expect(check(cluster())).toEqual([]);
});

test('an IPv6 cluster is told the same, IPv6 first', () => {
  const wanted = wantedDual({ families: ['IPv6', 'IPv4'] });
  const [finding] = check(
    cluster((_node, index) => ({ podCIDRs: [`fd00:10:244:${index}::/64`] })),
    wanted,
  );
  expect(finding).toMatchObject({ reason: 'Unmanaged', blocks: ['CNIAgents'] });
  expect(finding?.message).toContain('IPv6 and IPv4');
  expect(check(cluster(), wanted)).toEqual([]);
});

test('an agent that is not ready has taken up nothing yet', () => {
  const facts = cluster();
  const pods = facts.nodes.map((node, index) =>
    podFacts({ name: `antrea-agent-${node.name}`, node: node.name, ready: index !== 2 }),
  );
  const own = known({ ...workloadFacts('antrea-agent', []), pods });
  expect(antrea.check(wantedDual(), facts, own)[0]?.message).toMatch(/not yet on worker-2$/u);
});

test('on the way back it holds nothing up: podCIDRs go later', () => {
  expect(check(cluster(), wantedSingle())).toMatchObject([{ reason: 'Unmanaged', blocks: [] }]);
  const single = cluster((node) => ({ podCIDRs: node.podCIDRs.slice(0, 1) }));
  expect(check(single, wantedSingle())).toEqual([]);
});

test('missing and unreadable are told; one family is nothing to speak of', () => {
  expect(antrea.check(wantedDual(), cluster(), known(null))).toMatchObject([{ reason: 'Unmanaged' }]);
  expect(antrea.check(wantedDual(), cluster(), unknown('forbidden'))).toMatchObject([
    { reason: 'ComponentUnreadable' },
  ]);
  expect(antrea.check(wantedDual({ families: ['IPv4'] }), cluster(), unknown('forbidden'))).toEqual([]);
});
