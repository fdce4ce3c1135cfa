import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Backend } from '../../cluster/balancer.ts';
import { ip } from './machine.ts';
import type { Family, Network } from './options.ts';

export interface FabricSetup {
  readonly network: Network;
  readonly primary: Family;
  /** Unix socket by which the test process reaches the API. */
  readonly socket: string;
}

export interface FabricRequest {
  readonly id: number;
  readonly action: 'cut' | 'restore' | 'look';
}

export interface FabricAnswer {
  readonly id: number;
  readonly backends: readonly Backend[];
}

const PROGRAM = join(import.meta.dirname, 'fabric-process.ts');

/** The switch between the nodes, and the balancer of their API: one process in a network namespace of its own. */
export class Fabric {
  readonly #process: ChildProcess;
  readonly socket: string;
  #requests = 0;

  private constructor(child: ChildProcess, socket: string) {
    this.#process = child;
    this.socket = socket;
  }

  static async start(setup: FabricSetup, logFile: string): Promise<Fabric> {
    const log = openSync(logFile, 'a');
    const child = spawn(
      'setpriv',
      ['--pdeathsig', 'KILL', 'unshare', '--net', process.execPath, PROGRAM, JSON.stringify(setup)],
      { stdio: ['ignore', log, log, 'ipc'], detached: true, env: { PATH: process.env['PATH'] } },
    );
    closeSync(log);
    const ready = await Promise.race([once(child, 'message').then(() => true), once(child, 'exit').then(() => false)]);
    if (!ready) throw new Error(`the fabric cannot be started: ${readFileSync(logFile, 'utf8').trim()}`);
    child.channel?.unref();
    child.unref();
    return new Fabric(child, setup.socket);
  }

  get pid(): number {
    return this.#process.pid ?? 0;
  }

  /** A cable from the switch to a node's `eth0`. One that is there from before the node's last power cut is replaced. */
  async plugIn(cable: string, nodePid: number): Promise<void> {
    await ip(this.pid, [
      `link add ${cable} type veth peer name eth0 netns ${nodePid}`,
      `link set ${cable} master br0 up`,
    ]);
  }

  async unplug(cable: string): Promise<void> {
    // The kernel takes it away together with the node's namespace, sooner or later than this.
    await ip(this.pid, [`link delete ${cable}`]).catch(() => undefined);
  }

  /** A cable that passes nothing on, while both of its ends have their lights on. */
  setPassing(cable: string, passing: boolean): Promise<void> {
    return ip(this.pid, [passing ? `link set ${cable} master br0` : `link set ${cable} nomaster`]);
  }

  async ask(action: FabricRequest['action']): Promise<readonly Backend[]> {
    const id = ++this.#requests;
    const child = this.#process;
    return new Promise((done, failed) => {
      const hear = (answer: FabricAnswer): void => {
        if (answer.id === id) finish(() => done(answer.backends));
      };
      const ended = (): void => finish(() => failed(new Error(`the fabric process has ended (${action})`)));
      const finish = (then: () => void): void => {
        child.off('message', hear);
        child.off('exit', ended);
        child.channel?.unref();
        then();
      };
      child.channel?.ref();
      child.on('message', hear);
      child.once('exit', ended);
      child.send({ id, action } satisfies FabricRequest);
    });
  }

  async stop(): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    this.#process.ref();
    this.#process.kill('SIGKILL');
    await once(this.#process, 'exit');
  }
}
