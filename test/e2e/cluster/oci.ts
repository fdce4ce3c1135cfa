import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream, readdirSync, statSync } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';

/** What a path of an image holds. A file keeps its permission to be run and nothing else of where it came from. */
export type Entry =
  | { readonly file: string }
  | { readonly text: string }
  | { readonly link: string }
  | { readonly folder: number };
/** By absolute path in the image; parent folders need not be named. */
export type Layer = Readonly<Record<string, Entry>>;

/** The part of an OCI image configuration that says how its containers start. */
export interface ContainerConfig {
  readonly Entrypoint?: readonly string[];
  readonly Cmd?: readonly string[];
  readonly Env?: readonly string[];
  readonly User?: string;
  readonly WorkingDir?: string;
}

export interface ImageSpec {
  /** Full references: registry, repository and tag. */
  readonly names: readonly string[];
  readonly layers: readonly Layer[];
  readonly config: ContainerConfig;
}

export interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
}

/** One member of a tar archive. */
export interface Member {
  readonly name: string;
  readonly mode: number;
  readonly size: number;
  readonly kind: 'file' | 'folder' | 'link';
  readonly link?: string;
  readonly body?: () => Iterable<Buffer> | AsyncIterable<Buffer>;
}

const BLOCK = 512;
const TYPE_FLAGS = { file: '0', link: '2', folder: '5' } as const;
const MAX_NAME = 100;
const READ_SIZE = 1 << 20;
const USTAR = 'ustar\x0000'; // the format's name, and its version in ASCII
/** All is root's and of this time, so that the same content always has the same digest. */
const OWNER = 0;
const EPOCH = 0;

/** An uncompressed tar archive. Depends on the members alone. */
export async function* tar(members: Iterable<Member>): AsyncGenerator<Buffer> {
  for (const member of members) {
    yield tarHeader(member);
    if (member.body) yield* member.body();
    const rest = member.size % BLOCK;
    if (rest > 0) yield Buffer.alloc(BLOCK - rest);
  }
  yield Buffer.alloc(2 * BLOCK);
}

function tarHeader({ name, mode, size, kind, link = '' }: Member): Buffer {
  for (const text of [name, link]) {
    if (Buffer.byteLength(text) > MAX_NAME)
      throw new Error(`${text}: tar has no room for a name of more than ${MAX_NAME} bytes`);
  }
  const header = Buffer.alloc(BLOCK);
  const octal = (value: number, at: number, width: number): void => {
    header.write(`${value.toString(8).padStart(width - 1, '0')}\0`, at);
  };
  header.write(name, 0);
  octal(mode, 100, 8);
  octal(OWNER, 108, 8);
  octal(OWNER, 116, 8);
  octal(size, 124, 12);
  octal(EPOCH, 136, 12);
  header.write(' '.repeat(8), 148);
  header.write(TYPE_FLAGS[kind], 156);
  header.write(link, 157);
  header.write(USTAR, 257);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return header;
}

/** A layer's members in the order of their paths, each after its parent folders. */
export function layerMembers(layer: Layer): readonly Member[] {
  const all: Record<string, Entry> = { ...layer };
  for (const path of Object.keys(layer)) {
    const parts = path.split('/').slice(1, -1);
    for (let depth = 1; depth <= parts.length; depth++)
      all[`/${parts.slice(0, depth).join('/')}`] ??= { folder: 0o755 };
  }
  return Object.keys(all)
    .toSorted()
    .map((path) => member(path, all[path] as Entry));
}

function member(path: string, entry: Entry): Member {
  const name = path.slice(1);
  if ('folder' in entry) return { name: `${name}/`, mode: entry.folder, size: 0, kind: 'folder' };
  if ('link' in entry) return { name, mode: 0o777, size: 0, kind: 'link', link: entry.link };
  if ('text' in entry) return inMemory(name, entry.text);
  const { mode, size } = statSync(entry.file);
  const body = (): AsyncIterable<Buffer> => createReadStream(entry.file, { highWaterMark: READ_SIZE });
  return { name, mode: mode & 0o111 ? 0o755 : 0o644, size, kind: 'file', body };
}

