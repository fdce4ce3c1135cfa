import { expect, test } from '@jest/globals';
import { CAUSES, fixText } from '../../../src/nodes/cause.ts';
import { severityOf } from '../../../src/nodes/diagnose.ts';
import { before } from '../../support/facts.ts';
import { diagnosed, nodeOf, OUTLOOK, type Situation } from './situation.ts';
import { HOST_SITUATIONS } from './situations-host.ts';
import { KUBELET_SITUATIONS } from './situations-kubelet.ts';
import { DUAL_SITUATIONS, NODE_SITUATIONS } from './situations-node.ts';

const ALL = [...HOST_SITUATIONS, ...KUBELET_SITUATIONS, ...NODE_SITUATIONS, ...DUAL_SITUATIONS];

test.each(ALL)('$what: $cause', (situation: Situation) => {
  const { cause, says, command, may, evidence } = situation;
  const diagnosis = diagnosed(situation);
  expect(diagnosis?.cause ?? null).toBe(cause);
  if (diagnosis === null) return;
  if (says !== undefined) expect(diagnosis.sentence).toMatch(says);
  if (command === null) expect(diagnosis.fix.command).toBeNull();
  else if (command !== undefined) expect(diagnosis.fix.command).toMatch(command);
  if (may === true) expect(diagnosis.operator).toEqual({ may: true });
  else if (may !== undefined) expect(diagnosis.operator).toEqual({ may: false, why: expect.stringMatching(may) });
  if (evidence !== undefined) expect(diagnosis.evidence).toContainEqual(expect.stringMatching(evidence));
});

test('every cause is in the table', () => {
  const told = new Set(ALL.map(({ cause }) => cause));
  expect(CAUSES.filter((cause) => !told.has(cause))).toEqual([]);
});

test.each(ALL)('$what: told as a sentence that names the node, with something to do', (situation) => {
  const diagnosis = diagnosed(situation);
  if (diagnosis === null) return;
  const { sentence, evidence, fix } = diagnosis;
  if (situation.known?.proof === undefined) expect(sentence).toContain('worker-1');
  expect(sentence).toMatch(/\.$/u);
  expect(fix.short).toMatch(/^[a-z].{4,}[^.]$/u);
  expect(fixText(fix).length).toBeGreaterThan(5);
  expect([sentence, ...evidence, fix.short, fix.command].join(' ')).not.toMatch(/undefined|null|NaN|\[object/u);
});

test.each(ALL)('$what: who is told first does not depend on the full look', (situation) => {
  const { known, cause } = situation;
  const severity = severityOf(
    nodeOf(situation),
    { ...OUTLOOK, ...situation.outlook },
    { proof: null, guarded: false, ...known },
  );
  expect(severity === null).toBe(cause === null);
  expect(severity === 'Lost').toBe(cause === 'CNILostPrimary');
});

test('since: what an earlier look remembers, else since the Node came to be', () => {
  const [situation] = NODE_SITUATIONS;
  if (situation === undefined) throw new Error('no situation');
  expect(diagnosed(situation)?.since).toBe(before(86_400));
  expect(diagnosed({ ...situation, known: { since: before(60) } })?.since).toBe(before(60));
  expect(diagnosed({ ...situation, node: { createdAt: '' } })?.since).toBeNull();
});

test('nothing that is told moves with time: an idle cluster is not written to', () => {
  for (const situation of ALL) {
    const later = { ...situation, outlook: { ...situation.outlook, now: OUTLOOK.now + 60_000 } };
    if (diagnosed(later)?.cause === situation.cause) expect(diagnosed(later)).toEqual(diagnosed(situation));
  }
});
