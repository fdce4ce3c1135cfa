import { parseAddress } from '../net/address.ts';
import { contains, parseCidr } from '../net/cidr.ts';
import type { Family } from '../net/family.ts';
import type { ServiceFacts } from './facts.ts';
import { familyOf } from './node-address.ts';
import { asStrings, at, type KubeObject, type ObjectRef } from './object.ts';
import type { Permission } from './plugin.ts';
import { ifThere, type Known, type Reader } from './reader.ts';
import type { Handoff } from './step.ts';

/** What the addresses of Services come from, since 1.33 (Kubernetes: KEP-1880). */
export const DEFAULT_SERVICE_CIDR: ObjectRef = {
  apiVersion: 'networking.k8s.io/v1',
  kind: 'ServiceCIDR',
  name: 'kubernetes',
};

export const SEE_SERVICE_NETWORKS: Permission = {
  why: 'see which Service networks there are',
  apiGroups: ['networking.k8s.io'],
  resources: ['servicecidrs'],
  resourceNames: [DEFAULT_SERVICE_CIDR.name],
  verbs: ['get'],
};

/** The networks of ServiceCIDR `kubernetes`, primary first. Known null: the server has no such object. */
export const readServiceNetworks = async (reader: Reader): Promise<Known<readonly string[] | null>> =>
  ifThere(await reader.get(DEFAULT_SERVICE_CIDR), networksOfServiceCIDR);

/** In its order: those of ServiceCIDR `kubernetes` have the primary one first. */
export const networksOfServiceCIDR = (object: KubeObject): readonly string[] => asStrings(at(object, 'spec', 'cidrs'));

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
