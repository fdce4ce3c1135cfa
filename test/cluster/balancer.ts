import { once } from 'node:events';
import { type AddressInfo, createServer, connect, type Server, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { urlHost } from '../support/url-host.ts';
import { answers } from './probe.ts';

const PORT = 6443;
const CHECK_MS = 100;

/** What the balancer saw of one API server. */
export interface Backend {
  readonly node: string;
  readonly address: string;
  up: boolean;
  connections: number;
  /** Dials that failed: each is a connection that a client lost, because nothing is retried. */
  failedDials: number;
  /** Changes between answering and not, oldest first; the first entry is the start of watching. */
  readonly changes: { readonly at: number; readonly up: boolean }[];
}

/**
 * A TCP balancer like haproxy with a health check: new connections go round robin to API servers that answered
 * `/readyz` last; a failed dial marks its backend down and loses that client its connection. It never retries.
 */
export class Balancer {
  readonly backends: readonly Backend[];
  readonly #server: Server;
  readonly #address: string;
  readonly #checkMs: number;
  readonly #sockets = new Set<Socket>();
  readonly #stopping = new AbortController();
  #checks: Promise<unknown> = Promise.resolve();
  #turn = 0;

  constructor(
    address: string,
    backends: readonly { readonly node: string; readonly address: string }[],
    checkMs: number = CHECK_MS,
  ) {
    this.#address = address;
    this.#checkMs = checkMs;
    this.backends = backends.map((backend) => ({ ...backend, up: false, connections: 0, failedDials: 0, changes: [] }));
    this.#server = createServer((client) => this.#accept(client));
  }

  get url(): string {
    return `https://${urlHost(this.#address)}:${(this.#server.address() as AddressInfo).port}`;
  }

  async start(): Promise<void> {
    this.#server.listen({ host: this.#address, port: PORT });
    await once(this.#server, 'listening');
    this.#checks = Promise.all(this.backends.map((backend) => this.#watch(backend)));
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((done) => this.#server.close(done));
    await this.#checks;
  }

  /** The most API servers that were down at one moment since `since`. */
  mostDownAtOnce(since = 0): number {
    const events = this.backends
      .flatMap((backend) => backend.changes.map((change) => ({ ...change, backend })))
      .sort((a, b) => a.at - b.at);
    const up = new Map<Backend, boolean>();
    let worst = 0;
    for (const { at, backend, up: isUp } of events) {
      if (at >= since) worst = Math.max(worst, countDown(up));
      up.set(backend, isUp);
      if (at >= since) worst = Math.max(worst, countDown(up));
    }
    return Math.max(worst, countDown(up));
  }

  async #watch(backend: Backend): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      const ask = (): Promise<boolean> => answers(`https://${urlHost(backend.address)}:${PORT}/readyz`, signal);
      // Asked twice before it counts as down: when this process itself was held up, all answers are late at once.
      const up = (await ask()) || (await ask());
      if (!signal.aborted) mark(backend, up);
      await sleep(this.#checkMs, undefined, { signal }).catch(() => {});
    }
  }

  #accept(client: Socket): void {
    const backend = this.#choose();
    if (!backend) {
      client.destroy();
      return;
    }
    const upstream = connect({ host: backend.address, port: PORT });
    this.#keep(client);
    this.#keep(upstream);
    let connected = false;
    upstream.once('connect', () => {
      connected = true;
      backend.connections++;
    });
    upstream.once('error', () => {
      if (connected) return;
      backend.failedDials++;
      mark(backend, false);
    });
    client.pipe(upstream);
    upstream.pipe(client);
    client.once('close', () => upstream.destroy());
    upstream.once('close', () => client.destroy());
  }

  #choose(): Backend | undefined {
    const live = this.backends.filter((backend) => backend.up);
    const from = live.length > 0 ? live : this.backends;
    return from[this.#turn++ % from.length];
  }

  #keep(socket: Socket): void {
    socket.setNoDelay(true);
    this.#sockets.add(socket);
    socket.on('error', () => socket.destroy());
    socket.once('close', () => this.#sockets.delete(socket));
  }
}

function mark(backend: Backend, up: boolean): void {
  if (backend.changes.length > 0 && backend.up === up) return;
  backend.up = up;
  backend.changes.push({ at: Date.now(), up });
}

const countDown = (up: ReadonlyMap<Backend, boolean>): number => [...up.values()].filter((isUp) => !isUp).length;