function inMemory(name: string, content: string): Member {
  const bytes = Buffer.from(content);
  return { name, mode: 0o644, size: bytes.length, kind: 'file', body: () => [bytes] };
}

/** Digest and size of a blob that may be too large for memory. */
export async function digestOf(
  content: Iterable<Buffer> | AsyncIterable<Buffer>,
): Promise<Omit<Descriptor, 'mediaType'>> {
  const hash = createHash('sha256');
  let size = 0;
  for await (const chunk of content) {
    hash.update(chunk);
    size += chunk.length;
  }
  return { digest: `sha256:${hash.digest('hex')}`, size };
}

const OCI = 'application/vnd.oci.image';
const LAYER_TYPE = `${OCI}.layer.v1.tar`;
const ARCHITECTURES: Readonly<Record<string, string>> = { x64: 'amd64', arm64: 'arm64' };

/** Describes a layer without writing it; the caller may know the answer from an earlier time. */
export type Describe = (layer: Layer) => Promise<Omit<Descriptor, 'mediaType'>>;
export const describeLayer: Describe = (layer) => digestOf(tar(layerMembers(layer)));

/**
 * Members of an OCI image layout that holds these images. A blob that several of them have is in it once.
 * `digest` stands for everything in it.
 */
export async function layoutMembers(
  images: readonly ImageSpec[],
  describe: Describe = describeLayer,
): Promise<{ readonly members: readonly Member[]; readonly digest: string }> {
  const blobs = new Map<string, Member>();
  const add = (digest: string, blob: Omit<Member, 'name'>): void => {
    blobs.set(digest, { ...blob, name: `blobs/${digest.replace(':', '/')}` });
  };
  const addJson = async (mediaType: string, value: unknown): Promise<Descriptor> => {
    const blob = inMemory('', JSON.stringify(value));
    const described = await digestOf(blob.body?.() ?? []);
    add(described.digest, blob);
    return { mediaType, ...described };
  };
  const addLayer = async (layer: Layer): Promise<Descriptor> => {
    const described = await describe(layer);
    add(described.digest, { mode: 0o644, size: described.size, kind: 'file', body: () => tar(layerMembers(layer)) });
    return { mediaType: LAYER_TYPE, ...described };
  };
  const platform = { architecture: ARCHITECTURES[process.arch] ?? process.arch, os: 'linux' };
  const manifests: unknown[] = [];
  for (const { names, layers, config } of images) {
    const described: Descriptor[] = [];
    for (const layer of layers) described.push(await addLayer(layer));
    const rootfs = { type: 'layers', diff_ids: described.map(({ digest }) => digest) };
    const manifest = await addJson(`${OCI}.manifest.v1+json`, {
      schemaVersion: 2,
      mediaType: `${OCI}.manifest.v1+json`,
      config: await addJson(`${OCI}.config.v1+json`, { ...platform, config, rootfs }),
      layers: described,
    });
    for (const name of names) manifests.push({ ...manifest, platform, annotations: nameAnnotations(name) });
  }
  const index = inMemory('index.json', JSON.stringify({ schemaVersion: 2, manifests }));
  const { digest } = await digestOf(index.body?.() ?? []);
  return { digest, members: [inMemory('oci-layout', '{"imageLayoutVersion":"1.0.0"}'), index, ...blobs.values()] };
}

function nameAnnotations(name: string): Readonly<Record<string, string>> {
  return {
    'io.containerd.image.name': name,
    'org.opencontainers.image.ref.name': name.slice(name.lastIndexOf(':') + 1),
  };
}

/** Members of a layout that lies in a folder, as other programs leave it. */
export function folderMembers(folder: string): readonly Member[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .toSorted()
    .map((file) => member(file.slice(folder.replace(/\/$/, '').length), { file }));
}

/** Writes beside the target and renames: an archive that exists is whole. */
export async function writeArchive(target: string, members: readonly Member[]): Promise<void> {
  const partial = `${target}.partial-${process.pid}`;
  try {
    await pipeline(Readable.from(tar(members)), createWriteStream(partial));
    await rename(partial, target);
  } finally {
    await rm(partial, { force: true });
  }
}
