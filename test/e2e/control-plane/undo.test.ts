import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { KubeObject, TestCluster, TestNode } from '../../cluster/index.ts';
import {
  askForDualStack,
  conditionOf,
  flagOf,
  type Installed,
  isStalled,
  SERVICES,
  startInstalled,
  untilStatus,
} from '../../support/conversion.ts';
import { eventually } from '../../support/eventually.ts';

const RANGE = 'service-cluster-ip-range';
const MASK = 'node-cidr-mask-size-ipv6';
const DEADLINE_MS = 300_000;

let installed: Installed;
let cluster: TestCluster;
let only: TestNode;
let filesBefore: Readonly<Record<string, string>>;
let objectsBefore: Readonly<Record<string, unknown>>;

beforeAll(async () => {
  installed = await startInstalled({ controlPlanes: 1, workers: 1, keep: process.env['KEEP'] === '1' });
  cluster = installed.cluster;
  only = cluster.node('cp-1');
  filesBefore = await hostFiles();
  objectsBefore = await objects();
}, 180_000);

afterAll(async () => {
  await installed?.stop();
}, 60_000);

test(
  'a flag that breaks the one API server is taken back while the API is down, and told when it is there again',
  async () => {
    // Two ranges of one family: kube-apiserver refuses to start with them.
    only.launchOverride('kube-apiserver', (args) =>
      args.map((argument) =>
        argument === `--${RANGE}=${SERVICES}` ? `--${RANGE}=10.96.0.0/16,10.97.0.0/16` : argument,
      ),
    );
    const asked = Date.now();
    await askForDualStack(cluster);
    const status = await untilStatus(cluster, 'it is Stalled', isStalled, DEADLINE_MS);

    const stalled = conditionOf(status, 'Stalled');
    expect(stalled).toMatchObject({ reason: 'StepFailed' });
    expect(stalled?.message).toContain(`kube-apiserver on cp-1 did not run with --${RANGE}=${SERVICES}`);
    expect(stalled?.message).toContain('exited 3 times');
    expect(status.plan?.current).toMatchObject({ id: 'api-server/cp-1', state: 'Failed' });

    const lives = cluster.history.of('kube-apiserver', 'cp-1');
    const back = lives.at(-1)!;
    expect(flagOf(back, RANGE)).toBe('10.96.0.0/16');
    expect(lives.slice(1, -1).map((life) => flagOf(life, RANGE))).toEqual([SERVICES, SERVICES, SERVICES]);
    const seen = (): readonly { at: number; up: boolean }[] =>
      cluster.balancer.backends[0]!.changes.filter(({ at }) => at > asked);
    await eventually('the API server is ready', () => seen().at(-1)?.up === true, 20_000);
    const changes = seen();
    expect(changes.map(({ up }) => up)).toEqual([false, true]);
    expect(changes[1]!.at).toBeGreaterThan(back.startedAt);
    expect(await readFile(only.manifest('kube-apiserver'), 'utf8')).toBe(filesBefore['kube-apiserver.yaml']);
    console.log(`the API was down for ${((changes[1]!.at - changes[0]!.at) / 1000).toFixed(1)} s`);
  },
  DEADLINE_MS + 30_000,
);

test(
  'with onFailure RollBack everything goes back to the first state',
  async () => {
    only.launchOverride('kube-apiserver', undefined);
    only.launchOverride('kube-controller-manager', (args) =>
      args.map((argument) => (argument.startsWith(`--${MASK}=`) ? `--${MASK}=112` : argument)),
    );
    // Another value: what was refused is not tried again.
    const clusterNetwork = {
      pods: { cidrBlocks: ['fd00:10:244::/56'] },
      services: { cidrBlocks: ['fd00:10:97::/112'] },
    };
    await askForDualStack(cluster, { clusterNetwork, rollout: { onFailure: 'RollBack' } });
    const status = await untilStatus(
      cluster,
      'it is rolled back',
      ({ rollBack }) => rollBack?.state === 'Done',
      DEADLINE_MS,
    );

    expect(status.observedGeneration).toBe(2);
    expect(conditionOf(status, 'Stalled')).toMatchObject({ status: 'True', reason: 'RolledBack' });
    expect(conditionOf(status, 'Stalled')?.message).toContain('kube-controller-manager on cp-1');
    expect(status.rollBack).toMatchObject({ generation: 2, step: expect.stringContaining('controller-manager') });
    // It had gone past the API server: there was something to undo.
    const ranges = cluster.history.of('kube-apiserver', 'cp-1').map((life) => flagOf(life, RANGE));
    expect(ranges.slice(-2)).toEqual(['10.96.0.0/16,fd00:10:97::/112', '10.96.0.0/16']);
    // What was refused once was not tried again on the way.
    const masks = cluster.history.of('kube-controller-manager', 'cp-1').map((life) => flagOf(life, MASK) !== undefined);
    expect(masks.lastIndexOf(true) - masks.indexOf(true) + 1).toBe(masks.filter((isNew) => isNew).length);
    expect(await hostFiles()).toEqual(filesBefore);
    expect(await objects()).toEqual(objectsBefore);
  },
  DEADLINE_MS + 30_000,
);

/** What the agents may change on the hosts. */
async function hostFiles(): Promise<Record<string, string>> {
  const manifests = join(only.manifest('kube-apiserver'), '..');
  const names = (await readdir(manifests)).filter((name) => !name.startsWith('.'));
  const entries = [
    ...names.map(async (name) => [name, await read(join(manifests, name))] as const),
    ...cluster.nodes.flatMap(({ name, hostRoot }) =>
      ['var/lib/kubelet/kubeadm-flags.env', 'proc/sys/net/ipv6/conf/all/forwarding'].map(
        async (file) => [`${name} ${file}`, await read(join(hostRoot, file))] as const,
      ),
    ),
  ];
  return Object.fromEntries(await Promise.all(entries));
}

const read = (file: string): Promise<string> => readFile(file, 'utf8');

/** What the conversion changes in the API. */
async function objects(): Promise<Record<string, unknown>> {
  const serviceCIDR = await get('/apis/networking.k8s.io/v1/servicecidrs/kubernetes');
  const pools = (await get('/apis/crd.projectcalico.org/v1/ippools'))['items'] as KubeObject[];
  const nodes = (await get('/api/v1/nodes'))['items'] as KubeObject[];
  const addresses = nodes.map((node) => (node['status'] as { addresses: unknown }).addresses);
  const kubeadm = await get('/api/v1/namespaces/kube-system/configmaps/kubeadm-config');
  return {
    serviceCIDR: serviceCIDR['spec'],
    pools: pools.map((pool) => pool['spec']),
    addresses,
    kubeadm: kubeadm['data'],
  };
}

async function get(path: string): Promise<KubeObject> {
  const object = await cluster.api.get(path);
  if (object === undefined) throw new Error(`there is no ${path}`);
  return object;
}
