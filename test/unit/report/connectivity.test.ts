import { expect, test } from '@jest/globals';
import type { Connectivity } from '../../../src/model/connectivity.ts';
import type { StepState } from '../../../src/model/step.ts';
import { clusterScene, someStep } from '../../support/plan-scene.ts';
import { conditionOf, looked, statusOf } from './scene.ts';

const IMAGE = { image: 'dualstack-operator:dev', pullPolicy: null, pullSecrets: [] };
const passed: StepState = { is: 'Satisfied', evidence: '7 checks passed' };
const pending: StepState = { is: 'Pending' };
const retried: StepState = { is: 'InProgress', why: 'IPv6 of worker-1 fails. It is tried again after 60 s.' };
const failed: StepState = { is: 'Failed', why: 'IPv6 of worker-1 fails.', remedy: 'See its routes.' };

const verdict = (api: StepState, packets: StepState | null) => {
  const facts = clusterScene({ dual: true }, packets === null ? {} : { probeImage: IMAGE });
  const steps = [
    someStep('verify/api', api, { kind: 'Verify', phase: 'Verify' }),
    ...(packets === null ? [] : [someStep('verify/packets', packets, { kind: 'VerifyPackets', phase: 'Verify' })]),
  ];
  const status = statusOf(looked({ decision: { is: 'Done' }, plan: { steps }, facts }));
  const { status: value, reason, message } = conditionOf(status, 'ConnectivityVerified') ?? {};
  return { value, reason, message };
};

test.each<[string, StepState, StepState | null, string, string]>([
  ['both proofs hold', passed, { is: 'Satisfied', evidence: '90 of 90 passed.' }, 'True', 'ProbesPassed'],
  ['only the API was asked, as there is no image', passed, null, 'True', 'ProvenByAPI'],
  ['packets are still to be sent', passed, pending, 'False', 'NotVerified'],
  ['nothing was proven', pending, pending, 'False', 'NotVerified'],
  ['packets were lost once', passed, retried, 'False', 'NotVerified'],
  ['packets are lost', passed, failed, 'False', 'ProbesFailed'],
])('%s', (_case, api, packets, value, reason) => {
  expect(verdict(api, packets)).toMatchObject({ value, reason });
});

test('packets that are lost on the way back to a first state are told, though nobody waits for them', () => {
  const facts = clusterScene({ dual: true }, { probeImage: IMAGE });
  const steps = [
    someStep('verify/api', passed, { kind: 'Verify', phase: 'Verify' }),
    someStep(
      'verify/packets',
      { is: 'Satisfied', evidence: 'IPv4 of worker-1 fails.' },
      { kind: 'VerifyPackets', phase: 'Verify' },
    ),
  ];
  const connectivity: Connectivity = {
    fingerprint: 'f',
    at: '2026-11-02T12:00:00Z',
    failedInRow: 1,
    nodes: { ready: 1, probed: 1, newest: '', leftOut: [] },
    pairs: { tested: 0, total: 0 },
    checks: { total: 9, failed: 1 },
    families: [],
    hops: [],
  };
  const status = statusOf(looked({ decision: { is: 'Done' }, plan: { steps }, facts, memory: { connectivity } }));
  expect(conditionOf(status, 'ConnectivityVerified')).toMatchObject({ status: 'False', reason: 'ProbesFailed' });
});

test('that no packets were sent is said, with what to do', () => {
  expect(verdict(passed, null).message).toContain('Proven through the API only, no packets were sent');
  expect(verdict(passed, null).message).toContain('--probe-image');
});

test('a failure names the hop and what to look at', () => {
  expect(verdict(passed, failed).message).toBe('IPv6 of worker-1 fails. See its routes.');
  expect(verdict(passed, retried).message).toContain('tried again');
});
