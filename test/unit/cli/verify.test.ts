import { describe, expect, test } from '@jest/globals';
import type { Connectivity } from '../../../src/model/connectivity.ts';
import type { KubeObject } from '../../../src/model/object.ts';
import { connectivityStatus } from '../../../src/report/connectivity.ts';
import { err, ok } from '../../../src/result.ts';
import { play } from './fake-session.ts';

const GOOD: Connectivity = {
  fingerprint: 'f',
  at: '2026-11-02T11:59:00Z',
  failedInRow: 0,
  nodes: { ready: 3, probed: 3, newest: '', leftOut: [] },
  pairs: { tested: 6, total: 6 },
  checks: { total: 90, failed: 0 },
  families: [
    { family: 'IPv4', total: 45, failed: 0, latency: { median: 430, p99: 1960 } },
    { family: 'IPv6', total: 45, failed: 0, latency: { median: 450, p99: 2040 } },
  ],
  hops: [],
};
const BAD: Connectivity = {
  ...GOOD,
  failedInRow: 1,
  checks: { total: 90, failed: 16 },
  families: [GOOD.families[0]!, { family: 'IPv6', total: 45, failed: 16, latency: null }],
  nodes: { ...GOOD.nodes, leftOut: ['worker-9'] },
  hops: [
    {
      hop: 'Node',
      family: 'IPv6',
      nodes: ['worker-1'],
      checks: 16,
      message: 'IPv6 between pods on worker-1 and any other node fails.',
      remedy: 'On worker-1 see the routes.',
    },
  ],
};

const resource = (status: string, connectivity?: Connectivity): KubeObject => ({
  apiVersion: 'dualstack.dev/v1alpha1',
  kind: 'DualStackCluster',
  metadata: { name: 'cluster', generation: 1 },
  spec: { ipFamilies: ['IPv4', 'IPv6'] },
  status: {
    observedGeneration: 1,
    conditions: [
      {
        type: 'ConnectivityVerified',
        status,
        reason: 'Because',
        message: 'Of the API only.',
        lastTransitionTime: GOOD.at,
      },
    ],
    ...(connectivity === undefined ? {} : { connectivity: connectivityStatus(connectivity) }),
  },
});

describe('the last proof', () => {
  test('that passed', async () => {
    const { code, out } = await play(['verify'], { resource: resource('True', GOOD) });
    expect(code).toBe(0);
    expect(out).toContain('all 90 checks passed');
    expect(out).toMatch(/IPv6\s+45\s+0\s+0\.5 ms\s+2\.0 ms/u);
    expect(out).not.toContain('\u001B');
  });

  test('that failed names where, what to look at, and who was left out', async () => {
    const { code, out } = await play(['verify'], { resource: resource('False', BAD) });
    expect(code).toBe(3);
    expect(out).toContain('16 of 90 checks failed');
    expect(out).toContain('✗ Node: IPv6 between pods on worker-1');
    expect(out).toContain('Do: On worker-1 see the routes.');
    expect(out).toContain('left out: worker-9');
  });

  test('that is none: the condition says why', async () => {
    const { code, out } = await play(['verify'], { resource: resource('True') });
    expect([code, out]).toEqual([0, 'Because: Of the API only.\n']);
  });

  test('of a cluster without the resource is none', async () => {
    const { code, err: said } = await play(['verify']);
    expect(code).toBe(1);
    expect(said).toContain('--run');
  });

  test('for machines', async () => {
    const { out } = await play(['verify', '-o', 'json'], { resource: resource('False', BAD) });
    expect(JSON.parse(out)).toMatchObject({
      name: 'cluster',
      connectivity: { hops: [{ hop: 'Node', nodes: ['worker-1'] }] },
    });
  });
});

describe('a proof now', () => {
  test.each([
    ['passes', GOOD, 0],
    ['fails', BAD, 3],
  ])('that %s', async (_case, proof, expected) => {
    const { code, out, closed } = await play(['verify', '--run'], { proof: ok(proof) });
    expect(code).toBe(expected);
    expect(out).toMatch(/^\d\d:\d\d:\d\d starting pods: 2 of 2 run\n/u);
    expect(closed).toBe(true);
  });

  test('paints a table on a terminal, in colour unless that is not wanted', async () => {
    const { out } = await play(['verify', '--run'], { proof: ok(GOOD), interactive: true });
    expect(out).toContain('pod → Service');
    expect(out).toContain('\u001B[32m');
    const plain = await play(['verify', '--run'], {
      proof: ok(GOOD),
      interactive: true,
      environment: { NO_COLOR: '1' },
    });
    expect(plain.out).not.toContain('\u001B[32m');
  });

  test('for machines is one document', async () => {
    const { out } = await play(['verify', '--run', '-o', 'yaml', '--ip-families', 'IPv6', '--probe-image', 'x:1'], {
      proof: ok(GOOD),
    });
    expect(out).toMatch(/^fingerprint: f\n/u);
  });

  test('hands on what is asked', async () => {
    const { started } = await play(['verify', '--run', '--ip-families', 'IPv6', '--probe-image', 'x:1'], {
      proof: ok(GOOD),
    });
    expect(started).toMatchObject([{ families: ['IPv6'], image: 'x:1' }]);
  });

  test.each([['IPv7'], ['IPv4,IPv4'], ['']])('refuses the families %j', async (families) => {
    expect((await play(['verify', '--run', '--ip-families', families])).code).toBe(2);
  });

  test('that cannot be made says why', async () => {
    const { code, err: said } = await play(['verify', '--run'], { proof: err('there is no Deployment') });
    expect([code, said]).toEqual([1, 'Error: there is no Deployment\n']);
  });
});

test.each([
  [['probe', 'serve', '--port', '0'], 0],
  [['probe', 'serve'], 2],
  [['probe', 'serve', '--port', '70000'], 2],
  [['probe', 'run'], 0],
])('%j ends with %i', async (args, code) => {
  expect((await play(args)).code).toBe(code);
});
