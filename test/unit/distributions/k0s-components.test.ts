import { describe, expect, test } from '@jest/globals';
import type { K0sFacts } from '../../../src/distributions/k0s/facts.ts';
import { known, unknown } from '../../../src/model/reader.ts';
import { before, KCM_DUAL, PODS, running, workloadFacts } from '../../support/facts.ts';
import { DUAL_SETTINGS } from '../../support/k0s.ts';
import { type Case, step, steps } from '../../support/k0s-steps.ts';

const lease = (holder: string, acquired: number, renewed = 1): Partial<K0sFacts> => ({
  lease: known({ holder, acquiredAt: before(acquired), renewedAt: before(renewed) }),
});
const changed = (seconds: number): Partial<K0sFacts> => ({
  clusterConfig: known({
    settings: DUAL_SETTINGS,
    hasNetwork: true,
    resourceVersion: '9',
    changedAt: before(seconds),
  }),
});
const proxy = (change: Parameters<typeof workloadFacts>[2]): Partial<K0sFacts> => ({
  proxy: known(workloadFacts('kube-proxy', ['c1', 'w1', 'w2'], change)),
});

describe('the controller manager', () => {
  test.each<[string, Case, string]>([
    ['leads for long', { dual: true }, 'Satisfied'],
    ['leads since a moment', { dual: true, own: lease('c1_2', 20) }, 'InProgress'],
    ['nobody leads', { dual: true, own: lease('c1_2', 900, 300) }, 'InProgress'],
    ['the Lease cannot be read', { dual: true, own: { lease: unknown('503') } }, 'Unknown'],
    ['there is no Lease', { dual: true, own: { lease: known(null) } }, 'InProgress'],
    [
      'there is none because it is alone',
      {
        dual: true,
        own: { lease: known(null) },
        report: { running: { 'kube-controller-manager': running({ ...KCM_DUAL, 'leader-elect': 'false' }) } },
      },
      'Satisfied',
    ],
    [
      'runs with the other order',
      {
        dual: true,
        report: {
          running: { 'kube-controller-manager': running({ ...KCM_DUAL, 'cluster-cidr': `${PODS.IPv6},${PODS.IPv4}` }) },
        },
      },
      'InProgress',
    ],
    ['does not run', { dual: true, report: { running: { 'kube-controller-manager': null } } }, 'InProgress'],
    [
      'the object was changed and it leads since before',
      { dual: true, dynamic: true, own: { ...changed(60), ...lease('c1_2', 900) } },
      'InProgress',
    ],
    ['it leads since after', { dual: true, dynamic: true, own: { ...changed(60), ...lease('c1_2', 50) } }, 'Satisfied'],
    [
      'it leads since before, and the change is long ago',
      { dual: true, dynamic: true, own: { ...changed(700), ...lease('c1_2', 900) } },
      'Satisfied',
    ],
  ])('%s', (_name, scene, expected) => expect(step(scene, 'controller-manager/lease').state.is).toBe(expected));
});

describe('kube-proxy', () => {
  const text = `clusterCIDR: ${PODS.IPv6},${PODS.IPv4}\n`;
  const written = (seconds: number): Partial<K0sFacts> => ({
    proxyConfig: known({ clusterCIDR: `${PODS.IPv6},${PODS.IPv4}`, text, changedAt: before(seconds) }),
  });
  test.each<[string, Case, string, string]>([
    ['k0s has not written it', { dual: false }, 'Pending', 'Pending'],
    ['k0s has its own order', { dual: true, own: written(86_400) }, 'Satisfied', 'Satisfied'],
    ['pods are older than what they should have read', { dual: true, own: written(60) }, 'Satisfied', 'Pending'],
  ])('%s', (_name, scene, config, rollout) => {
    expect([step(scene, 'kube-proxy/config').state.is, step(scene, 'kube-proxy/rollout').state.is]).toEqual([
      config,
      rollout,
    ]);
  });

  test('new pods are asked for once for each configuration', () => {
    const asked = step({ dual: true, own: written(60) }, 'kube-proxy/rollout');
    if (asked.kind !== 'RolloutWorkload' || asked.next.is !== 'Annotate') throw new Error('not asked for');
    const { annotation, value } = asked.next;
    const own = { ...written(60), ...proxy({ templateAnnotations: { [annotation]: value ?? '' } }) };
    expect(step({ dual: true, own }, 'kube-proxy/rollout').state.is).toBe('Satisfied');
  });

  test('something else does its work', () => {
    const ids = steps({ own: { proxy: known(null) } }).map(({ id }) => id);
    expect(ids.filter((id) => id.startsWith('kube-proxy'))).toEqual([]);
  });
});
