import { expect, test } from '@jest/globals';
import { known, unknown } from '../../../src/model/reader.ts';
import type { ClusterFacts, NodeFacts } from '../../../src/model/facts.ts';
import { asked, askedBack, clusterScene, NO_MEMORY, planScene, recordsOf } from '../../support/plan-scene.ts';

const CONVERTED = { ...NO_MEMORY, appliedGeneration: 3 };

/** What an agent keeps since its first edit. */
const edited = (facts: ClusterFacts): ClusterFacts => {
  const nodes = facts.nodes.map((node): NodeFacts => {
    const report = node.agent?.report;
    if (node.agent === null || report == null) return node;
    return { ...node, agent: { ...node.agent, report: { ...report, recorded: { kubelet: { nodeIP: null } } } } };
  });
  return { ...facts, nodes };
};

const look = (facts: ClusterFacts, memory = NO_MEMORY, request = asked()) => {
  const { plan } = planScene(facts, request, memory);
  return {
    lost: plan.findings.filter(({ reason }) => reason === 'RecordMissing'),
    record: plan.steps.find(({ id }) => id === 'record/cluster'),
    plan,
  };
};

test.each<[string, ClusterFacts, typeof NO_MEMORY]>([
  ['this spec was applied in full', clusterScene({ dual: true }), CONVERTED],
  ['hosts were edited', edited(clusterScene({ dual: true })), NO_MEMORY],
])('a record that was removed after the conversion is told, not made of what there is now: %s', (_, facts, memory) => {
  const { lost, record } = look(facts, memory);
  expect(lost).toEqual([expect.objectContaining({ blocks: [], remedy: expect.stringContaining('backup') })]);
  expect(record).toMatchObject({ state: { is: 'Satisfied' }, diff: [], write: { body: { data: {} } } });
});

test.each<[string, ClusterFacts, typeof NO_MEMORY]>([
  ['never converted', clusterScene(), NO_MEMORY],
  ['converted by hand, before anybody asked', clusterScene({ dual: true }), NO_MEMORY],
  ['only hosts were edited so far', edited(clusterScene()), NO_MEMORY],
  ['back to one family', edited(clusterScene()), CONVERTED],
])('a record is made: %s', (_, facts, memory) => {
  const { lost, record } = look(facts, memory);
  expect(lost).toEqual([]);
  expect(record).toMatchObject({ state: { is: 'Pending' } });
});

test('neither lost nor made: it is there, or cannot be read', () => {
  const facts = clusterScene({ dual: true });
  const there = { ...facts, records: recordsOf(look(facts).plan) };
  expect(look(there, CONVERTED)).toMatchObject({ lost: [], record: { state: { is: 'Satisfied' } } });
  const unread = look({ ...facts, records: unknown('403') }, CONVERTED);
  expect(unread).toMatchObject({ lost: [], record: { state: { is: 'Unknown' } } });
});

test('the way back of a cluster whose record is lost restores nothing that it does not know', () => {
  const { plan, lost } = look(clusterScene({ dual: true }), CONVERTED, askedBack());
  expect(lost).toHaveLength(1);
  expect(plan.wanted).toMatchObject({ direction: 'Back', families: ['IPv4'], restore: {} });
});

test('families that cannot be told are not recorded as none', () => {
  const facts = clusterScene({}, { nodes: [] });
  const plan = look({ ...facts, records: known({}) }).plan;
  const families = plan.recordables.find(({ key }) => key === 'families');
  expect(families === undefined || JSON.stringify(families.value) !== '{"families":[]}').toBe(true);
});
