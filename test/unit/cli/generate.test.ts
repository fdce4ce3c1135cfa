import { X509Certificate } from 'node:crypto';
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from '@jest/globals';
import { joinFacts } from '../../../src/cli/join-facts.ts';
import { writeFiles } from '../../../src/cli/write-files.ts';
import type { JoinFacts } from '../../../src/generate/kubeadm/node-join.ts';
import { generators } from '../../../src/registry.ts';
import { at } from '../../../src/model/object.ts';
import { selfSigned } from '../../support/certificate.ts';
import { byKind, documentsOf } from '../generate/support.ts';
import { play } from './fake-session.ts';
import { tooLong } from './support.ts';

const KUBEADM = ['generate', 'kubeadm', '--kubernetes-version', '1.33.2'];
const CP = ['--control-plane', 'cp-1=192.0.2.11,2001:db8::11'];
const KKP = ['generate', 'kkp', '--kubernetes-version', '1.33.2', '--provider', 'aws', '--datacenter', 'aws-eu'];

const manifest = `
apiVersion: dualstack.dev/v1alpha1
kind: DualStackCluster
metadata: {name: mine}
spec:
  ipFamilies: [IPv6]
  clusterNetwork: {pods: {cidrBlocks: ["fd11::/60"]}, nodeCIDRMaskSizeIPv6: 66}
  calico: {pool: {blockSize: 124}}
`;
const files = { 'mine.yaml': manifest };

const facts: JoinFacts = {
  kubernetesVersion: 'v1.36.3',
  families: ['IPv4', 'IPv6'],
  pods: {},
  services: { IPv4: '10.96.0.0/16', IPv6: 'fd00:10:96::/112' },
  endpoint: '192.0.2.10:6443',
  caHash: `sha256:${'ab'.repeat(32)}`,
  nodes: [{ name: 'worker-1', controlPlane: false, internalIPs: ['192.0.2.21', '2001:db8::21'] }],
};

test.each([
  [[...KUBEADM, ...CP], {}, 0],
  [[...KUBEADM], {}, 2],
  [[...KUBEADM, ...CP, '--ip-families', 'IPv5'], {}, 2],
  [[...KUBEADM, ...CP, '--pod-network-cidr', '10.96.0.0/12'], {}, 2],
  [[...KUBEADM, ...CP, '--pod-network-cidr', '10.244.0.1/16'], {}, 2],
  [[...KUBEADM, ...CP, '--node-cidr-mask-size-ipv6', 'x'], {}, 2],
  [['generate', 'calico', '-f', 'mine.yaml'], { files }, 0],
  [['generate', 'calico', '-f', 'mine.yaml', '--ip-families', 'IPv6'], { files }, 2],
  [['generate', 'calico', '-f', 'mine.yaml', '--node-cidr-mask-size-ipv6', '64'], { files }, 2],
  [['generate', 'calico', '-f', 'missing.yaml'], {}, 1],
  [['generate', 'calico', '-f', 'x.yaml'], { files: { 'x.yaml': 'a: [' } }, 2],
  [['generate', 'calico', '--backend', 'carrier-pigeon'], {}, 2],
  [KKP, {}, 0],
  [[...KKP, '--ip-families', 'IPv6'], {}, 3],
  [['generate', 'tigera'], {}, 0],
  [['generate', 'canal'], {}, 0],
  [['generate', 'cilium'], {}, 0],
  [['generate', 'k0s'], {}, 0],
  [['generate'], {}, 2],
  [['generate', 'helm'], {}, 2],
  [['generate', 'helm', '--kubernetes-version', '1.33.2'], {}, 2],
  [['generate', 'node-join'], {}, 2],
  [['generate', 'node-join', '--from-cluster'], { joinFacts: facts }, 0],
  [['generate', 'node-join', '--from-cluster'], {}, 1],
  [['generate', 'node-join', '--from-cluster'], { connectError: 'no kubeconfig was found' }, 1],
  [['generate', 'node-join', '--from-cluster', '--worker', 'x'], { joinFacts: facts }, 2],
  [['generate', '--help'], {}, 0],
] as const)('%j with %j ends with %i', async (args, scene, code) => {
  const played = await play(args, { interactive: true, ...scene });
  expect(played).toMatchObject({ code });
  expect(tooLong(played.err)).toEqual([]);
  if (code !== 0) {
    expect(played.err).not.toBe('');
    expect(played.out).toBe('');
  }
});

