import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { cacheFolder, findBinaries, kubernetesVersion } from '../../../hack/binaries.mjs';
import { findDebianTools, sharedLibraries } from '../../../hack/debian.mjs';
import { imageConfig } from './dockerfile.ts';
import { IMAGES, type Ingredients, kubeadmImages, otherImages } from './imagetable.ts';
import {
  describeLayer,
  folderMembers,
  type ImageSpec,
  type Layer,
  layerMembers,
  layoutMembers,
  writeArchive,
} from './oci.ts';
import { run } from './run.ts';

export { IMAGES };

export interface ImageOptions {
  readonly env?: NodeJS.ProcessEnv;
  readonly log?: (line: string) => void;
}

const PROJECT = join(import.meta.dirname, '../../..');
const KEPT_PER_GROUP = 3;
const PROGRAMS = (
  'kube-apiserver kube-controller-manager kube-scheduler kube-proxy kubeadm ' +
  'etcd coredns flannel flannel-cni podtool'
).split(' ');

/**
 * Archives with every image that a cluster of real kubelets runs, for `ctr --namespace k8s.io images import`. They stay in
 * the cache and are named after their content: an unchanged name is an unchanged archive. The operator's image is in an
 * archive of its own, the last one that is made here; archives from `E2E_CALICO_IMAGES` come after it as they are.
 */
export async function imageArchives(options: ImageOptions = {}): Promise<readonly string[]> {
  const { env = process.env, log = () => undefined } = options;
  const folder = join(dirname(cacheFolder(env)), 'images');
  mkdirSync(join(folder, 'digests'), { recursive: true });
  const using = await ingredients(env, log);
  const kubeadm = using.binaries['kubeadm'] ?? 'kubeadm';
  const wanted = await run([kubeadm, 'config', 'images', 'list', '--kubernetes-version', `v${kubernetesVersion(env)}`]);
  const archives = [
    await archive(folder, 'kubernetes', kubeadmImages(wanted.stdout.trim().split('\n'), using), log),
    await archive(folder, 'others', otherImages(using), log),
    await archive(folder, 'operator', [await operatorImage()], log),
  ];
  return [...archives, ...(await givenArchives(env['E2E_CALICO_IMAGES'], folder))];
}

async function ingredients(env: NodeJS.ProcessEnv, log: (line: string) => void): Promise<Ingredients> {
  const binaries = await findBinaries({ names: PROGRAMS, env, log });
  const { nft, iptables } = await findDebianTools({ env, log });
  const flannelModule = readFileSync(join(PROJECT, 'hack/tools/flannel/go.mod'), 'utf8');
  return { binaries, packetFilters: { ...nft.files, ...iptables.files }, flannelModule };
}

async function archive(
  folder: string,
  group: string,
  images: readonly ImageSpec[],
  log: (line: string) => void,
): Promise<string> {
  const { members, digest } = await layoutMembers(images, (layer) => knownDigest(folder, layer));
  const target = join(folder, `${group}-${digest.slice('sha256:'.length).slice(0, 16)}.tar`);
  if (existsSync(target)) {
    utimesSync(target, new Date(), statSync(target).mtime); // it is among the last used
    return target;
  }
  log(
    `making ${images.length} ${images.length === 1 ? 'image' : 'images'}: ${images.flatMap(({ names }) => names).join(', ')}`,
  );
  await writeArchive(target, members);
  await removeOld(folder, group);
  return target;
}

/** Files that look untouched are not read again only to learn their digest: they are half a gigabyte. */
async function knownDigest(folder: string, layer: Layer): ReturnType<typeof describeLayer> {
  const note = join(folder, 'digests', layerKey(layer));
  if (existsSync(note)) return JSON.parse(readFileSync(note, 'utf8')) as Awaited<ReturnType<typeof describeLayer>>;
  const described = await describeLayer(layer);
  const partial = `${note}.partial-${process.pid}`;
  writeFileSync(partial, JSON.stringify(described));
  await rename(partial, note);
  return described;
}

function layerKey(layer: Layer): string {
  const hash = createHash('sha256');
  for (const [path, entry] of Object.entries(layer)) {
    const source = 'file' in entry ? [entry.file, statSync(entry.file).mtimeMs] : [entry];
    hash.update(JSON.stringify([path, ...source]));
  }
  for (const { name, mode, size } of layerMembers(layer)) hash.update(JSON.stringify([name, mode, size]));
  return hash.digest('hex').slice(0, 32);
}

async function removeOld(folder: string, group: string): Promise<void> {
  const byUse = readdirSync(folder)
    .filter((name) => name.startsWith(`${group}-`) && name.endsWith('.tar'))
    .map((name) => ({ path: join(folder, name), used: statSync(join(folder, name)).atimeMs }))
    .sort((a, b) => b.used - a.used);
  for (const { path } of byUse.slice(KEPT_PER_GROUP)) await rm(path, { force: true });
}

/** What the Dockerfile's last stage makes, from the bundle and the Node.js of node_modules. */
async function operatorImage(): Promise<ImageSpec> {
  const bundle = join(PROJECT, 'dist/image');
  if (!existsSync(bundle)) throw new Error(`${bundle} is not there: run npm run build`);
  const parts = readdirSync(bundle).map((name) => [`/app/${name}`, { file: join(bundle, name) }] as const);
  const node = realpathSync(join(PROJECT, 'node_modules/node/bin/node'));
  const runtime: Record<string, { file: string }> = { '/nodejs/bin/node': { file: node } };
  for (const { path, file } of await sharedLibraries([node])) runtime[path] = { file };
  return {
    names: [IMAGES.operator],
    layers: [
      { '/tmp': { folder: 0o1777 }, '/etc/passwd': { text: 'root:x:0:0::/:\nnonroot:x:65532:65532::/app:\n' } },
      runtime,
      {
        ...Object.fromEntries(parts),
        '/app/package.json': { file: join(PROJECT, 'package.json') },
      },
    ],
    config: imageConfig(readFileSync(join(PROJECT, 'Dockerfile'), 'utf8')),
  };
}

/** Archives that somebody else made: a file, or a folder that is an OCI layout or holds archives. */
async function givenArchives(path: string | undefined, folder: string): Promise<readonly string[]> {
  if (path === undefined || path === '') return [];
  if (!existsSync(path))
    throw new Error(`E2E_CALICO_IMAGES: ${path} is not there; name an image archive or an OCI layout`);
  if (!statSync(path).isDirectory()) return [path];
  if (existsSync(join(path, 'oci-layout'))) {
    const index = createHash('sha256')
      .update(readFileSync(join(path, 'index.json')))
      .digest('hex');
    const target = join(folder, `given-${index.slice(0, 16)}.tar`);
    if (!existsSync(target)) await writeArchive(target, folderMembers(path));
    return [target];
  }
  const archives = readdirSync(path)
    .filter((name) => name.endsWith('.tar'))
    .toSorted();
  if (archives.length === 0)
    throw new Error(`E2E_CALICO_IMAGES: ${path} is no OCI layout and holds no archives (*.tar)`);
  return archives.map((name) => join(path, name));
}
