import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';

/**
 * Nodes have documentation addresses, which need not exist: kubeadm refuses loopback ones. What really listens is
 * one loopback address per node, in a /24 of the cluster's own, so that every port stays the usual one.
 */
export interface NodeAddresses {
  readonly name: string;
  readonly role: 'control-plane' | 'worker';
  readonly IPv4: string;
  readonly IPv6: string;
  readonly loopback: string;
}

const BALANCER = 254;
const FIRST_WORKER = 11;
const MAX_WORKERS = BALANCER - FIRST_WORKER;

export interface Network {
  /** First three octets, for example `127.31.7`. */
  readonly prefix: string;
  readonly balancer: string;
  /** The documentation address that the balancer stands for. */
  readonly virtual: { readonly IPv4: string; readonly IPv6: string };
  readonly nodes: readonly NodeAddresses[];
  /** The loopback address behind a documentation address; any other text comes back unchanged. */
  readonly map: (host: string) => string;
}

export async function chooseNetwork(controlPlanes: number, workers: number): Promise<Network> {
  if (workers > MAX_WORKERS)
    throw new Error(`workers: ${workers} is more than ${MAX_WORKERS}, which one loopback /24 has room for`);
  return network(await freePrefix(controlPlanes), controlPlanes, workers);
}

export function network(prefix: string, controlPlanes: number, workers: number): Network {
  const node = (role: NodeAddresses['role'], name: string, last: number): NodeAddresses => ({
    name,
    role,
    IPv4: `192.0.2.${last}`,
    IPv6: `2001:db8::${last}`,
    loopback: `${prefix}.${last}`,
  });
  const nodes = [
    ...Array.from({ length: controlPlanes }, (_, i) => node('control-plane', `cp-${i + 1}`, i + 1)),
    ...Array.from({ length: workers }, (_, i) => node('worker', `worker-${i + 1}`, FIRST_WORKER + i)),
  ];
  const balancer = `${prefix}.${BALANCER}`;
  const virtual = { IPv4: `192.0.2.${BALANCER}`, IPv6: `2001:db8::${BALANCER}` };
  const table = new Map(nodes.flatMap((n) => [n.IPv4, n.IPv6].map((address) => [address, n.loopback] as const)));
  for (const address of [virtual.IPv4, virtual.IPv6]) table.set(address, balancer);
  return { prefix, balancer, virtual, nodes, map: (host) => table.get(host.replace(/^\[(.*)\]$/, '$1')) ?? host };
}

async function freePrefix(controlPlanes: number): Promise<string> {
  for (let attempt = 0; attempt < 50; attempt++) {
    const prefix = `127.${randomInt(2, 250)}.${randomInt(1, 255)}`;
    const wanted = [BALANCER, ...Array.from({ length: controlPlanes }, (_, i) => i + 1)];
    const free = await Promise.all(
      wanted.flatMap((last) => [6443, 2379].map((port) => isFree(`${prefix}.${last}`, port))),
    );
    if (free.every(Boolean)) return prefix;
  }
  throw new Error('no free loopback range found in 50 tries: stop other test clusters on this machine');
}

function isFree(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once('error', () => resolve(false));
    probe.listen({ host, port }, () => probe.close(() => resolve(true)));
  });
}
