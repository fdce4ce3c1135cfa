import { expect, test } from '@jest/globals';
import type { KubeObject } from '../../../src/model/object.ts';
import { known, type Reader } from '../../../src/model/reader.ts';
import { toRecordEntry } from '../../../src/model/record.ts';
import { observe } from '../../../src/observe/observe.ts';
import { registry } from '../../../src/registry.ts';
import { AT, SERVICES } from '../../support/facts.ts';
import { fakeReader } from '../../support/fake-reader.ts';
import { kubeadmObjects } from '../reconcile/scene.ts';

const SERVER = { kubernetesVersion: 'v1.36.3', groupVersions: ['v1', 'apps/v1'] };
const AUTO = { distribution: 'Auto', cni: 'Auto' };
const SERVED = ['Secret', 'ServiceCIDR', 'DualStackNode'];

const look = (reader: Reader, choice = AUTO) =>
  observe(reader, SERVER, registry, choice, AT, () => Promise.resolve(known([])));

async function seen(objects: readonly KubeObject[], choice = AUTO) {
  const facts = await look(fakeReader([...kubeadmObjects(), ...objects], SERVED), choice);
  if (!facts.ok) throw new Error(facts.error);
  return facts.value;
}

/** A reader to which one kind cannot be read. */
const blindTo = (kind: string, reader = fakeReader(kubeadmObjects(), SERVED)): Reader => ({
  get: (ref) =>
    ref.kind === kind ? Promise.resolve({ is: 'Unreadable', why: `${kind}: forbidden` }) : reader.get(ref),
  list: (query) =>
    query.kind === kind ? Promise.resolve({ is: 'Unreadable', why: `${kind}: forbidden` }) : reader.list(query),
});

test('a look at a cluster of kubeadm: what it is, and when it was looked at', async () => {
  const facts = await seen([]);
  expect(facts).toMatchObject({
    at: AT,
    basics: { kubernetesVersion: 'v1.36.3' },
    distribution: { name: 'Kubeadm' },
    cni: { name: 'Unmanaged' },
    serviceCIDR: { known: true, value: [SERVICES.IPv4] },
    records: { known: true, value: {} },
    coreDNS: { known: true, value: null },
    leaseTransfer: false,
  });
  expect(facts.distribution.detectedBy).toContain('kubeadm-config');
});

test('what was named counts, whatever would be recognised', async () => {
  const facts = await seen([], { distribution: 'Unmanaged', cni: 'Calico' });
  expect(facts.distribution).toMatchObject({ name: 'Unmanaged', detectedBy: 'spec.distribution' });
  expect(facts.cni).toMatchObject({ name: 'Calico', detectedBy: 'spec.cni' });
});

test('a name that nobody knows is said with those that are known', async () => {
  const facts = await look(fakeReader(kubeadmObjects(), SERVED), { ...AUTO, cni: 'Fishnet' });
  expect(facts).toMatchObject({ ok: false, error: expect.stringMatching(/spec\.cni: Fishnet .*Calico/u) });
});

test.each(['Node', 'DualStackNode', 'ConfigMap', 'Pod', 'DaemonSet', 'Deployment'])(
  'without %ss nothing can be said, and the error says so',
  async (kind) => {
    expect(await look(blindTo(kind))).toEqual({ ok: false, error: expect.stringContaining(`${kind}: forbidden`) });
  },
);

test.each<[string, 'serviceCIDR' | 'services' | 'records']>([
  ['ServiceCIDR', 'serviceCIDR'],
  ['Service', 'services'],
  ['Secret', 'records'],
])('without %ss that part is unknown and nothing else', async (kind, part) => {
  const facts = await look(blindTo(kind));
  if (!facts.ok) throw new Error(facts.error);
  expect(facts.value[part]).toEqual({ known: false, why: `${kind}: forbidden` });
  const others = (['serviceCIDR', 'services', 'records'] as const).filter((other) => other !== part);
  for (const other of others) expect(facts.value[other].known).toBe(true);
});

