import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ProcessRecord } from './history.ts';
import { hideProcess, showProcess } from './hostfiles.ts';
import { launch, launchArguments } from './launch.ts';
import { keepRunLog, sizeOf, tailOf } from './podlog.ts';
import type { PodManifest, RunnerContext } from './staticpods.ts';
import { probe } from './probe.ts';

const MAX_BACK_OFF_FACTOR = 10;
/** Whose children the processes are where they are no pods. */
const SERVICE = 'k0scontroller';

export type ContainerState =
  | { readonly is: 'waiting'; readonly reason: 'ContainerCreating' | 'CrashLoopBackOff'; readonly message: string }
  | { readonly is: 'running'; readonly startedAt: number };

/** One static pod: its process, restarted when it ends, replaced when its manifest changes. */
export class StaticPod {
  manifest: PodManifest;
  hash: string;
  restarts = 0;
  ready = false;
  startedAt = Date.now();
  state: ContainerState = { is: 'waiting', reason: 'ContainerCreating', message: '' };
  lastExit: { readonly code: number; readonly at: number; readonly startedAt: number } | undefined;
  readonly #context: RunnerContext;
  #generation = new AbortController();
  #loop: Promise<void>;
  #stopped = false;
  #graceMs: number;
  /** Whether a process of this pod ran before: a first start does not wait. */
  #ranBefore = false;

  constructor(context: RunnerContext, manifest: PodManifest, hash: string) {
    this.#context = context;
    this.manifest = manifest;
    this.hash = hash;
    this.#graceMs = context.timing.stopGrace;
    this.#loop = this.#run(this.#generation.signal);
  }

  get name(): string {
    return this.manifest.metadata.name;
  }

  /** A changed manifest is a new pod: the old process ends first. */
  update(manifest: PodManifest, hash: string): void {
    if (hash === this.hash || this.#stopped) return;
    this.#context.log(`${this.#context.host.node.name}: manifest of ${this.name} changed`);
    const before = this.#loop;
    this.#generation.abort();
    this.#generation = new AbortController();
    const { signal } = this.#generation;
    this.manifest = manifest;
    this.hash = hash;
    this.#loop = before.then(() => {
      this.restarts = 0;
      this.lastExit = undefined;
      this.startedAt = Date.now();
      return this.#run(signal);
    });
  }

  /** @param how `kill` for the end of the whole cluster, where nothing needs an orderly end */
  async stop(how: 'terminate' | 'kill'): Promise<void> {
    this.#stopped = true;
    this.#graceMs = how === 'kill' ? 0 : this.#context.timing.stopGrace;
    this.#generation.abort();
    await this.#loop;
  }

  async #run(signal: AbortSignal): Promise<void> {
    this.state = { is: 'waiting', reason: 'ContainerCreating', message: '' };
    if (this.#ranBefore) await pause(this.#restartDelay(), signal);
    let backOff = this.#context.timing.crashBackOff;
    while (!signal.aborted) {
      this.#ranBefore = true;
      await this.#runOnce(signal);
      if (signal.aborted) return;
      this.restarts++;
      const message = `back-off ${backOff}ms restarting failed container=${this.name}`;
      this.state = { is: 'waiting', reason: 'CrashLoopBackOff', message };
      await pause(backOff, signal);
      if (this.lastExit && this.lastExit.at - this.lastExit.startedAt > backOff * MAX_BACK_OFF_FACTOR)
        backOff = this.#context.timing.crashBackOff;
      else backOff = Math.min(backOff * 2, this.#context.timing.crashBackOff * MAX_BACK_OFF_FACTOR);
    }
  }

  #restartDelay(): number {
    switch (this.name) {
      case 'kube-apiserver':
        return this.#context.timing.apiServerRestart;
      case 'kube-controller-manager':
        return this.#context.timing.controllerManagerRestart;
      default:
        return 0;
    }
  }

  async #runOnce(signal: AbortSignal): Promise<void> {
    const { host, history, log, asPods } = this.#context;
    const spoken = await sizeOf(this.#log());
    // Before an update gives the pod another hash.
    const run = {
      pod: `${this.name}-${host.node.name}`,
      container: this.name,
      uid: this.hash,
      restarts: this.restarts,
      startedAt: Date.now(),
    };
    if (asPods) await keepRunLog(host.root, run);
    const child = await this.#start();
    const pid = child?.pid;
    if (child === undefined || pid === undefined) {
      this.lastExit = { code: 127, at: Date.now(), startedAt: Date.now() };
      return;
    }
    const record: ProcessRecord = {
      node: host.node.name,
      component: this.name,
      pid,
      args: this.#command(),
      startedAt: Date.now(),
    };
    history.records.push(record);
    this.state = { is: 'running', startedAt: record.startedAt };
    const ended = once(child, 'exit') as Promise<[number | null, NodeJS.Signals | null]>;
    showProcess(host.root, pid, record.args, { stat: statOf(pid), podUid: asPods ? run.uid : undefined }, SERVICE);
    const quit = (): void => terminate(child, this.#graceMs);
    signal.addEventListener('abort', quit);
    if (signal.aborted) quit();
    const watching = new AbortController();
    const probing = this.#probe(watching.signal);
    const [code, killedBy] = await ended;
    watching.abort();
    await probing;
    signal.removeEventListener('abort', quit);
    this.ready = false;
    record.exitedAt = Date.now();
    record.exit = { code, signal: killedBy };
    this.lastExit = { code: code ?? 137, at: record.exitedAt, startedAt: record.startedAt };
    if (asPods && !this.#stopped) await keepRunLog(host.root, run, await tailOf(this.#log(), spoken));
    hideProcess(host.root, pid);
    log(`${host.node.name}: ${this.name} (${pid}) ended: ${killedBy ?? `exit ${code}`}`);
  }

  #log(): string {
    return join(this.#context.host.scratch, `${this.name}.log`);
  }

  #command(): readonly string[] {
    const container = this.manifest.spec.containers[0];
    return [...(container?.command ?? []), ...(container?.args ?? [])];
  }

  async #start(): Promise<ChildProcess | undefined> {
    const { host, binaries, overrides, log } = this.#context;
    const [component = '', ...manifestArgs] = this.#command();
    const override = overrides.get(this.name) ?? ((args: readonly string[]) => args);
    const args = override(await launchArguments(host, component, manifestArgs));
    const binary = binaries[component];
    if (!binary) {
      log(`${host.node.name}: ${this.name}: there is no binary called ${component}`);
      return undefined;
    }
    await mkdir(join(host.root, 'var/lib/etcd'), { recursive: true, mode: 0o700 });
    const child = launch(host.node.name, binary, args, this.#log());
    log(`${host.node.name}: ${this.name} started (${child.pid})`);
    return child;
  }

  async #probe(signal: AbortSignal): Promise<void> {
    const container = this.manifest.spec.containers[0];
    if (!container) return;
    while (!signal.aborted) {
      const healthy = await probe(container, this.#context.host, signal);
      if (!signal.aborted) this.ready = healthy;
      await pause(this.#context.timing.probe, signal);
    }
  }
}

function statOf(pid: number): string {
  return readFileSync(`/proc/${pid}/stat`, 'utf8');
}

function terminate(child: ChildProcess, graceMs: number): void {
  if (graceMs === 0) {
    child.kill('SIGKILL');
    return;
  }
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), graceMs);
  child.once('exit', () => clearTimeout(timer));
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal }).catch(() => {});
}
