import { expect, test } from '@jest/globals';
import type { PodOwner } from '../../../src/model/pod-owner.ts';
import { known } from '../../../src/model/reader.ts';
import { workloadSteps } from '../../../src/plan/workload-steps.ts';
import { workloadsStatus } from '../../../src/report/workloads.ts';
import { before, clusterFacts, PODS, wantedDual } from '../../support/facts.ts';
import { NO_MEMORY } from '../../support/plan-scene.ts';
import { podOwner } from '../../support/pod-owners.ts';

const MARK = `${PODS.IPv4},${PODS.IPv6}`;
const DUAL = { IPv4: 0, IPv6: 0 };

function statusOf(owners: readonly PodOwner[], workloadRestart: 'None' | 'Selected' | 'All' = 'All') {
  const wanted = wantedDual({ workloadRestart });
  const steps = workloadSteps(wanted, clusterFacts({}, { workloads: known(owners) }), NO_MEMORY);
  return workloadsStatus(wanted, owners, steps);
}

test('counted by whether all pods have both families; the one in work is named', () => {
  const status = statusOf([
    podOwner('a', { without: DUAL }),
    podOwner('b', {}, { mark: MARK, rolledOut: false }),
    podOwner('c', { pods: 0, without: DUAL }),
  ]);
  expect(status).toMatchObject({ total: 2, dualStack: 1, singleStack: 1, restarting: 'Deployment shop/b' });
});

test('the most pods of one family come first, and 50 at most', () => {
  const owners = Array.from({ length: 60 }, (_, n) =>
    podOwner(`w${n}`, { pods: 99, without: { IPv4: 0, IPv6: n + 1 } }),
  );
  const { exceptions } = statusOf(owners);
  expect(exceptions).toHaveLength(50);
  expect(exceptions[0]).toMatchObject({ name: 'w59', pods: 99, singleStack: 60 });
});

test.each<[string, PodOwner, 'None' | 'All', RegExp]>([
  ['not asked for', podOwner('w'), 'None', /kubectl -n shop rollout restart deployment\/w/u],
  ['left out by its label', podOwner('w', {}, { label: 'false' }), 'All', /rollout restart deployment\/w/u],
  ['waits for its budget', podOwner('w', {}, { budget: 'w-pdb' }), 'All', /PodDisruptionBudget shop\/w-pdb/u],
  ['cannot be restarted', podOwner('w', { kind: 'Job', restart: null }), 'All', /Pods of a Job/u],
  ['was restarted', podOwner('w', {}, { mark: MARK }), 'All', /was restarted, and still/u],
  [
    'failed',
    podOwner('w', {}, { mark: MARK, rolledOut: false, notReady: { pod: 'w-1', since: before(900) } }),
    'All',
    /rollout undo/u,
  ],
])('%s: the note says what becomes of it', (_, owner, restart, words) => {
  expect(statusOf([owner], restart).exceptions[0]?.message).toMatch(words);
});