test('a ServiceCIDR that is not there is no empty one', async () => {
  const objects = kubeadmObjects().filter(({ kind }) => kind !== 'ServiceCIDR');
  const facts = await look(fakeReader(objects, SERVED));
  expect(facts).toMatchObject({ value: { serviceCIDR: { known: false } } });
});

const secret = (data?: Record<string, string>): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name: 'dualstack-records', namespace: 'dualstack-system' },
  ...(data === undefined ? {} : { data }),
});
const encoded = (text: string) => Buffer.from(text, 'utf8').toString('base64');

test('records come back as they were written, under their true keys', async () => {
  const entries = [
    { key: 'ConfigMap/kube-system/kube-proxy', value: { text: 'mode: ""\nä: ✓' } },
    { key: 'IPPools', value: [] },
  ];
  const data = Object.fromEntries(
    entries.map((entry) => {
      const [key, text] = toRecordEntry(entry);
      return [key, encoded(text)];
    }),
  );
  const { records } = await seen([secret(data)]);
  expect(records).toEqual({ known: true, value: Object.fromEntries(entries.map(({ key, value }) => [key, value])) });
  expect((await seen([secret()])).records).toEqual({ known: true, value: {} });
});

test('a Secret that somebody else wrote is not taken for records', async () => {
  for (const text of ['', 'not json', '{"other":1}', '7']) {
    const { records } = await seen([secret({ strange: encoded(text) })]);
    expect(records).toMatchObject({ known: false, why: expect.stringContaining('strange') });
  }
});

test('the admission policy for passing a Lease on', async () => {
  const policy: KubeObject = {
    apiVersion: 'admissionregistration.k8s.io/v1',
    kind: 'ValidatingAdmissionPolicyBinding',
    metadata: { name: 'dualstack-lease-transfer' },
  };
  expect((await seen([policy])).leaseTransfer).toBe(true);
  // Whoever cannot read it must not go on as if it were not there.
  expect(await look(blindTo(policy.kind))).toMatchObject({ value: { leaseTransfer: true } });
});

const REPLACED: KubeObject = {
  apiVersion: 'v1',
  kind: 'Node',
  metadata: {
    name: 'new',
    creationTimestamp: new Date(AT - 5_000).toISOString(),
    managedFields: [
      { manager: 'dualstack-operator', operation: 'Update', fieldsV1: { 'f:spec': { 'f:podCIDRs': {} } } },
    ],
  },
};
const LEASE: KubeObject = {
  apiVersion: 'coordination.k8s.io/v1',
  kind: 'Lease',
  metadata: { namespace: 'kube-node-lease', name: 'new' },
  spec: { renewTime: '2026-11-02T11:59:59.000000Z' },
};
const renewals = async (reader: Reader) => {
  const facts = await look(reader);
  return facts.ok ? facts.value.nodes.flatMap(({ name, renewedAt }) => renewedAt && [[name, renewedAt]]) : facts.error;
};

test('of a Node that was replaced, and of no other, it is read when its kubelet renewed its Lease', async () => {
  const objects = [...kubeadmObjects(), REPLACED];
  const reader = fakeReader([...objects, LEASE], SERVED);
  const asked: string[] = [];
  const told: Reader = {
    ...reader,
    get: (ref) => {
      if (ref.kind === 'Lease' && ref.namespace === 'kube-node-lease') asked.push(ref.name);
      return reader.get(ref);
    },
  };
  expect(await renewals(told)).toEqual(expect.arrayContaining([['new', known('2026-11-02T11:59:59.000000Z')]]));
  expect(asked).toEqual(['new']);
  expect(await renewals(fakeReader(objects, SERVED))).toContainEqual(['new', known(null)]);
  expect(await renewals(blindTo('Lease', reader))).toContainEqual(['new', { known: false, why: 'Lease: forbidden' }]);
});
