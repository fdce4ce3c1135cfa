import { createHash } from 'node:crypto';
import { readFile, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parse } from 'yaml';
import type { History } from './history.ts';
import type { LaunchHost } from './launch.ts';
import type { Timing } from './options.ts';
import { StaticPod } from './staticpod.ts';

/** A static pod's manifest as far as the runner reads it. */
export interface PodManifest {
  readonly metadata: { readonly name: string; readonly [field: string]: unknown };
  readonly spec: {
    readonly containers: readonly Container[];
    readonly terminationGracePeriodSeconds?: number;
    readonly [field: string]: unknown;
  };
}

export interface Container {
  readonly name: string;
  readonly image: string;
  readonly command?: readonly string[];
  readonly args?: readonly string[];
  readonly ports?: readonly { readonly name?: string; readonly containerPort: number }[];
  readonly readinessProbe?: Probe;
  readonly startupProbe?: Probe;
  readonly livenessProbe?: Probe;
}

export interface Probe {
  readonly httpGet?: {
    readonly host?: string;
    readonly port: number | string;
    readonly path: string;
    readonly scheme?: string;
  };
}

/** Changes a component's launch arguments without its manifest or command line showing it. */
export type LaunchOverride = (args: readonly string[]) => readonly string[];

export interface RunnerContext {
  readonly host: LaunchHost;
  /** Manifests of what runs. */
  readonly folder: string;
  /** Whether the host shows pods; else children of a service. */
  readonly asPods: boolean;
  readonly timing: Timing;
  readonly history: History;
  readonly binaries: Readonly<Record<string, string>>;
  readonly overrides: Map<string, LaunchOverride>;
  readonly log: (line: string) => void;
}

/** The kubelet lists its folder anew this often; a file that does not parse loses its pod only then. */
const UNREADABLE_POLLS = 20;

/**
 * Plays a kubelet for static pods: each non-dot file of the manifests folder is a pod, whatever its name. Of two
 * files that name the same pod the last by file name wins, which is how a back-up in the folder bites.
 */
export class StaticPods {
  readonly pods = new Map<string, StaticPod>();
  readonly #context: RunnerContext;
  readonly #lastGood = new Map<string, { text: string; manifest: PodManifest; misses: number }>();

  constructor(context: RunnerContext) {
    this.#context = context;
  }

  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      this.#reconcile(await this.#desired(), signal);
      await sleep(this.#context.timing.manifestPoll, undefined, { signal }).catch(() => {});
    }
    await Promise.all([...this.pods.values()].map((pod) => pod.stop('kill')));
    this.pods.clear();
  }

  async #desired(): Promise<Map<string, { manifest: PodManifest; hash: string }>> {
    const desired = new Map<string, { manifest: PodManifest; hash: string }>();
    for (const file of (await readdir(this.#context.folder)).sort()) {
      const manifest = file.startsWith('.') ? undefined : await this.#read(file);
      if (manifest)
        desired.set(manifest.metadata.name, {
          manifest,
          hash: configHash(this.#context.host.node.name, file, manifest),
        });
    }
    return desired;
  }

  async #read(file: string): Promise<PodManifest | undefined> {
    const before = this.#lastGood.get(file);
    const text = await readText(join(this.#context.folder, file));
    if (before && text === before.text) {
      before.misses = 0;
      return before.manifest;
    }
    const manifest = parseManifest(text);
    if (manifest) {
      this.#lastGood.set(file, { text, manifest, misses: 0 });
      return manifest;
    }
    if (!before || ++before.misses > UNREADABLE_POLLS) return undefined;
    return before.manifest;
  }

  #reconcile(desired: Map<string, { manifest: PodManifest; hash: string }>, signal: AbortSignal): void {
    if (signal.aborted) return;
    for (const [name, pod] of this.pods) {
      if (!desired.has(name)) void this.#remove(name, pod);
    }
    for (const [name, { manifest, hash }] of desired) {
      const existing = this.pods.get(name);
      if (existing) existing.update(manifest, hash);
      else this.pods.set(name, new StaticPod(this.#context, manifest, hash));
    }
  }

  async #remove(name: string, pod: StaticPod): Promise<void> {
    await pod.stop('terminate');
    if (this.pods.get(name) === pod) this.pods.delete(name);
  }
}

async function readText(path: string): Promise<string> {
  try {
    return (await stat(path)).isFile() ? await readFile(path, 'utf8') : '';
  } catch {
    return ''; // gone between listing and reading
  }
}

function parseManifest(text: string): PodManifest | undefined {
  try {
    const pod = parse(text) as Partial<PodManifest> & { kind?: string };
    const usable = pod?.kind === 'Pod' && typeof pod.metadata?.name === 'string' && Array.isArray(pod.spec?.containers);
    return usable ? (pod as PodManifest) : undefined;
  } catch {
    return undefined; // half written, or not YAML
  }
}

/** Changes with the pod's meaning, not with comments or white space. */
function configHash(node: string, file: string, manifest: PodManifest): string {
  return createHash('md5')
    .update(`${node} ${file} ${JSON.stringify(manifest)}`)
    .digest('hex');
}
