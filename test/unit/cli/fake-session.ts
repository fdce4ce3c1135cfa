import type { Dependencies } from '../../../src/cli/dependencies.ts';
import { type ExitCode } from '../../../src/cli/exit-code.ts';
import { runCli } from '../../../src/cli/program.ts';
import type { ClusterSession, Observation, ObserveError, WatchNodesOptions } from '../../../src/cli/session.ts';
import type { Connectivity } from '../../../src/model/connectivity.ts';
import type { GeneratedFile } from '../../../src/generate/contract.ts';
import type { JoinFacts } from '../../../src/generate/kubeadm/node-join.ts';
import type { KubeObject } from '../../../src/model/object.ts';
import type { Plan } from '../../../src/model/plan.ts';
import { err, ok, type Result } from '../../../src/result.ts';
import { clusterFacts } from '../../support/facts.ts';
import { finished, NOW } from './support.ts';

export interface Scene {
  readonly plan?: Plan;
  readonly resource?: KubeObject | null;
  readonly changes?: readonly (KubeObject | null)[];
  readonly nodes?: readonly Result<Observation, ObserveError>[];
  readonly observeError?: ObserveError;
  readonly connectError?: string;
  readonly files?: Readonly<Record<string, string>>;
  readonly interactive?: boolean;
  readonly environment?: Readonly<Record<string, string>>;
  readonly proof?: Result<Connectivity, string>;
  readonly joinFacts?: JoinFacts;
}

export interface Played {
  readonly code: ExitCode;
  readonly out: string;
  readonly err: string;
  /** Resources that were looked at, and whether the session was closed. */
  readonly observed: readonly KubeObject[];
  /** Whose nodes were followed. */
  readonly watched: readonly WatchNodesOptions[];
  readonly closed: boolean;
  readonly started: readonly unknown[];
  /** Files that were written, by folder and name. */
  readonly written: ReadonlyMap<string, GeneratedFile>;
}

/** Runs one command line against a played cluster. */
export async function play(args: readonly string[], scene: Scene = {}): Promise<Played> {
  const said = { out: '', err: '' };
  const observed: KubeObject[] = [];
  const watched: WatchNodesOptions[] = [];
  const started: unknown[] = [];
  const written = new Map<string, GeneratedFile>();
  let closed = false;
  const session: ClusterSession = {
    live: async () => ok({ uid: '6f1e0c7e-0000-4000-8000-000000000001', primaryFamily: 'IPv4' }),
    async observe(resource): Promise<Result<Observation, ObserveError>> {
      observed.push(resource);
      if (scene.observeError !== undefined) return err(scene.observeError);
      return ok({ facts: clusterFacts(), plan: scene.plan ?? finished, diagnose: () => null });
    },
    getResource: async () => ok(scene.resource ?? null),
    async *watchResource() {
      yield* scene.changes ?? [];
    },
    async *watchNodes(options) {
      watched.push(options);
      yield* scene.nodes ?? [];
    },
    probe: async (options) => {
      started.push(options);
      options.onProgress({ servers: [2, 2], runners: [0, 0], probed: [] });
      return scene.proof ?? err('no proof was played');
    },
    joinFacts: async () => (scene.joinFacts === undefined ? err('no such cluster was played') : ok(scene.joinFacts)),
    close: async () => {
      closed = true;
    },
  };
  const code = await runCli(args, {
    ...dependencies(said, scene, started, written),
    connect: async () => (scene.connectError === undefined ? ok(session) : err(scene.connectError)),
  });
  return { code, ...said, observed, watched, closed, started, written };
}

/** All but a cluster. What is written goes to `said`, what is started to `started`. */
export const dependencies = (
  said: { out: string; err: string },
  scene: Scene = {},
  started: unknown[] = [],
  written: Map<string, GeneratedFile> = new Map(),
): Dependencies => {
  const start = async (options: unknown): Promise<ExitCode> => {
    started.push(options);
    return 0;
  };
  return {
    connect: async () => err('there is no cluster'),
    terminal: {
      write: (text) => {
        said.out += text;
      },
      complain: (text) => {
        said.err += text;
      },
      interactive: scene.interactive ?? false,
      size: () => (scene.interactive === true ? { columns: 80, rows: 24 } : null),
      environment: scene.environment ?? {},
    },
    readText: async (file) => {
      const text = scene.files?.[file];
      if (text === undefined) throw new Error(`ENOENT: no such file ${file}`);
      return text;
    },
    writeFiles: async (folder, files, replace) => {
      const paths = files.map(({ name }) => `${folder}/${name}`);
      const there = paths.filter((path) => scene.files?.[path] !== undefined);
      if (there.length > 0 && !replace) return err(`${there.join(', ')} would be replaced`);
      for (const file of files) written.set(`${folder}/${file.name}`, file);
      return ok(paths);
    },
    now: () => NOW,
    everySecond: () => {},
    signal: new AbortController().signal,
    runOperator: start,
    serveProbe: start,
    runProbe: () => start('probe run'),
    runAgent: start,
  };
};
