import { expect, test } from '@jest/globals';
import { printWorkloads, workloadRows, workloadsDocument } from '../../../src/cli/print-workloads.ts';
import { asked, clusterScene, planScene } from '../../support/plan-scene.ts';
import { podOwner } from '../../support/pod-owners.ts';
import { play } from './fake-session.ts';
import { screen, tooLong } from './support.ts';

const { plan } = planScene(clusterScene(), asked());
const rows = workloadRows(
  [
    podOwner('api', { without: { IPv4: 0, IPv6: 0 } }),
    podOwner('web', { pods: 3, without: { IPv4: 0, IPv6: 3 } }),
    podOwner('run', { kind: 'Job', pods: 1, without: { IPv4: 0, IPv6: 1 }, restart: null }),
  ],
  plan,
);

test('those with pods of one family come first', () => {
  const lines = printWorkloads(rows, screen({ wide: true })).split('\n');
  expect(lines.map((line) => line.split(/ {2,}/u).slice(0, 5))).toEqual([
    ['NAMESPACE', 'KIND', 'NAME', 'PODS', 'SINGLE'],
    ['shop', 'Deployment', 'web', '3', '3'],
    ['shop', 'Job', 'run', '1', '1'],
    ['shop', 'Deployment', 'api', '2', '0'],
    [''],
  ]);
  expect(lines[1]).toContain('kubectl -n shop rollout restart deployment/web');
  expect(tooLong(printWorkloads(rows, screen()))).toEqual([]);
});

test('the document for machines', () => {
  expect(workloadsDocument(rows)).toMatchObject({
    workloads: [
      { name: 'web', singleStack: 3 },
      { name: 'run', kind: 'Job' },
      { name: 'api', note: '' },
    ],
  });
});

test('the command lists, and --only takes single alone', async () => {
  expect(await play(['workloads', '--only', 'single'])).toMatchObject({
    code: 0,
    out: expect.stringContaining('No workload'),
  });
  expect(await play(['workloads', '-o', 'json'])).toMatchObject({
    code: 0,
    out: expect.stringContaining('"workloads"'),
  });
  expect(await play(['workloads', '--only', 'dual'])).toMatchObject({ code: 2 });
});