test.each(generators.map(({ name, flags }) => [name, flags] as const))(
  'generate %s --help tells all flags',
  async (name, flags) => {
    const { code, out } = await play(['generate', name, '--help']);
    expect(code).toBe(0);
    for (const flag of [...flags.map((each) => each.name), 'filename', 'ip-families', 'output', 'force'])
      expect(out).toContain(`--${flag}`);
  },
);

test('a system that nobody knows is named, with those that there are', async () => {
  const { err } = await play(['generate', 'kubadm', '--kubernetes-version', '1.33.2']);
  for (const text of ["'kubadm'", ...generators.map(({ name }) => name), 'node-join']) expect(err).toContain(text);
});

test('without a folder all files are one stream of documents, and notes are not part of it', async () => {
  const played = await play([...KUBEADM, ...CP, '--worker', 'w-1=192.0.2.21,2001:db8::21']);
  expect(documentsOf(played.out).map((document) => at(document, 'kind'))).toEqual([
    'InitConfiguration',
    'ClusterConfiguration',
    'KubeletConfiguration',
    'KubeProxyConfiguration',
    'JoinConfiguration',
  ]);
  expect(played.out).toContain('# file: join-w-1.yaml');
  expect(played.err).toContain('Note: ');
});

test('with a folder each file is written, and told', async () => {
  const played = await play(['generate', 'tigera', '-o', 'out']);
  expect([...played.written.keys()]).toEqual(['out/installation.yaml']);
  expect(played.out).toBe('out/installation.yaml\n');
});

test('files that are there stay, unless --force is given', async () => {
  const scene = { files: { 'out/installation.yaml': 'mine' } };
  const kept = await play(['generate', 'tigera', '-o', 'out'], scene);
  expect([kept.code, kept.written.size]).toEqual([1, 0]);
  const replaced = await play(['generate', 'tigera', '-o', 'out', '--force'], scene);
  expect([replaced.code, replaced.written.size]).toEqual([0, 1]);
});

test('a DualStackCluster says families, networks, masks and options; what it leaves out is proposed', async () => {
  const { out } = await play([...KUBEADM, '--control-plane', 'cp-1=2001:db8::11', '-f', 'mine.yaml'], { files });
  const { ClusterConfiguration } = byKind({ files: [{ name: 'init', text: out }], notes: [] });
  expect(ClusterConfiguration).toMatchObject({
    clusterName: 'mine',
    networking: { podSubnet: 'fd11::/60', serviceSubnet: 'fd00:10:96::/112' },
    controllerManager: { extraArgs: [{ name: 'node-cidr-mask-size-ipv6', value: '66' }] },
  });
  const calico = await play(['generate', 'calico', '-f', '-'], { files: { '-': manifest } });
  expect(calico.out).toContain('value: "124"');
});

test.each([
  ['--ip-families IPv6,IPv4 --pod-network-cidr 10.1.0.0/16', 'fd00:10:244::/56,10.1.0.0/16'],
  ['--pod-network-cidr 10.1.0.0/16,fd11::/56', '10.1.0.0/16,fd11::/56'],
])('%s: pods get %s', async (flags, podSubnet) => {
  const { out } = await play([...KUBEADM, ...CP, ...flags.split(' ')]);
  const { ClusterConfiguration } = byKind({ files: [{ name: 'init', text: out }], notes: [] });
  expect(at(ClusterConfiguration, 'networking', 'podSubnet')).toBe(podSubnet);
});

test('the cluster is named by --name, else as the resource', async () => {
  const { out } = await play([...KKP, '--name', 'shop']);
  expect(at(documentsOf(out)[0], 'metadata', 'name')).toBe('shop');
  expect((await play([...KKP, '--name', 'Shop!'])).code).toBe(2);
});

test('a network that was given and one that is proposed may not overlap', async () => {
  const { err } = await play([...KUBEADM, ...CP, '--pod-network-cidr', '10.96.0.0/12']);
  expect(err).toContain('overlaps the pod network 10.96.0.0/12');
});

let folder: string | null = null;
const temporary = async (): Promise<string> => (folder ??= await mkdtemp(join(tmpdir(), 'generate-')));
afterAll(async () => {
  if (folder !== null) await rm(folder, { recursive: true });
});

