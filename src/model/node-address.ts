import { parseAddress } from '../net/address.ts';
import { bestAddress, fitnessOf } from '../net/choose.ts';
import { type Family, isOfFamily } from '../net/family.ts';
import type { NodeFacts } from './facts.ts';
import type { HostAddress, HostReport } from './host.ts';

export const familyOf = (address: string): Family | null => {
  const parsed = parseAddress(address);
  return parsed.ok ? parsed.value.family : null;
};

export const addressOfFamily = (addresses: readonly string[], family: Family): string | undefined =>
  addresses.find((address) => isOfFamily(address, family) && familyOf(address) === family);

/**
 * The address of a family that a node shall have. What it has is kept, then what was asked of it before; otherwise the best that its host has
 * and keeps. Null: its host has none that may be written down.
 */
export function chooseAddress(node: NodeFacts, family: Family): string | null {
  const live = addressOfFamily(node.internalIPs, family);
  if (live !== undefined) return live;
  const report = node.agent?.report;
  if (!report) return null;
  const asked = addressOfFamily(node.agent?.spec.kubelet?.nodeIPs ?? [], family);
  const held = report.addresses.find(({ address }) => address === asked);
  if (held !== undefined && isLasting(held)) return held.address;
  return bestOf(node, report, family, asked)?.address ?? null;
}

/** The best address of a family that a host has and keeps, whatever its Node shows; null: none, or nobody looks at it. */
export function bestOnHost(node: NodeFacts, family: Family): HostAddress | null {
  const report = node.agent?.report;
  if (report == null) return null;
  const asked = addressOfFamily(node.agent?.spec.kubelet?.nodeIPs ?? [], family);
  return bestOf(node, report, family, asked ?? addressOfFamily(node.internalIPs, family));
}

export const isOnHost = ({ agent }: NodeFacts, ip: string): boolean =>
  agent?.report?.addresses.some(({ address }) => address === ip) ?? false;

/** An agent tells so many addresses at most: beyond that, one that is not among them may be there. */
const ALL_TOLD = 100;

/** The address of a family that the Node shows and its host no longer has; null: there is none, or it cannot be told. */
export function goneAddress(node: NodeFacts, family: Family): string | null {
  const addresses = node.agent?.report?.addresses;
  if (addresses === undefined || addresses.length >= ALL_TOLD) return null;
  return node.internalIPs.find((ip) => isOfFamily(ip, family) && !isOnHost(node, ip)) ?? null;
}

/** It may be written down: it does not go away by itself. */
export function isLasting(address: HostAddress): boolean {
  const fitness = fitnessOf(address);
  return fitness === 'Lasting' || fitness === 'Virtual';
}

function bestOf(node: NodeFacts, report: HostReport, family: Family, near: string | undefined): HostAddress | null {
  const [primary] = node.internalIPs;
  const main = report.addresses.find(({ address }) => address === primary)?.interface;
  const route = report.network.defaultRoutes[family]?.interface;
  const interfaces = [main, route].flatMap((name) => name ?? []);
  const candidates = report.addresses.filter((each) => isOfFamily(each.address, family) && isLasting(each));
  return bestAddress(candidates, family, {
    interfaces,
    ...(near === undefined ? {} : { near }),
  });
}
