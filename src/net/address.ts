import { Address4, Address6 } from 'ip-address';
import { err, ok, type Result } from '../result.ts';
import type { Family } from './family.ts';
import { remembered } from './remembered.ts';

/** One IP address without zone and without prefix length. */
export interface Address {
  readonly family: Family;
  readonly value: bigint;
  /** Canonical spelling: dotted decimal, or RFC 5952. */
  readonly text: string;
}

/** Why a text is not an address or a CIDR that Kubernetes takes. The code is for programs, the message for people. */
export interface IPProblem {
  readonly code: 'Malformed' | 'Zone' | 'IPv4Mapped' | 'PrefixMissing' | 'PrefixMalformed' | 'PrefixTooLong';
  /** One sentence that quotes the text. */
  readonly message: string;
}

/** Bits of an address of that family. */
export const addressBits = (family: Family): 32 | 128 => (family === 'IPv4' ? 32 : 128);

/**
 * Reads an address as strictly as Kubernetes does for new fields: no leading zeros, no zone, no IPv4-mapped IPv6, no white space.
 * Upper case and long forms of IPv6 are read; `text` of the result is canonical.
 */
export const parseAddress: (text: string) => Result<Address, IPProblem> = remembered((text) => parse(text));

function parse(text: string): Result<Address, IPProblem> {
  if (text.includes('%')) return problem('Zone', `"${text}" has a zone: leave out "%" and what follows it`);
  // Both readers take a prefix length as well, which an address does not have.
  if (text.includes('/')) return problem('Malformed', `"${text}" is a CIDR where one address is wanted`);
  return text.includes(':') ? parseIPv6(text) : parseIPv4(text);
}

/** The address of that family with this value. The value must fit the family: anything else is a bug. */
export function addressOf(family: Family, value: bigint): Address {
  if (value < 0n || value >> BigInt(addressBits(family)) !== 0n)
    throw new RangeError(`${value} is no ${family} address`);
  const text = family === 'IPv4' ? Address4.fromBigInt(value).correctForm() : Address6.fromBigInt(value).correctForm();
  return { family, value, text };
}

function parseIPv4(text: string): Result<Address, IPProblem> {
  if (!Address4.isValid(text)) return problem('Malformed', `"${text}" is not an IP address`);
  const address = new Address4(text);
  return ok({ family: 'IPv4', value: address.bigInt(), text: address.correctForm() });
}

function parseIPv6(text: string): Result<Address, IPProblem> {
  if (!Address6.isValid(text)) return problem('Malformed', `"${text}" is not an IP address`);
  const address = new Address6(text);
  if (address.isMapped4()) {
    return problem('IPv4Mapped', `"${text}" is an IPv4-mapped IPv6 address: write it as plain IPv4`);
  }
  return ok({ family: 'IPv6', value: address.bigInt(), text: address.correctForm() });
}

const problem = (code: IPProblem['code'], message: string): Result<never, IPProblem> => err({ code, message });
