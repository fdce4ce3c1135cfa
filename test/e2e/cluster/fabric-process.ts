// Runs in the fabric's network namespace: makes the bridge, plays the API's balancer, and lets the test process in through
// a Unix socket, since those are not bound to a network namespace.
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { Balancer } from '../../cluster/balancer.ts';
import type { FabricAnswer, FabricRequest, FabricSetup } from './fabric.ts';
import type { Family, Network } from './options.ts';
import { run } from './run.ts';

const API_PORT = 6443;
/** As often as balancers look that people run: the processors here are few. */
const CHECK_MS = 1000;
const BRIDGE = 'br0';

const setup = JSON.parse(process.argv[2] ?? '') as FabricSetup;
await makeBridge(setup.network);
let balancer = await startBalancer();
const door = createServer((client) => letIn(client));
door.listen(setup.socket);
await once(door, 'listening');
process.on('message', (request: FabricRequest) => void answer(request));
process.on('disconnect', () => process.exit(0));
tell({ id: 0, backends: balancer.backends });

async function makeBridge(network: Network): Promise<void> {
  const families: readonly Family[] = ['IPv4', 'IPv6'];
  const addresses = families.flatMap((family) =>
    [network.gateway[family], network.balancer[family]].map(
      (address) =>
        `addr add ${address}/${network.prefixLength[family]} dev ${BRIDGE}${family === 'IPv6' ? ' nodad' : ''}`,
    ),
  );
  const commands = [
    'link set lo up',
    `link add ${BRIDGE} type bridge forward_delay 0`,
    ...addresses,
    `link set ${BRIDGE} up`,
  ];
  await run(['ip', '-batch', '-'], { input: `${commands.join('\n')}\n` });
  // A switch does not filter what it passes on.
  for (const name of ['iptables', 'ip6tables']) writeFileSync(`/proc/sys/net/bridge/bridge-nf-call-${name}`, '0');
}

async function startBalancer(): Promise<Balancer> {
  const { network, primary } = setup;
  const servers = network.nodes.filter((node) => node.role === 'control-plane');
  const started = new Balancer(
    network.balancer[primary],
    servers.map((node) => ({ node: node.name, address: node[primary] })),
    CHECK_MS,
  );
  await started.start();
  return started;
}

/** Straight to an API server that answers, whatever becomes of the balancer. */
function letIn(client: Socket): void {
  client.on('error', () => client.destroy());
  const candidates = [...balancer.backends].sort((a, b) => Number(b.up) - Number(a.up));
  const next = (): void => {
    const backend = candidates.shift();
    if (backend === undefined || client.destroyed) return void client.destroy();
    const upstream = connect({ host: backend.address, port: API_PORT });
    upstream.once('error', next);
    upstream.once('connect', () => {
      upstream.off('error', next);
      upstream.on('error', () => upstream.destroy());
      client.pipe(upstream);
      upstream.pipe(client);
      client.once('close', () => upstream.destroy());
      upstream.once('close', () => client.destroy());
    });
  };
  next();
}

async function answer({ id, action }: FabricRequest): Promise<void> {
  switch (action) {
    case 'cut':
      await balancer.stop();
      break;
    case 'restore':
      balancer = await startBalancer();
      break;
    case 'look':
      break;
  }
  tell({ id, backends: balancer.backends });
}

function tell(message: FabricAnswer): void {
  process.send?.(message);
}
