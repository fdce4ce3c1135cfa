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
 * harmless for a text that is no CIDR. Fields are reached by `has` and plain selection: by optional selection the server loses
 * sight of their size limits, and refuses the rule as too costly.
 */
export const celFamily = (cidr: string): string => `(cidr(${cidr}).ip().family() == 4 ? 'IPv4' : 'IPv6')`;

export const celOverlap = (a: string, b: string): string =>
  `(cidr(${a}).containsIP(cidr(${b}).ip()) || cidr(${b}).containsIP(cidr(${a}).ip()))`;

export const celBlocks = (network: string, spec = 'self'): string => `${spec}.clusterNetwork.${network}.cidrBlocks`;

/** `rule`, where that network is given. */
export const celWhereGiven = (network: string, rule: string, spec = 'self'): string =>
  `(!has(${spec}.clusterNetwork) || !has(${spec}.clusterNetwork.${network}) || ${rule})`;

/** `rule` for every CIDR of a network that is one. */
export const celEachCidr = (network: string, variable: string, rule: string, spec = 'self'): string =>
  celWhereGiven(network, `${celBlocks(network, spec)}.all(${variable}, !isCIDR(${variable}) || ${rule})`, spec);

export const celList = (values: readonly string[]): string => `[${values.map((value) => `'${value}'`).join(', ')}]`;

export const CEL_UNUSABLE = celList(UNUSABLE_NETWORKS);

/** `"value": message`, where `value` is CEL for a text: a server shows no value beside a message on a field below `self`. */
export const celMessage = (value: string, message: string): string =>
  `'"' + ${value} + '": ${message.replaceAll("'", String.raw`\\'`)}'`;
