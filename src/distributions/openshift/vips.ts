import type { Finding } from '../../model/finding.ts';
import type { Json, JsonObject } from '../../model/object.ts';
import { familyOf } from '../../model/node-address.ts';
import type { Wanted } from '../../model/wanted.ts';
import { familyOfNetwork } from '../../net/cidr.ts';
import type { Family } from '../../net/family.ts';
import { INFRASTRUCTURE, type OpenShiftFacts, type PlatformAddresses } from './facts.ts';
import { patchCommand } from './patch.ts';

/**
 * The addresses of the API and of ingress on platforms where OpenShift keeps them itself. The cluster is dual-stack without a second one of each; which
 * addresses are free only its owner knows.
 */
export function checkAddresses(wanted: Wanted, { infrastructure }: OpenShiftFacts): readonly Finding[] {
  const addresses = infrastructure.known ? (infrastructure.value?.addresses ?? null) : null;
  const [primary, second] = wanted.families;
  if (addresses === null || primary === undefined || second === undefined) return [];
  const { live } = addresses;
  if (hasFamily(live.apiServerInternalIPs, second) && hasFamily(live.ingressIPs, second)) return [];
  return [
    {
      reason: 'Unmanaged',
      object: INFRASTRUCTURE,
      message: `The API and ingress answer on ${primary} alone (apiServerInternalIPs ${live.apiServerInternalIPs.join(', ')}, ingressIPs ${live.ingressIPs.join(', ')}).`,
      remedy: `If they shall answer on ${second} too, give them free addresses of the machine network once the nodes have ${second}, with your own in place of the words in capitals: ${patchCommand('infrastructure.config.openshift.io', patchFor(addresses, primary, second))}`,
      blocks: [],
    },
  ];
}

const hasFamily = (addresses: readonly string[], family: Family): boolean =>
  addresses.some((address) => familyOf(address) === family);

/** From 4.16 on the machine network of the first family must be named as well (OpenShift documentation: converting to a dual-stack cluster network). */
function patchFor(addresses: PlatformAddresses, primary: Family, second: Family): readonly JsonObject[] {
  const networks = addresses.machineNetworks ?? [];
  const missing = [primary, second]
    .filter((family) => !networks.some((text) => familyOfNetwork(text) === family))
    .map((family) => `${family.toUpperCase()}-MACHINE-NETWORK`);
  const path = (field: string): string => `/spec/platformSpec/${addresses.part}/${field}`;
  return [
    ...append(path('machineNetworks'), addresses.machineNetworks, [], missing),
    ...append(path('apiServerInternalIPs'), addresses.apiServerInternalIPs, addresses.live.apiServerInternalIPs, [
      `${second.toUpperCase()}-OF-THE-API`,
    ]),
    ...append(path('ingressIPs'), addresses.ingressIPs, addresses.live.ingressIPs, [
      `${second.toUpperCase()}-OF-INGRESS`,
    ]),
  ];
}

/** A list that is not there cannot be appended to: it is made, with what is in use. */
function append(
  path: string,
  asked: readonly string[] | null,
  live: readonly string[],
  values: readonly string[],
): readonly JsonObject[] {
  if (asked !== null && asked.length > 0)
    return values.map((value): JsonObject => ({ op: 'add', path: `${path}/-`, value }));
  const whole: Json = [...live, ...values];
  return values.length === 0 ? [] : [{ op: 'add', path, value: whole }];
}
