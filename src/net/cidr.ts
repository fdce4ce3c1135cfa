import { err, ok, type Result } from '../result.ts';
import { type Address, addressBits, addressOf, type IPProblem, parseAddress } from './address.ts';
import type { Family } from './family.ts';
import { remembered } from './remembered.ts';

/** A network: all addresses that share the first `prefix` bits. */
export interface Cidr {
  readonly family: Family;
  readonly prefix: number;
  readonly first: bigint;
  readonly last: bigint;
  /** Canonical: host bits zero, address in its canonical spelling. */
  readonly text: string;
}

/**
 * Reads a CIDR. The address part follows `parseAddress`; the prefix length is plain decimal without leading zeros. Host bits may be
 * set and are cleared in the result: who wants only canonical text compares it with the `text` of that.
 */
export const parseCidr: (text: string) => Result<Cidr, IPProblem> = remembered((text) => parse(text));

function parse(text: string): Result<Cidr, IPProblem> {
  const slash = text.indexOf('/');
  if (slash < 0) {
    return err({ code: 'PrefixMissing', message: `"${text}" has no prefix length: write it like 10.96.0.0/16` });
  }
  const address = parseAddress(text.slice(0, slash));
  if (!address.ok) return address;
  const prefixText = text.slice(slash + 1);
  if (!/^(0|[1-9][0-9]{0,2})$/.test(prefixText)) {
    return err({ code: 'PrefixMalformed', message: `"${text}" has a malformed prefix length "${prefixText}"` });
  }
  const prefix = Number(prefixText);
  const bits = addressBits(address.value.family);
  if (prefix > bits) {
    return err({ code: 'PrefixTooLong', message: `"${text}" has a prefix length beyond /${bits}` });
  }
  return ok(networkOf(address.value, prefix));
}

/** The network of that prefix length that holds the address. */
export function networkOf(address: Address, prefix: number): Cidr {
  const { family } = address;
  const hostBits = BigInt(addressBits(family) - prefix);
  const first = (address.value >> hostBits) << hostBits;
  const last = first + (1n << hostBits) - 1n;
  return { family, prefix, first, last, text: `${addressOf(family, first).text}/${prefix}` };
}

/** Null: it cannot be read. */
export function familyOfNetwork(text: string): Family | null {
  const cidr = parseCidr(text);
  return cidr.ok ? cidr.value.family : null;
}

/** True for two spellings of one network; false also where one is none. */
export function sameNetwork(a: string, b: string): boolean {
  const [left, right] = [parseCidr(a), parseCidr(b)];
  return left.ok && right.ok && left.value.text === right.value.text;
}

/** True when the two share at least one address. */
export const overlaps = (a: Cidr, b: Cidr): boolean => a.family === b.family && a.first <= b.last && b.first <= a.last;

/** True when every address of `inner` lies in `outer`. */
export const contains = (outer: Cidr, inner: Cidr | Address): boolean =>
  outer.family === inner.family &&
  ('value' in inner
    ? outer.first <= inner.value && inner.value <= outer.last
    : outer.first <= inner.first && inner.last <= outer.last);

/** True when a network of that prefix length holds both. */
export function shareNetwork(a: Address, b: Address, prefix: number): boolean {
  const hostBits = BigInt(addressBits(a.family) - prefix);
  return a.family === b.family && a.value >> hostBits === b.value >> hostBits;
}

/** How many addresses it has, network and broadcast address included. */
export const addressCount = (cidr: Cidr): bigint => cidr.last - cidr.first + 1n;

/** How many networks of that prefix length fit; 0 when the mask is shorter than the network's own or no prefix of its family. */
export function subnetCount(cidr: Cidr, mask: number): bigint {
  if (mask < cidr.prefix || mask > addressBits(cidr.family)) return 0n;
  return 1n << BigInt(mask - cidr.prefix);
}

/** The n-th address, counted from 0; null when it has fewer. */
export function nthAddress(cidr: Cidr, n: bigint): Address | null {
  return n >= 0n && n < addressCount(cidr) ? addressOf(cidr.family, cidr.first + n) : null;
}
