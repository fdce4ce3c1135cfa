import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { migrateServices } from '../../src/apply/migrate-services.ts';
import type { Cluster } from '../../src/kube/connect.ts';
import { pagedReader } from '../../src/kube/reader.ts';
import { at, type KubeObject } from '../../src/model/object.ts';
import { known } from '../../src/model/reader.ts';
import type { MigrateServices, Step } from '../../src/model/step.ts';
import type { Wanted } from '../../src/model/wanted.ts';
import { surveyPods } from '../../src/observe/backends.ts';
import { toServiceFacts } from '../../src/observe/services.ts';
import { serviceSteps } from '../../src/plan/service-steps.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { startCluster, type TestCluster } from '../cluster/index.ts';
import { connectTo } from '../support/connect.ts';
import { clusterFacts, PODS, SERVICES, wantedDual, wantedSingle } from '../support/facts.ts';

/** Services of a real API server, changed in batches that are broken off now and then, and put back. */

const NAMESPACE = 'shop';
const COUNT = 150;
const BREAKS = 5;
const BREAK_AFTER_MS = 700;
const FIRST_STATE = 'dualstack.dev/first-state';

let cluster: TestCluster;
let access: Cluster;

beforeAll(async () => {
  cluster = await startCluster({
    controlPlanes: 1,
    nodeIP: 'pair',
    podSubnet: `${PODS.IPv4},${PODS.IPv6}`,
    serviceSubnet: `${SERVICES.IPv4},${SERVICES.IPv6}`,
  });
  access = await connectTo(cluster.kubeconfig);
  await cluster.kubectl(['create', 'namespace', NAMESPACE]);
  const items = Array.from({ length: COUNT }, (_, n) => service(n));
  await cluster.kubectl(['create', '-f', '-'], JSON.stringify({ apiVersion: 'v1', kind: 'List', items }));
}, 180_000);

afterAll(async () => {
  await access?.close();
  await cluster?.stop();
}, 60_000);

const KINDS = [{ type: 'ClusterIP' }, { type: 'NodePort' }, { clusterIP: 'None' }];

const service = (n: number): object => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: `s${n}`, namespace: NAMESPACE, annotations: { note: `of people ${n}` } },
  spec: { selector: { app: `s${n}` }, ports: [{ port: 80 }], sessionAffinity: 'ClientIP', ...KINDS[n % KINDS.length] },
});

async function list(): Promise<readonly KubeObject[]> {
  const listed = await access.client.list({ apiVersion: 'v1', kind: 'Service', namespace: NAMESPACE });
  if (!listed.ok) throw new Error(listed.error.message);
  return listed.value.items.toSorted((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1));
}

/** What is to be done now; null: nothing more. */
async function next(wanted: Wanted): Promise<(Step & MigrateServices) | null> {
  const { backends } = await surveyPods(pagedReader(access.client));
  const services = known((await list()).map(toServiceFacts));
  const [step] = serviceSteps(wanted, clusterFacts({ dual: true }, { services, backends }));
  return step?.kind === 'MigrateServices' && step.state.is !== 'Satisfied' ? step : null;
}

/** The first rounds end in the middle of a batch, as when another instance takes the lead. */
async function carryOut(wanted: Wanted): Promise<number> {
  for (let round = 0; round < 50; round++) {
    const step = await next(wanted);
    if (step === null) return round;
    expect(step.state).toEqual({ is: 'Pending' });
    const stop = new AbortController();
    const timer = round < BREAKS ? setTimeout(() => stop.abort(), BREAK_AFTER_MS) : undefined;
    const outcome = await migrateServices(step, { client: access.client, clock: systemClock, signal: stop.signal });
    clearTimeout(timer);
    expect(outcome).toMatchObject({ is: 'Changed' });
  }
  throw new Error('it does not come to an end');
}

/** All that people see of a Service, but for what the server counts. */
const contents = ({ metadata, spec }: KubeObject): object => ({
  name: metadata.name,
  labels: metadata.labels,
  annotations: metadata.annotations,
  spec,
});

test('all are migrated, though it is broken off five times; then each byte of them is put back', async () => {
  const before = await list();
  expect(before).toHaveLength(COUNT);
  expect(await carryOut(wantedDual({ serviceMigration: 'All' }))).toBeGreaterThan(BREAKS);

  const dual = await list();
  for (const [index, object] of dual.entries()) {
    const { clusterIPs, ...rest } = before[index]!['spec'] as { readonly clusterIPs: readonly string[] };
    const isHeadless = clusterIPs[0] === 'None';
    expect(object['spec']).toEqual({
      ...rest,
      ipFamilyPolicy: 'PreferDualStack',
      ipFamilies: ['IPv4', 'IPv6'],
      clusterIPs: isHeadless ? clusterIPs : [clusterIPs[0], expect.stringMatching(/^fd00:10:96::/u)],
    });
    expect(at(object, 'metadata', 'annotations', FIRST_STATE)).toBe(
      '{"ipFamilyPolicy":"SingleStack","ipFamilies":["IPv4"]}',
    );
  }

  expect(await carryOut(wantedSingle())).toBeGreaterThan(BREAKS);
  expect((await list()).map(contents)).toEqual(before.map(contents));
}, 240_000);
