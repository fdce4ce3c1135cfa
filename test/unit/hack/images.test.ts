import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { imageConfig } from '../../e2e/cluster/dockerfile.ts';
import { IMAGES, type Ingredients, kubeadmImages, otherImages } from '../../e2e/cluster/imagetable.ts';
import {
  describeLayer,
  digestOf,
  folderMembers,
  type ImageSpec,
  type Layer,
  layerMembers,
  layoutMembers,
  writeArchive,
} from '../../e2e/cluster/oci.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'dualstack-images-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const file = (name: string, content: string | Buffer, mode = 0o644): { readonly file: string } => {
  const path = join(folder, name);
  writeFileSync(path, content);
  chmodSync(path, mode);
  return { file: path };
};
/** Larger than one read and no multiple of a tar block. */
const LARGE = Buffer.alloc(2_500_001, 'x');
const someLayer = (): Layer => ({
  '/usr/bin/tool': file('tool', LARGE, 0o700),
  '/etc/words': { text: 'three words here\n' },
  '/bin/tool': { link: '../usr/bin/tool' },
  '/tmp': { folder: 0o1777 },
});

const images = (): readonly ImageSpec[] => {
  const shared = someLayer();
  return [
    { names: ['example.com/one:v1', 'example.net/one:v1'], layers: [shared], config: { Entrypoint: ['/one'] } },
    { names: ['example.com:5000/two:v2'], layers: [shared, { '/two': { text: '2' } }], config: { User: '7' } },
  ];
};
const byName = (list: readonly { name: string; size: number }[]): string[] =>
  list.map(({ name, size }) => `${name} ${size}`).toSorted();
const paths = (image: ImageSpec): readonly string[] => image.layers.flatMap((layer) => Object.keys(layer));

describe('a layer', () => {
  test('unpacks to what it describes, whatever the umask and owner of the sources', async () => {
    const archive = join(folder, 'layer.tar');
    await writeArchive(archive, layerMembers(someLayer()));
    const root = join(folder, 'root');
    mkdirSync(root);
    execFileSync('tar', ['-xpf', archive, '-C', root]);
    expect(readFileSync(join(root, 'usr/bin/tool')).equals(LARGE)).toBe(true);
    expect(readFileSync(join(root, 'bin/tool')).equals(LARGE)).toBe(true);
    expect(readFileSync(join(root, 'etc/words'), 'utf8')).toBe('three words here\n');
    const modes = ['usr/bin/tool', 'etc/words', 'usr', 'tmp'].map((path) =>
      (statSync(join(root, path)).mode & 0o7777).toString(8),
    );
    expect(modes).toEqual(['755', '644', '755', '1777']);
    expect(execFileSync('tar', ['-tvf', archive, '--numeric-owner'], { encoding: 'utf8' })).not.toMatch(
      / (?!0\/0)\d+\/\d+ /,
    );
  });

  test('has one digest, whenever it is made, in whatever order it is written down', async () => {
    const layer = someLayer();
    const first = await describeLayer(layer);
    utimesSync(join(folder, 'tool'), 1, 1);
    const reversed = Object.fromEntries(Object.entries(layer).toReversed());
    expect(await describeLayer(reversed)).toEqual(first);
    writeFileSync(join(folder, 'tool'), 'changed');
    expect((await describeLayer(layer)).digest).not.toBe(first.digest);
  });

  test('holds each parent folder once, before what is in it', () => {
    const names = layerMembers({ '/a/b/c': { text: '' }, '/a/b/d': { text: '' }, '/a.b': { text: '' } }).map(
      ({ name }) => name,
    );
    expect(names).toEqual(['a/', 'a.b', 'a/b/', 'a/b/c', 'a/b/d']);
  });

  test('refuses a name that the format has no room for', async () => {
    await expect(describeLayer({ [`/${'x'.repeat(101)}`]: { text: '' } })).rejects.toThrow(/more than 100 bytes/);
  });
});

describe('an image layout', () => {
  test('names every blob after its content, once, and refers to nothing that is missing', async () => {
    const { members } = await layoutMembers(images());
    const blobs = members.filter(({ name }) => name.startsWith('blobs/'));
    expect(blobs).toHaveLength(2 + 2 + 2); // layers, configurations, manifests
    for (const { name, body, size } of blobs) {
      expect(await digestOf(body?.() ?? [])).toEqual({ digest: name.replace('blobs/sha256/', 'sha256:'), size });
    }
    const json = JSON.stringify(await Promise.all(members.filter(({ size }) => size < 2000).map(textOf)));
    const mentioned = new Set([...json.matchAll(/sha256:([0-9a-f]{64})/g)].map((match) => `blobs/sha256/${match[1]}`));
    expect([...mentioned].toSorted()).toEqual(blobs.map(({ name }) => name).toSorted());
  });

  test('gives an image all its names, and each its tag', async () => {
    const { members } = await layoutMembers(images());
    const index = members.find(({ name }) => name === 'index.json');
    const { manifests } = JSON.parse(await textOf(index as (typeof members)[number])) as {
      manifests: { digest: string; annotations: Record<string, string> }[];
    };
    expect(manifests.map(({ annotations }) => Object.values(annotations))).toEqual([
      ['example.com/one:v1', 'v1'],
      ['example.net/one:v1', 'v1'],
      ['example.com:5000/two:v2', 'v2'],
    ]);
    expect(manifests[0]?.digest).toBe(manifests[1]?.digest);
  });

  test('has a digest that changes with anything in it and with nothing else', async () => {
    const { digest } = await layoutMembers(images());
    utimesSync(join(folder, 'tool'), 1, 1);
    expect((await layoutMembers(images())).digest).toBe(digest);
    const [one, two] = images() as [ImageSpec, ImageSpec];
    for (const changed of [
      [one],
      [two, one],
      [{ ...one, config: {} }, two],
      [{ ...one, names: ['example.com/one:v3'] }, two],
      [one, { ...two, layers: one.layers }],
    ]) {
      expect((await layoutMembers(changed)).digest).not.toBe(digest);
    }
  });

  test('from a folder is packed as it lies there', async () => {
    const { members } = await layoutMembers(images());
    const archive = join(folder, 'layout.tar');
    await writeArchive(archive, members);
    const layout = join(folder, 'layout');
    mkdirSync(layout);
    execFileSync('tar', ['-xf', archive, '-C', layout]);
    expect(byName(folderMembers(layout))).toEqual(byName(members));
  });
});

