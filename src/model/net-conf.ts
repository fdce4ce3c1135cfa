import { type ObjectSource, parseSource, type Source, withMember, withValue } from './json-source.ts';
import type { Family } from '../net/family.ts';
import { err, ok, type Result } from '../result.ts';

/** What `net-conf.json`, by which flanneld is configured on its own and in Canal, says of families. */
export interface NetConf {
  /** Networks of the families that are switched on. */
  readonly networks: Readonly<Partial<Record<Family, string>>>;
  readonly enabled: Readonly<Record<Family, boolean>>;
  /** `vxlan`, `host-gw`, …; flannel takes `udp` where none is named. */
  readonly backend: string;
}

/** Names of the members; IPv4 is on unless it is switched off, IPv6 is off unless it is switched on. */
const MEMBERS = {
  IPv4: { enable: 'EnableIPv4', network: 'Network', byDefault: true },
  IPv6: { enable: 'EnableIPv6', network: 'IPv6Network', byDefault: false },
} as const;

export function readNetConf(text: string): Result<NetConf, string> {
  const root = rootOf(text);
  if (!root.ok) return root;
  const enabled = { IPv4: isEnabled(root.value, 'IPv4'), IPv6: isEnabled(root.value, 'IPv6') };
  const network = (family: Family): Readonly<Partial<Record<Family, string>>> => {
    const value = member(root.value, MEMBERS[family].network);
    return enabled[family] && value?.is === 'String' ? { [family]: value.value } : {};
  };
  const backend = member(root.value, 'Backend');
  const type = backend?.is === 'Object' ? member(backend, 'Type') : undefined;
  return ok({
    networks: { ...network('IPv4'), ...network('IPv6') },
    enabled,
    backend: backend === undefined ? 'udp' : type?.is === 'String' ? type.value : '',
  });
}

/** The same text with that family switched on, and no other byte changed. */
export function withFamily(text: string, family: Family, cidr: string): Result<string, string> {
  const root = rootOf(text);
  if (!root.ok) return root;
  const { enable, network, byDefault } = MEMBERS[family];
  const besides = (object: ObjectSource) => member(object, MEMBERS[family === 'IPv4' ? 'IPv6' : 'IPv4'].network);
  const named = setMember(text, root.value, network, JSON.stringify(cidr), besides(root.value));
  const again = rootOf(named);
  if (!again.ok) return again;
  if (byDefault && member(again.value, enable) === undefined) return ok(named);
  return ok(setMember(named, again.value, enable, 'true', besides(again.value)));
}

/** The same text with that family switched off. Its network stays: flannel does not look at it then. */
export function withoutFamily(text: string, family: Family): Result<string, string> {
  const root = rootOf(text);
  if (!root.ok) return root;
  return ok(isEnabled(root.value, family) ? setMember(text, root.value, MEMBERS[family].enable, 'false') : text);
}

/** True when two configurations differ in nothing but that family. */
export function sameButFamily(a: string, b: string, family: Family): boolean {
  const [left, right] = [withoutMembers(a, family), withoutMembers(b, family)];
  return left !== null && left === right;
}

function withoutMembers(text: string, family: Family): string | null {
  if (!rootOf(text).ok) return null;
  const { enable, network } = MEMBERS[family];
  const others = Object.entries(JSON.parse(text) as Readonly<Record<string, unknown>>).filter(
    ([name]) => !isNamed(name, enable) && !isNamed(name, network),
  );
  return JSON.stringify(others);
}

function setMember(text: string, root: ObjectSource, name: string, value: string, after?: Source): string {
  const existing = member(root, name);
  if (existing === undefined) return withMember(text, root, name, value, after);
  return text.slice(existing.start, existing.end) === value ? text : withValue(text, existing, value);
}

function isEnabled(root: ObjectSource, family: Family): boolean {
  const value = member(root, MEMBERS[family].enable);
  return value?.is === 'Bare' ? value.text === 'true' : MEMBERS[family].byDefault;
}

/** Flannel refuses what is not JSON, so that is not edited. */
function rootOf(text: string): Result<ObjectSource, string> {
  try {
    JSON.parse(text);
  } catch (error) {
    return err(`it is not JSON: ${error instanceof Error ? error.message : String(error)}`);
  }
  const root = parseSource(text);
  if (!root.ok) return root;
  return root.value.is === 'Object' ? ok(root.value) : err('it is not a JSON object');
}

/** Go matches names of members without regard to case, and of two the last counts. */
const member = (object: ObjectSource, name: string): Source | undefined =>
  object.members.findLast(({ key }) => isNamed(key.value, name))?.value;

const isNamed = (name: string, wanted: string): boolean => name.toLowerCase() === wanted.toLowerCase();
