import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse } from 'yaml';
import { readK0sSettings, type K0sSettings } from '../../src/model/k0s.ts';
import type { TestCluster } from '../cluster/index.ts';
import { type CNICluster, startWithCNI } from './cni-cluster.ts';
import { K0sUser } from './k0s-user.ts';
import type { PlayedCNI } from './played-cni.ts';
import { K0S_FILE, PlayedK0s, type PlayedK0sOptions } from './played-k0s.ts';
import { PlayedKubeRouter } from './played-kube-router.ts';

/** k0s and its kube-router in one. */
class PlayedBoth implements PlayedCNI {
  readonly router: PlayedKubeRouter;
  readonly k0s: PlayedK0s;

  constructor(cluster: TestCluster, options: PlayedK0sOptions) {
    this.router = new PlayedKubeRouter(cluster);
    this.k0s = new PlayedK0s(cluster, options);
  }

  get wrongs(): string[] {
    return [...this.router.wrongs, ...this.k0s.wrongs];
  }

  get plugIn() {
    return this.router.plugIn;
  }

  async turn(): Promise<void> {
    await this.router.turn();
    await this.k0s.turn();
  }
}

export interface K0sCluster extends CNICluster<PlayedBoth> {
  readonly user: K0sUser;
}

/** Controllers with a kubelet, one if not told otherwise, and one worker, as k0s makes them by default: with kube-router. */
export async function startK0s({
  controlPlanes = 1,
  ...options
}: PlayedK0sOptions & { readonly controlPlanes?: 1 | 3 }): Promise<K0sCluster> {
  let made: PlayedBoth | undefined;
  const scene = await startWithCNI<PlayedBoth>({
    options: { controlPlaneAs: 'Processes', controlPlanes },
    played: (cluster) => {
      made = new PlayedBoth(cluster, options);
      return made;
    },
    install: async () => made?.k0s.install(),
    agents: 'kube-system/kube-router',
  });
  return { ...scene, user: new K0sUser(scene.cluster, scene.played.k0s) };
}

/** What k0s allows: a Service network from /108 on, and pod networks that its mask of 117 divides. */
export const K0S_NETWORKS = {
  nodes: { podCIDRs: 'Replace' },
  clusterNetwork: {
    pods: { cidrBlocks: ['fd00:10:244::/108'] },
    services: { cidrBlocks: ['fd00:10:96::/112'] },
  },
} as const;

/** The settings of a controller's file as they are on its host. */
export async function fileOf(cluster: TestCluster, name: string): Promise<K0sSettings> {
  return readK0sSettings(parse(await readFile(join(cluster.node(name).hostRoot, K0S_FILE), 'utf8')));
}

/** The same file, as it is written. */
export const textOf = (cluster: TestCluster, name: string): Promise<string> =>
  readFile(join(cluster.node(name).hostRoot, K0S_FILE), 'utf8');

/** Flags of the process that runs there now. */
export function flagsOf(
  cluster: TestCluster,
  component: string,
  flags: readonly string[],
  name = 'cp-1',
): readonly string[] {
  const args = cluster.history.running(component, name)?.args ?? [];
  return flags.flatMap((flag) => args.filter((arg) => arg.startsWith(`--${flag}=`)));
}
