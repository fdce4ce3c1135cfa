import { member, type ObjectSource, parseSource, type Source } from '../../model/json-source.ts';
import { isIPv6 } from '../../net/family.ts';
import { err, ok, type Result } from '../../result.ts';

/**
 * Values by which the Calico plug-in puts its Node's podCIDR in place of a subnet, before it hands the section to host-local
 * (`ReplaceHostLocalIPAMPodCIDRs` in Calico's `cni-plugin/internal/pkg/utils/utils.go`). It takes no notice of upper and lower case.
 */
const PLACEHOLDERS = { IPv4: 'usePodCidr', IPv6: 'usePodCidrIPv6' } as const;

/** How host-local is told where addresses come from. */
interface NetworkConfig {
  /** `host-local`, `calico-ipam`, … */
  readonly ipamType: string;
  /** Subnets in their order, whichever way they are written. */
  readonly subnets: readonly string[];
}

export function readNetworkConfig(text: string): Result<NetworkConfig, string> {
  const ipam = findIPAM(text);
  if (!ipam.ok) return ipam;
  const type = member(ipam.value, 'type');
  return ok({ ipamType: type?.is === 'String' ? type.value : '', subnets: subnetsOf(ipam.value) });
}

export const assignsIPv6 = ({ subnets }: NetworkConfig): boolean => subnets.some(isForIPv6);

/** The same text with a range of the Node's IPv6 podCIDR behind the one of IPv4, and no other byte changed. */
export function withIPv6(text: string): Result<string, string> {
  const found = findIPAM(text);
  if (!found.ok) return found;
  const ipam = found.value;
  const subnets = subnetsOf(ipam);
  if (subnets.some(isForIPv6)) return ok(text);
  if (subnets.length !== 1 || !isForIPv4(subnets[0] ?? '')) {
    return err(`its ipam section names ${subnets.join(', ') || 'no subnet'}, not ${PLACEHOLDERS.IPv4} alone`);
  }
  const second = `[{"subnet": "${PLACEHOLDERS.IPv6}"}]`;
  const ranges = member(ipam, 'ranges');
  if (ranges?.is === 'Array' && ranges.items.length > 0) {
    const end = ranges.items.at(-1)?.end ?? ranges.end;
    return ok(`${text.slice(0, end)}, ${second}${text.slice(end)}`);
  }
  // Both forms at once would be two ranges as well, but not in an order that anybody promises.
  const subnet = ipam.members.findLast(({ key }) => key.value === 'subnet');
  if (subnet === undefined) return err('its ipam section names no subnet');
  const both = `"ranges": [[{"subnet": "${PLACEHOLDERS.IPv4}"}], ${second}]`;
  return ok(text.slice(0, subnet.key.start) + both + text.slice(subnet.value.end));
}

/** The same text without the range of IPv6, in the form that the manifest has. */
export function withoutIPv6(text: string): Result<string, string> {
  const found = findIPAM(text);
  if (!found.ok) return found;
  const ipam = found.value;
  const subnets = subnetsOf(ipam);
  if (!subnets.some(isForIPv6)) return ok(text);
  const ranges = ipam.members.findLast(({ key }) => key.value === 'ranges');
  const isPlain = subnets.length === 2 && isForIPv4(subnets[0] ?? '') && member(ipam, 'subnet') === undefined;
  if (ranges === undefined || !isPlain) return err(`its ipam section names ${subnets.join(', ')}`);
  return ok(`${text.slice(0, ranges.key.start)}"subnet": "${PLACEHOLDERS.IPv4}"${text.slice(ranges.value.end)}`);
}

/** True when two configurations differ in nothing but where addresses come from. */
export function sameButSubnets(a: string, b: string): boolean {
  const [left, right] = [skeleton(a), skeleton(b)];
  return left !== null && left === right;
}

function skeleton(text: string): string | null {
  const ipam = findIPAM(text);
  if (!ipam.ok) return null;
  const kept = ipam.value.members.filter(({ key }) => key.value !== 'subnet' && key.value !== 'ranges');
  const inside = kept.map(({ key, value }) => text.slice(key.start, value.end)).join();
  return text.slice(0, ipam.value.start) + inside + text.slice(ipam.value.end);
}

const isForIPv4 = (subnet: string): boolean => subnet.toLowerCase() === PLACEHOLDERS.IPv4.toLowerCase();
const isForIPv6 = (subnet: string): boolean =>
  subnet.toLowerCase() === PLACEHOLDERS.IPv6.toLowerCase() || isIPv6(subnet);

/** host-local puts the single subnet before the ranges. */
function subnetsOf(ipam: ObjectSource): readonly string[] {
  const ranges = member(ipam, 'ranges');
  const sets = ranges?.is === 'Array' ? ranges.items : [];
  return [
    ...textOf(member(ipam, 'subnet')),
    ...sets.flatMap((set) => (set.is === 'Array' ? set.items : [])).flatMap((range) => textOf(member(range, 'subnet'))),
  ];
}

const textOf = (source: Source | undefined): readonly string[] => (source?.is === 'String' ? [source.value] : []);

/** The `ipam` section of the plug-in of type `calico`. */
function findIPAM(text: string): Result<ObjectSource, string> {
  const root = parseSource(text);
  if (!root.ok) return root;
  const plugins = member(root.value, 'plugins');
  const candidates = plugins?.is === 'Array' ? plugins.items : [root.value];
  const calico = candidates.find((plugin) => textOf(member(plugin, 'type')).includes('calico'));
  if (calico === undefined) return err('no plug-in of type "calico" is in it');
  const ipam = member(calico, 'ipam');
  return ipam?.is === 'Object' ? ok(ipam) : err('the plug-in of type "calico" has no section "ipam"');
}
