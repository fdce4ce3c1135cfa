import { expect, test } from '@jest/globals';
import type { Basics } from '../../../src/model/facts.ts';
import type { KubeObject } from '../../../src/model/object.ts';
import type { Reader } from '../../../src/model/reader.ts';
import { readAddOns } from '../../../src/observe/add-ons.ts';
import { basics } from '../../support/facts.ts';
import { fakeReader } from '../../support/fake-reader.ts';

const masqueradeAgent = (args: readonly string[]): KubeObject => ({
  apiVersion: 'apps/v1',
  kind: 'DaemonSet',
  metadata: { namespace: 'kube-system', name: 'ip-masq-agent' },
  spec: { template: { spec: { containers: [{ name: 'ip-masq-agent', args }] } } },
});
const config = (text: string): KubeObject => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { namespace: 'kube-system', name: 'ip-masq-agent' },
  data: { config: text },
});

const there = {
  ...basics({ nodes: [] }).objects,
  DaemonSet: ['kube-system/ip-masq-agent'],
  Deployment: ['kube-system/kube-dns'],
};
const look = (reader: Reader, objects: Basics['objects'] = there) =>
  readAddOns(reader, { ...basics({ nodes: [] }), objects });

test.each<[string, readonly KubeObject[], object]>([
  ['by its defaults', [masqueradeAgent([])], { ipv6: false, nonMasqueradeCIDRs: [] }],
  ['with IPv6', [masqueradeAgent(['--masq-chain=X', '--enable-ipv6'])], { ipv6: true, nonMasqueradeCIDRs: [] }],
  [
    'switched off again',
    [masqueradeAgent(['--enable-ipv6', '--enable-ipv6=false'])],
    { ipv6: false, nonMasqueradeCIDRs: [] },
  ],
  [
    'in YAML',
    [
      masqueradeAgent(['-enable-ipv6=true']),
      config('nonMasqueradeCIDRs:\n  - 10.0.0.0/8\n  - fd00::/8\nmasqLinkLocalIPv6: true\n'),
    ],
    { ipv6: true, nonMasqueradeCIDRs: ['10.0.0.0/8', 'fd00::/8'] },
  ],
  [
    'in JSON',
    [masqueradeAgent([]), config('{"nonMasqueradeCIDRs":["10.0.0.0/8"]}')],
    { ipv6: false, nonMasqueradeCIDRs: ['10.0.0.0/8'] },
  ],
])('ip-masq-agent %s', async (_name, objects, value) => {
  expect((await look(fakeReader(objects))).masqueradeAgent).toEqual({ known: true, value });
});

test('a configuration that is no YAML is unknown', async () => {
  const { masqueradeAgent: read } = await look(fakeReader([masqueradeAgent([]), config('{')]));
  expect(read).toMatchObject({ known: false, why: expect.stringContaining('ip-masq-agent') });
});

test('containers of kube-dns by name, with command and arguments as one', async () => {
  const object: KubeObject = {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { namespace: 'kube-system', name: 'kube-dns' },
    spec: {
      template: { spec: { containers: [{ name: 'dnsmasq', image: 'x:1', command: ['/dnsmasq'], args: ['-k'] }] } },
    },
  };
  expect((await look(fakeReader([object]))).kubeDNS).toEqual({
    known: true,
    value: { dnsmasq: { image: 'x:1', words: ['/dnsmasq', '-k'] } },
  });
});

test('what is not there is not asked for; what cannot be read is unknown', async () => {
  const denied: Reader = {
    get: () => Promise.resolve({ is: 'Unreadable', why: 'forbidden' }),
    list: () => Promise.resolve({ is: 'Unreadable', why: 'forbidden' }),
  };
  const none = { known: true, value: null };
  expect(await look(denied, basics({ nodes: [] }).objects)).toEqual({ masqueradeAgent: none, kubeDNS: none });
  const unknown = { known: false, why: 'forbidden' };
  expect(await look(denied)).toEqual({ masqueradeAgent: unknown, kubeDNS: unknown });
  expect(await look(fakeReader([]))).toEqual({ masqueradeAgent: none, kubeDNS: none });
});
