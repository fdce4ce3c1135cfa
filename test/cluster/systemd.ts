import { once } from 'node:events';
import { mkdir } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { dirname, join } from 'node:path';
import {
  ERROR,
  type Incoming,
  METHOD_CALL,
  METHOD_RETURN,
  NO_REPLY_EXPECTED,
  readMessage,
  SIGNAL,
  type Value,
  writeMessage,
} from './dbuswire.ts';

export const SOCKET = 'run/dbus/system_bus_socket';
const GUID = '0123456789abcdef0123456789abcdef';
const OWNER = ':1.1';
const MANAGER = 'org.freedesktop.systemd1.Manager';
const ROOT_PATH = '/org/freedesktop/systemd1';
const UNIT_PATH = `${ROOT_PATH}/unit/kubelet_2eservice`;
/** Linux refuses longer socket paths. */
const MAX_SOCKET_PATH = 107;

/** What a played systemd manages by itself: the kubelet. */
export interface KubeletUnit {
  restart: () => Promise<void>;
  activeState: () => 'active' | 'activating' | 'failed' | 'inactive';
}

/** Plays the system bus of one host with systemd on it, just enough to restart a unit and ask how the kubelet is. */
export class Systemd {
  readonly #unit: KubeletUnit;
  #server: Server | undefined;
  readonly #sockets = new Set<Socket>();
  /** What else can be restarted, by unit. */
  readonly others = new Map<string, () => Promise<void>>();
  /** Every call, as `member(arguments)`, oldest first. */
  readonly calls: string[] = [];
  #jobs = 0;

  constructor(unit: KubeletUnit) {
    this.#unit = unit;
  }

