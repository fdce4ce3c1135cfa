import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { readFile } from 'node:fs/promises';
import type { ClusterStatus } from '../../../src/api/cluster-status.ts';
import type { TestCluster } from '../../cluster/index.ts';
import {
  askForDualStack,
  conditionOf,
  flagOf,
  type Installed,
  isStalled,
  startInstalled,
  untilStatus,
} from '../../support/conversion.ts';
import { eventually } from '../../support/eventually.ts';

// Node IPAM checks its masks when the controller manager becomes the leader, and not before: on a standby this one looks well.
const MASK = 'node-cidr-mask-size-ipv6';
const TOO_LONG = `--${MASK}=112`;
const LEASE = '/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/kube-controller-manager';

let installed: Installed;
let cluster: TestCluster;
let status: ClusterStatus;
let leaderBefore: string;
let manifests: readonly string[];

beforeAll(async () => {
  installed = await startInstalled({ controlPlanes: 3, keep: process.env['KEEP'] === '1' });
  cluster = installed.cluster;
  for (const node of cluster.controlPlanes) {
    node.launchOverride('kube-controller-manager', (args) =>
      args.map((argument) => (argument.startsWith(`--${MASK}=`) ? TOO_LONG : argument)),
    );
  }
  manifests = await managerManifests();
  await askForDualStack(cluster);
  await untilStatus(
    cluster,
    'a controller manager is being changed',
    ({ plan }) => plan?.current?.id.startsWith('controller-manager/') === true,
    240_000,
  );
  // Not earlier: a leader may lose the Lease while the API server beside it restarts.
  leaderBefore = (await leader()).node;
  status = await untilStatus(cluster, 'it is Stalled', isStalled, 240_000);
}, 400_000);

afterAll(async () => {
  await installed?.stop();
}, 60_000);

test('it is told which instance failed, with which flags, and why', () => {
  expect(conditionOf(status, 'Stalled')).toMatchObject({ reason: 'StepFailed' });
  expect(conditionOf(status, 'Stalled')?.message).toContain(`kube-controller-manager on ${tried()}`);
  expect(conditionOf(status, 'Stalled')?.message).toContain('exited 3 times');
  expect(conditionOf(status, 'Stalled')?.message).toContain('node CIDR size is too big');
  expect(conditionOf(status, 'Ready')).toMatchObject({ status: 'False' });
});

test('only one instance, and not the leader, ever ran with the new flags', () => {
  const withNewFlags = cluster.history
    .of('kube-controller-manager')
    .filter((life) => flagOf(life, MASK) !== undefined)
    .map((life) => life.node);
  expect(new Set(withNewFlags)).toEqual(new Set([tried()]));
  expect(tried()).not.toBe(leaderBefore);
});

test('its manifest is the one of before, byte for byte', async () => {
  expect(await managerManifests()).toEqual(manifests);
});

test('an instance with the old flags leads', async () => {
  let seen = await leader();
  await eventually(
    'a running controller manager with the old flags renews the Lease',
    async () => {
      const now = await leader();
      const renewed = now.node === seen.node && now.renewTime !== seen.renewTime;
      seen = now;
      const process = cluster.history.running('kube-controller-manager', now.node);
      return renewed && process !== undefined && flagOf(process, MASK) === undefined;
    },
    90_000,
  );
});

/** The node of the step that failed. */
const tried = (): string => status.plan?.current?.id.split('/')[1] ?? '';

const managerManifests = (): Promise<string[]> =>
  Promise.all(cluster.controlPlanes.map((node) => readFile(node.manifest('kube-controller-manager'), 'utf8')));

async function leader(): Promise<{ node: string; renewTime: string }> {
  const lease = await cluster.api.get(LEASE);
  const { holderIdentity = '', renewTime = '' } = (lease?.['spec'] ?? {}) as {
    holderIdentity?: string;
    renewTime?: string;
  };
  return { node: holderIdentity.split('_')[0] ?? '', renewTime };
}
