import type { HostFiles } from './files.ts';

/** One TCP connection as `/proc/net/tcp` and `tcp6` show it. */
export interface TcpSocket {
  /** Both ends, as the kernel writes them: names the connection. */
  readonly key: string;
  readonly localPort: number;
  readonly listens: boolean;
  /** Bytes that the other side has not acknowledged yet. */
  readonly unsent: number;
  /** Bytes that the program has not read yet. */
  readonly unread: number;
}

const LISTEN = 0x0a;

/** TCP sockets of the network namespace that a process is in; null: they cannot be read. */
export function readSockets(files: HostFiles, pid: number): readonly TcpSocket[] | null {
  const tables = ['tcp', 'tcp6'].flatMap((name) => files.read(`/proc/${pid}/net/${name}`) ?? []);
  return tables.length === 0 ? null : tables.flatMap(parseSockets);
}

export function parseSockets(table: string): readonly TcpSocket[] {
  return table
    .split('\n')
    .slice(1)
    .map((line) => line.trim().split(/\s+/))
    .filter((fields) => fields.length >= 5)
    .map(([, local = '', remote = '', state = '', queues = '']) => {
      const [unsent = '', unread = ''] = queues.split(':');
      return {
        key: `${local} ${remote}`,
        localPort: Number.parseInt(local.split(':').at(-1) ?? '', 16),
        listens: Number.parseInt(state, 16) === LISTEN,
        unsent: Number.parseInt(unsent, 16),
        unread: Number.parseInt(unread, 16),
      };
    });
}
