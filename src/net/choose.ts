import { type Address, parseAddress } from './address.ts';
import { shareNetwork } from './cidr.ts';
import type { Family } from './family.ts';
import { isVirtual } from './interfaces.ts';
import { classOf, isRoutable } from './special.ts';

/** An address as a host shows it. */
export interface Candidate {
  readonly address: string;
  readonly prefixLength: number;
  readonly interface: string;
  /** As the kernel names them: tentative, dadfailed, deprecated, temporary, permanent. */
  readonly flags: readonly string[];
}

/** What decides between addresses that are equally good. */
export interface Leaning {
  /** Interfaces, the best first: the one with the node's present address, then that of the default route. */
  readonly interfaces: readonly string[];
  /** An address near which the chosen one should lie: the one that the node had before. */
  readonly near?: string;
}

/**
 * How well an address serves as that of a node, the best first.
 * - `Lasting`: it stays.
 * - `Temporary`: a privacy address (RFC 8981), gone within days.
 * - `Deprecated`: its preferred lifetime is over; it goes next.
 * - `Virtual`: a permanent one without a network of its own: usually a virtual IP that moves between hosts, so that two nodes would claim it.
 */
export const FITNESS = ['Lasting', 'Temporary', 'Deprecated', 'Virtual'] as const;
export type Fitness = (typeof FITNESS)[number];

/** Null: no node can have it: link-local, unspecified or loopback, of a container network, not usable yet or a duplicate. */
export function fitnessOf({ address, prefixLength, interface: device, flags }: Candidate): Fitness | null {
  const parsed = parseAddress(address);
  if (!parsed.ok || !isRoutable(parsed.value) || isVirtual(device)) return null;
  if (flags.includes('tentative') || flags.includes('dadfailed')) return null;
  if (flags.includes('temporary')) return 'Temporary';
  if (flags.includes('deprecated')) return 'Deprecated';
  // A leased one (DHCPv6) has no network either, and stays with its host.
  const alone = prefixLength === (parsed.value.family === 'IPv4' ? 32 : 128);
  return alone && flags.includes('permanent') ? 'Virtual' : 'Lasting';
}

/**
 * The best of the addresses of one family, or null when none will do. The order in which they are given does not matter: every pass
 * chooses the same.
 */
export function bestAddress<T extends Candidate>(candidates: readonly T[], family: Family, leaning: Leaning): T | null {
  let best: Ranked<T> | null = null;
  for (const candidate of candidates) {
    const ranked = rank(candidate, family, leaning);
    if (ranked !== null && (best === null || compare(ranked, best) < 0)) best = ranked;
  }
  return best?.candidate ?? null;
}

interface Ranked<T> {
  readonly candidate: T;
  /** Smaller is better, part by part. */
  readonly keys: readonly number[];
  readonly value: bigint;
}

function rank<T extends Candidate>(candidate: T, family: Family, { interfaces, near }: Leaning): Ranked<T> | null {
  const parsed = parseAddress(candidate.address);
  if (!parsed.ok || parsed.value.family !== family) return null;
  const fitness = fitnessOf(candidate);
  if (fitness === null) return null;
  const place = interfaces.indexOf(candidate.interface);
  return {
    candidate,
    keys: [
      FITNESS.indexOf(fitness),
      place === -1 ? interfaces.length : place,
      Number(near === undefined || !isNear(parsed.value, candidate.prefixLength, near)),
      Number(!candidate.flags.includes('permanent')),
      Number(classOf(parsed.value) === 'UniqueLocal'),
    ],
    value: parsed.value.value,
  };
}

function isNear(address: Address, prefixLength: number, near: string): boolean {
  const parsed = parseAddress(near);
  return parsed.ok && shareNetwork(address, parsed.value, prefixLength);
}

function compare(a: Ranked<unknown>, b: Ranked<unknown>): number {
  for (const [index, key] of a.keys.entries()) {
    const other = b.keys[index] ?? 0;
    if (key !== other) return key - other;
  }
  return a.value < b.value ? -1 : a.value > b.value ? 1 : 0;
}
