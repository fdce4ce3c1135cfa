import { parseAddress } from '../net/address.ts';
import { contains, parseCidr } from '../net/cidr.ts';
import type { Family } from '../net/family.ts';
import type { ServiceFacts } from './facts.ts';
import { familyOf } from './node-address.ts';
import { asArray, asString, at, type ObjectRef } from './object.ts';
import { type Known, known, type Reader, unknown } from './reader.ts';
import type { Handoff } from './step.ts';
import { unreachable } from '../result.ts';

/** What the addresses of Services come from, since 1.33 (Kubernetes: KEP-1880). */
const DEFAULT_SERVICE_CIDR: ObjectRef = { apiVersion: 'networking.k8s.io/v1', kind: 'ServiceCIDR', name: 'kubernetes' };

/** The networks of ServiceCIDR `kubernetes`, primary first. Known null: the server has no such object. */
export async function readServiceNetworks(reader: Reader): Promise<Known<readonly string[] | null>> {
  const read = await reader.get(DEFAULT_SERVICE_CIDR);
  switch (read.is) {
    case 'Found':
      return known(asArray(at(read.value, 'spec', 'cidrs')).flatMap((cidr) => asString(cidr) ?? []));
    case 'Missing':
      return known(null);
    case 'Unreadable':
      return unknown(read.why);
    default:
      return unreachable(read);
  }
}

/** Families of which Services have addresses, as an API server shows that has no ServiceCIDR objects. */
export const familiesInUse = (services: readonly ServiceFacts[]): readonly Family[] => [
  ...new Set(services.flatMap(({ clusterIPs }) => clusterIPs.flatMap((ip) => familyOf(ip) ?? []))),
];

/** A Service that has an address in the network, for people; null: none has. */
export function serviceIn(services: readonly ServiceFacts[], network: string): string | null {
  const cidr = parseCidr(network);
  if (!cidr.ok) return null;
  const found = services.find(({ clusterIPs }) =>
    clusterIPs.some((ip) => {
      const address = parseAddress(ip);
      return address.ok && contains(cidr.value, address.value);
    }),
  );
  return found === undefined ? null : `${found.namespace}/${found.name}`;
}

/**
 * How ServiceCIDR `kubernetes` comes back to fewer networks: it keeps all that it has when the API servers have one again, so it must be made anew; and it
 * cannot go while a Service has an address that no other ServiceCIDR holds. Every API server must have one network before.
 *
 * @param range The networks that stay, comma-separated.
 */
export const remakeServiceCIDR = (range: string): Pick<Handoff, 'command' | 'watches' | 'snippets'> => ({
  command:
    'when every API server runs with its new range: kubectl create -f keeper.yaml && kubectl delete servicecidr kubernetes; when kubectl get servicecidr kubernetes shows it again: kubectl delete servicecidr dualstack-keeper',
  watches: `ServiceCIDR kubernetes with ${range} alone`,
  snippets: [
    {
      file: 'keeper.yaml',
      text: `apiVersion: networking.k8s.io/v1\nkind: ServiceCIDR\nmetadata:\n  name: dualstack-keeper\nspec:\n  cidrs: ${JSON.stringify(range.split(','))}\n`,
    },
  ],
});
