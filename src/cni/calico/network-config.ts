import { createHash } from 'node:crypto';
import { member, type ObjectSource, parseSource, type Source, withMember, withValue } from '../../model/json-source.ts';
import type { Family } from '../../net/family.ts';
import { err, ok, type Result } from '../../result.ts';
import { NAMES } from './family.ts';

/** What Calico's network configuration says of address management. */
export interface NetworkConfig {
  /** `calico-ipam`, `host-local`, … */
  readonly ipamType: string;
  readonly assignIPv4: Setting;
  readonly assignIPv6: Setting;
}

/**
 * The plug-in reads these members as JSON *strings*. Any other type makes it fail every ADD and every DEL, so that pods neither
 * start nor end.
 */
type Setting =
  | { readonly is: 'Absent' }
  | { readonly is: 'String'; readonly value: string }
  | { readonly is: 'WrongType'; readonly text: string };

export function readNetworkConfig(text: string): Result<NetworkConfig, string> {
  const ipam = findIPAM(text);
  if (!ipam.ok) return ipam;
  const type = member(ipam.value, 'type');
  return ok({
    ipamType: type?.is === 'String' ? type.value : '',
    assignIPv4: setting(text, member(ipam.value, 'assign_ipv4')),
    assignIPv6: setting(text, member(ipam.value, 'assign_ipv6')),
  });
}

export const settingOf = (config: NetworkConfig, family: Family): Setting =>
  family === 'IPv4' ? config.assignIPv4 : config.assignIPv6;

/** The plug-in assigns IPv6 for exactly `"true"`, and IPv4 unless it is exactly `"false"`. */
export function assigns(config: NetworkConfig, family: Family): boolean {
  const setting = settingOf(config, family);
  const value = setting.is === 'String' ? setting.value : null;
  return family === 'IPv4' ? value !== 'false' : value === 'true';
}

/**
 * The same text but for `"assign_ipv4"` or `"assign_ipv6"` in the `ipam` section of the Calico plug-in: its value is replaced, or the member is
 * added behind the last one, in the layout of its neighbours. A text that says it already stays as it is.
 */
export function withAssign(text: string, family: Family, isOn: boolean): Result<string, string> {
  const read = readNetworkConfig(text);
  if (!read.ok) return read;
  if (settingOf(read.value, family).is !== 'WrongType' && assigns(read.value, family) === isOn) return ok(text);
  const ipam = findIPAM(text);
  if (!ipam.ok) return ipam;
  const name = NAMES[family].assign;
  const existing = member(ipam.value, name);
  const wanted = `"${String(isOn)}"`;
  return ok(existing === undefined ? withMember(text, ipam.value, name, wanted) : withValue(text, existing, wanted));
}

/** Stands for a configuration in an annotation of the pod template, so that a new one makes new pods. */
export const configHash = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 16);

/** The `ipam` section of the plug-in of type `calico`, in a list of plug-ins or in a single one. */
function findIPAM(text: string): Result<ObjectSource, string> {
  const root = parseSource(text);
  if (!root.ok) return root;
  const plugins = member(root.value, 'plugins');
  const candidates = plugins?.is === 'Array' ? plugins.items : [root.value];
  const calico = candidates.find((plugin) => isString(member(plugin, 'type'), 'calico'));
  if (calico === undefined) return err('no plug-in of type "calico" is in it');
  const ipam = member(calico, 'ipam');
  return ipam?.is === 'Object' ? ok(ipam) : err('the plug-in of type "calico" has no section "ipam"');
}

function setting(text: string, source: Source | undefined): Setting {
  if (source === undefined) return { is: 'Absent' };
  if (source.is === 'String') return { is: 'String', value: source.value };
  return { is: 'WrongType', text: text.slice(source.start, source.end) };
}

const isString = (source: Source | undefined, value: string): boolean =>
  source?.is === 'String' && source.value === value;
