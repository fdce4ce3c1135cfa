import { UNUSABLE_NETWORKS } from '../net/special.ts';

/** One entry of `x-kubernetes-validations`. */
export interface CelRule {
  readonly rule: string;
  readonly message: string;
  readonly messageExpression?: string;
  readonly fieldPath?: string;
}

/**
 * Pieces of CEL for CIDRs. The API server evaluates every rule, also on texts that another rule refuses; so each piece is true or
 * harmless for a text that is no CIDR.
 */
export const PODS = 'self.?clusterNetwork.?pods.?cidrBlocks.orValue([])';
export const SERVICES = 'self.?clusterNetwork.?services.?cidrBlocks.orValue([])';

export const celFamily = (cidr: string): string => `(cidr(${cidr}).ip().family() == 4 ? 'IPv4' : 'IPv6')`;

export const celOverlap = (a: string, b: string): string =>
  `(cidr(${a}).containsIP(cidr(${b}).ip()) || cidr(${b}).containsIP(cidr(${a}).ip()))`;

/** `rule` for every CIDR of a list that is one. */
export const celEachCidr = (list: string, variable: string, rule: string): string =>
  `${list}.all(${variable}, !isCIDR(${variable}) || ${rule})`;

export const celList = (values: readonly string[]): string => `[${values.map((value) => `'${value}'`).join(', ')}]`;

export const CEL_UNUSABLE = celList(UNUSABLE_NETWORKS);