async function textOf({ body }: { readonly body?: () => Iterable<Buffer> | AsyncIterable<Buffer> }): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of body?.() ?? []) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

describe('the table of images', () => {
  const names =
    'kube-apiserver kube-controller-manager kube-scheduler kube-proxy etcd coredns flannel flannel-cni podtool'.split(
      ' ',
    );
  const using: Ingredients = {
    binaries: Object.fromEntries(names.map((name) => [name, `/bin/${name}`])),
    packetFilters: { '/usr/sbin/nft': { file: '/nft' } },
    flannelModule: 'require github.com/flannel-io/flannel v0.99.0',
  };
  const LIST = [
    ...['kube-apiserver', 'kube-controller-manager', 'kube-scheduler', 'kube-proxy'].map(
      (name) => `registry.k8s.io/${name}:v1.36.3`,
    ),
    'registry.k8s.io/coredns/coredns:v1.14.2',
    'registry.k8s.io/pause:3.10.2',
    'registry.k8s.io/etcd:3.6.8-0',
  ];

  test('makes each image that kubeadm asks for under that very reference', () => {
    expect(kubeadmImages(LIST, using).flatMap((image) => image.names)).toEqual(LIST);
  });

  test('says which image of kubeadm it cannot make', () => {
    expect(() => kubeadmImages(['registry.k8s.io/kube-new:v1'], using)).toThrow(/asks for an image kube-new/);
  });

  test('gives packet filters, and the protocols they know by name, to those that call them', () => {
    const all = [...kubeadmImages(LIST, using), ...otherImages(using)];
    const withFilters = all.filter((image) => paths(image).includes('/usr/sbin/nft'));
    expect(withFilters.map((image) => image.names[0])).toEqual([
      'registry.k8s.io/kube-proxy:v1.36.3',
      'ghcr.io/flannel-io/flannel:v0.99.0',
    ]);
    for (const image of withFilters) expect(paths(image)).toContain('/etc/protocols');
  });

  test('has what the installers of flannel run: cp, the daemon and the plug-in where the manifest expects them', () => {
    const images = otherImages(using);
    const layers = (name: string): Layer =>
      Object.assign(
        {},
        ...(images.find((image) => image.names.some((full) => full.includes(name)))?.layers ?? []),
      ) as Layer;
    expect(layers('/flannel:')).toMatchObject({
      '/opt/bin/flanneld': { file: '/bin/flannel' },
      '/bin/cp': { link: '../podtool' },
    });
    expect(layers('/flannel-cni-plugin:')).toMatchObject({
      '/flannel': { file: '/bin/flannel-cni' },
      '/bin/cp': { link: '../podtool' },
    });
    expect(images[0]?.names).toEqual([IMAGES.podtool]);
  });

  test('names a binary that is missing', () => {
    expect(() => kubeadmImages(LIST, { ...using, binaries: {} })).toThrow(/kube-apiserver: no such binary/);
  });
});

describe('a Dockerfile', () => {
  test('tells of its last stage how containers start: ours as the operator, not as root', () => {
    const text = readFileSync(join(import.meta.dirname, '../../../Dockerfile'), 'utf8');
    expect(imageConfig(text)).toEqual({
      WorkingDir: '/app',
      User: '65532:65532',
      Env: ['NODE_ENV=production'],
      Entrypoint: [
        '/nodejs/bin/node',
        '--max-semi-space-size=2',
        '--invocation-count-for-turbofan=100000',
        '/app/main.js',
      ],
      Cmd: ['operator'],
    });
  });

  test.each([
    ['FROM a\nUSER 1\nFROM b\n# comment\nENV A=1\nENV B=2\n', { Env: ['A=1', 'B=2'] }],
    ['FROM a AS b\nCOPY x y\n', {}],
  ])('%j', (text, config) => expect(imageConfig(text)).toEqual(config));

  test.each([
    ['FROM a\nRUN true\n', /RUN is not known/],
    ['FROM a\nCMD {"a":1}\n', /is not a list/],
  ])('%j is refused', (text, message) => expect(() => imageConfig(text)).toThrow(message));
});