  async start(hostRoot: string): Promise<void> {
    const path = join(hostRoot, SOCKET);
    if (Buffer.byteLength(path) > MAX_SOCKET_PATH)
      throw new Error(`${path}: a socket's path may have ${MAX_SOCKET_PATH} bytes: set TMPDIR to a shorter folder`);
    await mkdir(dirname(path), { recursive: true });
    const server = createServer((socket) => this.#serve(socket));
    server.listen(path);
    await once(server, 'listening');
    this.#server = server;
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    const server = this.#server;
    this.#server = undefined;
    if (server) await new Promise((done) => server.close(done));
  }

  #serve(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on('error', () => socket.destroy());
    socket.once('close', () => this.#sockets.delete(socket));
    const connection = new Connection(socket, (message) => this.#handle(message, connection));
  }

  #handle(message: Incoming, connection: Connection): void {
    if (message.type !== METHOD_CALL) return;
    const { interface: owner, member, args } = message;
    this.calls.push(`${member}(${args.join(', ')})`);
    switch (member) {
      case 'Hello':
        return connection.reply(message, [{ type: 's', value: ':1.42' }]);
      case 'GetNameOwner':
        return connection.reply(message, [{ type: 's', value: OWNER }]);
      case 'NameHasOwner':
      case 'AddMatch':
      case 'RemoveMatch':
      case 'Subscribe':
      case 'Reload':
      case 'Unsubscribe':
      case 'ResetFailedUnit':
      case 'Ping':
        return connection.reply(message, []);
      case 'Introspect':
        return connection.reply(message, [{ type: 's', value: INTROSPECTION }]);
      case 'RestartUnit':
      case 'TryRestartUnit':
      case 'ReloadOrRestartUnit':
        return this.#restart(message, connection);
      case 'GetUnit':
      case 'LoadUnit':
        return args[0] === 'kubelet.service'
          ? connection.reply(message, [{ type: 'o', value: UNIT_PATH }])
          : connection.fail(message, ...noSuchUnit(args[0]));
      case 'Get':
        return connection.reply(message, [
          { type: 'v', value: { type: 's', value: this.#properties()[args[1] ?? ''] ?? '' } },
        ]);
      case 'GetAll':
        return connection.reply(message, [{ type: 'a{sv}', value: this.#properties() }]);
      default:
        return connection.fail(message, 'org.freedesktop.DBus.Error.UnknownMethod', `${owner}.${member} is not played`);
    }
  }

  /** As systemd does: the job's path is the answer at once, its end comes as a signal. */
  #restart(message: Incoming, connection: Connection): void {
    const unit = String(message.args[0]);
    const restart = unit === 'kubelet.service' ? () => this.#unit.restart() : this.others.get(unit);
    if (restart === undefined) return connection.fail(message, ...noSuchUnit(unit));
    const id = ++this.#jobs;
    const job = `${ROOT_PATH}/job/${id}`;
    connection.reply(message, [{ type: 'o', value: job }]);
    void restart().then(() =>
      connection.signal(ROOT_PATH, MANAGER, 'JobRemoved', [
        { type: 'u', value: id },
        { type: 'o', value: job },
        { type: 's', value: unit },
        { type: 's', value: 'done' },
      ]),
    );
  }

  #properties(): Record<string, string> {
    const state = this.#unit.activeState();
    const sub = { active: 'running', activating: 'auto-restart', failed: 'failed', inactive: 'dead' }[state];
    return { Id: 'kubelet.service', LoadState: 'loaded', ActiveState: state, SubState: sub };
  }
}

function noSuchUnit(unit: string | undefined): [string, string] {
  return ['org.freedesktop.systemd1.NoSuchUnit', `Unit ${unit ?? ''} not loaded.`];
}

/** One client: the authentication by lines, then messages. */
class Connection {
  readonly #socket: Socket;
  readonly #onMessage: (message: Incoming) => void;
  #buffer = Buffer.alloc(0);
  #begun = false;
  #serial = 0;

  constructor(socket: Socket, onMessage: (message: Incoming) => void) {
    this.#socket = socket;
    this.#onMessage = onMessage;
    socket.on('data', (chunk) => {
      this.#buffer = Buffer.concat([this.#buffer, typeof chunk === 'string' ? Buffer.from(chunk) : chunk]);
      if (!this.#begun) this.#authenticate();
      if (this.#begun) this.#read();
    });
  }

  reply(to: Incoming, body: readonly Value[]): void {
    if ((to.flags & NO_REPLY_EXPECTED) === 0) this.#send({ type: METHOD_RETURN, replyTo: to.serial, body });
  }

  fail(to: Incoming, errorName: string, text: string): void {
    this.#send({ type: ERROR, replyTo: to.serial, errorName, body: [{ type: 's', value: text }] });
  }

  signal(path: string, owner: string, member: string, body: readonly Value[]): void {
    this.#send({ type: SIGNAL, path, interface: owner, member, body });
  }

  #send(message: Omit<Parameters<typeof writeMessage>[0], 'serial' | 'sender'>): void {
    if (this.#socket.destroyed) return;
    this.#socket.write(writeMessage({ ...message, serial: ++this.#serial, sender: OWNER }));
  }

  #authenticate(): void {
    for (let end = this.#buffer.indexOf('\r\n'); end >= 0 && !this.#begun; end = this.#buffer.indexOf('\r\n')) {
      const line = this.#buffer.toString('latin1', 0, end).replace(/^\0/, '');
      this.#buffer = this.#buffer.subarray(end + 2);
      if (line === 'BEGIN') this.#begun = true;
      else this.#socket.write(answerTo(line));
    }
  }

  #read(): void {
    for (let next = readMessage(this.#buffer); next; next = readMessage(this.#buffer)) {
      this.#buffer = this.#buffer.subarray(next.size);
      this.#onMessage(next.message);
    }
  }
}

function answerTo(line: string): string {
  if (line.startsWith('AUTH EXTERNAL')) return `OK ${GUID}\r\n`;
  return line.startsWith('AUTH') ? 'REJECTED EXTERNAL\r\n' : 'ERROR\r\n';
}

const method = (name: string, takes: readonly string[], gives: readonly string[]): string =>
  `<method name="${name}">${takes.map((type) => `<arg type="${type}" direction="in"/>`).join('')}${gives.map((type) => `<arg type="${type}" direction="out"/>`).join('')}</method>`;

const INTROSPECTION = `<node>
<interface name="${MANAGER}">${method('RestartUnit', ['s', 's'], ['o'])}${method('GetUnit', ['s'], ['o'])}${method('LoadUnit', ['s'], ['o'])}${method('Subscribe', [], [])}
<signal name="JobRemoved"><arg type="u"/><arg type="o"/><arg type="s"/><arg type="s"/></signal></interface>
<interface name="org.freedesktop.systemd1.Unit"><property name="ActiveState" type="s" access="read"/><property name="SubState" type="s" access="read"/></interface>
<interface name="org.freedesktop.DBus.Properties">${method('Get', ['s', 's'], ['v'])}${method('GetAll', ['s'], ['a{sv}'])}</interface>
</node>`;
