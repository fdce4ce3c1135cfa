import { type Address, parseAddress } from './address.ts';
import { type Cidr, contains, overlaps, parseCidr } from './cidr.ts';
import { remembered } from './remembered.ts';

/** What an address is for, as far as cluster networks and node addresses are concerned. */
export type AddressClass =
  | 'Unspecified'
  | 'Loopback'
  | 'LinkLocal'
  | 'Multicast'
  | 'UniqueLocal'
  | 'Private'
  | 'Global';

interface SpecialNetwork {
  readonly class: AddressClass;
  readonly network: Cidr;
}

/** The special-purpose networks (IANA registries) that matter here. 240.0.0.0/4 is not among them: some clusters do use it for pods. */
const SPECIAL: readonly SpecialNetwork[] = [
  special('Unspecified', '0.0.0.0/8'),
  special('Loopback', '127.0.0.0/8'),
  special('LinkLocal', '169.254.0.0/16'),
  special('Multicast', '224.0.0.0/4'),
  special('Unspecified', '::/128'),
  special('Loopback', '::1/128'),
  special('LinkLocal', 'fe80::/10'),
  special('Multicast', 'ff00::/8'),
  special('Private', '10.0.0.0/8'),
  special('Private', '172.16.0.0/12'),
  special('Private', '192.168.0.0/16'),
  special('UniqueLocal', 'fc00::/7'),
];

/**
 * Networks whose addresses no pod, Service or node may have. `::/8` is reserved by RFC 4291 and holds the unspecified and the loopback
 * address, IPv4-mapped addresses and the NAT64 prefix.
 */
export const UNUSABLE_NETWORKS: readonly string[] = [
  '0.0.0.0/8',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '224.0.0.0/4',
  '::/8',
  'fe80::/10',
  'ff00::/8',
];

const UNUSABLE: readonly Cidr[] = UNUSABLE_NETWORKS.map(literal);

export const classOf = ({ text }: Address): AddressClass => classOfText(text);

const classOfText = remembered((text): AddressClass => {
  const address = parseAddress(text);
  return (address.ok ? SPECIAL.find(({ network }) => contains(network, address.value)) : undefined)?.class ?? 'Global';
});

/** The network of `UNUSABLE_NETWORKS` that the given one touches, or null. */
export const unusablePart = (cidr: Cidr): string | null =>
  UNUSABLE.find((network) => overlaps(network, cidr))?.text ?? null;

/** True for addresses that other hosts can reach: what a node's InternalIP must be. */
export function isRoutable(address: Address): boolean {
  const kind = classOf(address);
  return kind === 'Global' || kind === 'Private' || kind === 'UniqueLocal';
}

function special(kind: AddressClass, text: string): SpecialNetwork {
  return { class: kind, network: literal(text) };
}

/** A network written in this file. */
function literal(text: string): Cidr {
  const cidr = parseCidr(text);
  if (!cidr.ok) throw new Error(cidr.error.message);
  return cidr.value;
}