test('on a real disk: folders are made, secrets are the user’s alone, and nothing is replaced by half', async () => {
  const out = join(await temporary(), 'a/b');
  const plain = { name: 'plain.yaml', text: 'a: 1\n' };
  const secret = { name: 'secret.yaml', text: 'b: 1\n', secret: true } as const;
  const paths = [join(out, 'plain.yaml'), join(out, 'secret.yaml')];
  expect(await writeFiles(out, [plain, secret], false)).toEqual({ ok: true, value: paths });
  expect((await stat(paths[1]!)).mode & 0o777).toBe(0o600);
  const again = await writeFiles(
    out,
    [
      { name: 'new.yaml', text: '' },
      { ...plain, text: 'a: 2\n' },
    ],
    false,
  );
  expect(again).toEqual({ ok: false, error: expect.stringContaining('plain.yaml in') });
  expect(await readFile(paths[0]!, 'utf8')).toBe('a: 1\n');
  await expect(stat(join(out, 'new.yaml'))).rejects.toThrow('ENOENT');
  // Other rights than before, since there is a secret in it now.
  expect(await writeFiles(out, [{ ...plain, text: 'a: 2\n', secret: true }], true)).toMatchObject({ ok: true });
  expect(await readFile(paths[0]!, 'utf8')).toBe('a: 2\n');
  expect((await stat(paths[0]!)).mode & 0o777).toBe(0o600);
});

test('a folder that cannot be made is told', async () => {
  const out = join(await temporary(), 'file');
  await writeFiles(await temporary(), [{ name: 'file', text: '' }], true);
  expect(await writeFiles(out, [{ name: 'x', text: '' }], false)).toEqual({
    ok: false,
    error: expect.stringContaining('cannot be written'),
  });
});

const config = {
  kubernetesVersion: 'v1.36.3',
  networking: { podSubnet: '10.244.0.0/16,fd00:10:244::/56', serviceSubnet: '10.96.0.0/16,fd00:10:96::/112' },
};
const infoWith = (server: string, pem: string): unknown => ({
  clusters: [{ cluster: { server, 'certificate-authority-data': Buffer.from(pem).toString('base64') } }],
});
const node = (name: string, labels: Record<string, string>, addresses: readonly string[]) => ({
  apiVersion: 'v1',
  kind: 'Node',
  metadata: { name, labels },
  status: {
    addresses: [{ type: 'Hostname', address: name }, ...addresses.map((address) => ({ type: 'InternalIP', address }))],
  },
});

test('what a live cluster tells those that join it', async () => {
  const { cert } = await selfSigned('192.0.2.10');
  const nodes = [
    node('worker-1', {}, ['192.0.2.21', '2001:db8::21']),
    node('cp-1', { 'node-role.kubernetes.io/control-plane': '' }, ['192.0.2.11']),
  ];
  const read = joinFacts(config, infoWith('https://[2001:db8::10]:6443', cert), nodes);
  expect(read).toEqual({
    ok: true,
    value: {
      kubernetesVersion: 'v1.36.3',
      families: ['IPv4', 'IPv6'],
      pods: { IPv4: '10.244.0.0/16', IPv6: 'fd00:10:244::/56' },
      services: { IPv4: '10.96.0.0/16', IPv6: 'fd00:10:96::/112' },
      endpoint: '[2001:db8::10]:6443',
      caHash: expect.stringMatching(/^sha256:[0-9a-f]{64}$/u),
      nodes: [
        { name: 'cp-1', controlPlane: true, internalIPs: ['192.0.2.11'] },
        { name: 'worker-1', controlPlane: false, internalIPs: ['192.0.2.21', '2001:db8::21'] },
      ],
    },
  });
  // The key is what is hashed: another certificate of the same authority has the same hash, the certificate's own fingerprint is another.
  expect(JSON.stringify(read)).not.toContain(
    new X509Certificate(cert).fingerprint256.replaceAll(':', '').toLowerCase(),
  );
});

test.each([
  [{}, 'https://192.0.2.10:6443', 'serviceSubnet'],
  [config, 'nonsense', 'names no server'],
  [config, 'https://192.0.2.10', 'holds no certificate'],
])('%j at %s: %s', (of, server, message) => {
  expect(joinFacts(of, infoWith(server, 'no certificate'), [])).toEqual({
    ok: false,
    error: expect.stringContaining(message),
  });
});
