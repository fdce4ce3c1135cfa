import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { unavoidableRestarts } from '../../support/downtime.ts';
import { askForDualStack, type Installed, isReady, startInstalled, untilStatus } from '../../support/conversion.ts';

const DEADLINE_MS = 900_000;

let installed: Installed;
let asked: number;

beforeAll(async () => {
  installed = await startInstalled({ controlPlanes: 3, workers: 2, profile: 'slow' });
  asked = Date.now();
}, 300_000);

afterAll(() => installed?.stop(), 60_000);

test(
  'where an API server is away for 40 s and a Lease for 65 s, nothing times out, and never two are away at once',
  async () => {
    const { cluster } = installed;
    await askForDualStack(cluster);
    await untilStatus(cluster, 'the cluster is Ready', isReady, DEADLINE_MS);
    const took = (Date.now() - asked) / 1000;
    const restarts = unavoidableRestarts(cluster, asked);
    console.log(
      `slow profile: converted in ${took.toFixed(0)} s, of which restarts ${(restarts.totalMs / 1000).toFixed(0)} s`,
    );
    expect(cluster.balancer.mostDownAtOnce(asked)).toBe(1);
    for (const node of cluster.controlPlanes) {
      expect(cluster.history.of('kube-apiserver', node.name)).toHaveLength(2);
    }
  },
  DEADLINE_MS,
);
