import type { NodeFacts } from '../../model/facts.ts';
import type { HostAddress, HostReport } from '../../model/host.ts';
import { parseAddress } from '../../net/address.ts';
import type { Family } from '../../net/family.ts';

/** Flags that make an address unfit to be written down: it goes away again, or is not usable yet. */
const PASSING_FLAGS = ['temporary', 'deprecated', 'tentative', 'dadfailed'];

/** Interfaces that container networks, tunnels and virtual IPs live on. Their addresses are not the host's own. */
const VIRTUAL_INTERFACE =
  /^(lo|docker|br-|cni|cali|tunl|vxlan|flannel|cilium|lxc|veth|kube-|nodelocaldns|dummy|wg|virbr|podman)/;

export const familyOf = (address: string): Family | null => {
  const parsed = parseAddress(address);
  return parsed.ok ? parsed.value.family : null;
};

export const addressOfFamily = (addresses: readonly string[], family: Family): string | undefined =>
  addresses.find((address) => familyOf(address) === family);

/**
 * The address of a family that a node shall have. What it has is kept, then what was asked of it before; otherwise the steadiest address of the
 * interface that carries its other family or the default route. Null: its host has none that may be written down.
 */
export function chooseAddress(node: NodeFacts, family: Family): string | null {
  const live = addressOfFamily(node.internalIPs, family);
  if (live !== undefined) return live;
  const report = node.agent?.report;
  if (!report) return null;
  const usable = report.addresses.filter((address) => familyOf(address.address) === family && isUsable(address));
  const asked = addressOfFamily(node.agent?.spec.kubelet?.nodeIPs ?? [], family);
  if (asked !== undefined && usable.some((address) => address.address === asked)) return asked;
  const [best] = usable.toSorted((a, b) => compare(rank(a, node, report, family), rank(b, node, report, family)));
  return best?.address ?? null;
}

const isUsable = (address: HostAddress): boolean =>
  (address.scope === 'Global' || address.scope === 'UniqueLocal') &&
  !address.flags.some((flag) => PASSING_FLAGS.includes(flag)) &&
  !VIRTUAL_INTERFACE.test(address.interface);

/** Smaller is better, part by part. The text comes last, so that every pass chooses the same. */
function rank(address: HostAddress, node: NodeFacts, report: HostReport, family: Family): readonly (number | string)[] {
  const parsed = parseAddress(address.address);
  const hostLength = family === 'IPv4' ? 32 : 128;
  return [
    // An address without a network of its own is usually a virtual IP that moves between hosts.
    Number(address.prefixLength === hostLength),
    interfaceRank(address, node, report, family),
    Number(!address.flags.includes('permanent')),
    Number(address.scope !== 'Global'),
    address.since,
    parsed.ok ? parsed.value.value.toString(16).padStart(32, '0') : '',
  ];
}

function interfaceRank(address: HostAddress, node: NodeFacts, report: HostReport, family: Family): number {
  const [primary] = node.internalIPs;
  const main = report.addresses.find((entry) => entry.address === primary)?.interface;
  if (address.interface === main) return 0;
  return address.interface === report.network.defaultRoutes[family]?.interface ? 1 : 2;
}

function compare(a: readonly (number | string)[], b: readonly (number | string)[]): number {
  for (const [index, left] of a.entries()) {
    const right = b[index] ?? '';
    if (left !== right) return left < right ? -1 : 1;
  }
  return 0;
}
