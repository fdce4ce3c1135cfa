import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

/** A loopback port of this process whose other end is a Unix socket. */
export interface Door {
  readonly port: number;
  close(): Promise<void>;
}

export async function openDoor(unixSocket: string): Promise<Door> {
  const sockets = new Set<Socket>();
  const keep = (socket: Socket): void => {
    sockets.add(socket);
    socket.on('error', () => socket.destroy());
    socket.once('close', () => sockets.delete(socket));
  };
  const server = createServer((client) => {
    const inner = connect(unixSocket);
    keep(client);
    keep(inner);
    client.pipe(inner);
    inner.pipe(client);
    client.once('close', () => inner.destroy());
    inner.once('close', () => client.destroy());
  });
  server.listen({ host: '127.0.0.1', port: 0 });
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    close: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((done) => server.close(done));
    },
  };
}
