import type { HostFiles } from './files.ts';

/** So many settings are told, as the resource's schema has it. */
const MAX_SETTINGS = 16;
const NETWORK_SCRIPTS = '/etc/sysconfig/network-scripts';
/** What decides whether NetworkManager gives an interface IPv6, in the form that RHEL 8 and older, and cloud images of newer ones, keep it. */
const SCRIPT_SETTINGS = ['IPV6INIT', 'IPV6_AUTOCONF', 'IPV6_DEFROUTE', 'DHCPV6C'];

/**
 * What the configuration of the RHEL family says of IPv6, by interface and setting: `eth0 IPV6INIT` from a network script,
 * `eth0 ipv6.method` from a profile of NetworkManager. @param outward The interface of the default route; null: there is none.
 */
export function readNetworkScripts(
  files: HostFiles,
  interfaces: readonly string[],
  outward: string | null,
): Readonly<Record<string, string>> {
  const profiles = readProfiles(files);
  // What may be cut off is what says least about the node's own address.
  const sorted = interfaces.toSorted((a, b) => Number(b === outward) - Number(a === outward));
  const told = sorted.flatMap((device) => [
    ...scriptSettings(files, device),
    ...profileSettings(profilesOf(device, profiles, outward)).map(
      ([setting, value]) => [`${device} ${setting}`, value] as const,
    ),
  ]);
  return Object.fromEntries(told.slice(0, MAX_SETTINGS));
}

function scriptSettings(files: HostFiles, device: string): readonly (readonly [string, string])[] {
  const text = files.read(`${NETWORK_SCRIPTS}/ifcfg-${device}`);
  if (text === null) return [];
  return SCRIPT_SETTINGS.flatMap((setting) => {
    const value = new RegExp(`^${setting}=["']?(yes|no)\\b`, 'im').exec(text)?.[1];
    return value === undefined ? [] : [[`${device} ${setting}`, value.toLowerCase()] as const];
  });
}

/** The first one hides profiles of the same uuid in the others (NetworkManager, nms-keyfile-utils.h). */
const PROFILE_FOLDERS = ['/run', '/etc', '/usr/lib'].map((folder) => `${folder}/NetworkManager/system-connections`);
const MAX_PROFILES = 64;
const PROFILE_BYTES = 65_536;

/**
 * All that is ever told of a profile, with the only values that are passed on. These files are root's alone because they may hold passwords, so
 * nothing else of them leaves this file.
 */
const PROFILE_SETTINGS: Readonly<Record<string, readonly string[]>> = {
  method: ['auto', 'dhcp', 'disabled', 'ignore', 'link-local', 'manual', 'shared'],
  'addr-gen-mode': ['default', 'default-or-eui64', 'eui64', 'stable-privacy'],
  'may-fail': ['true', 'false'],
};

interface Profile {
  readonly uuid: string;
  /** Null: it is for any interface of its type. */
  readonly device: string | null;
  /** It asks for more of an interface than its type: which one it means is not known here. */
  readonly choosy: boolean;
  readonly ethernet: boolean;
  readonly ipv6: Readonly<Record<string, string>>;
}

function readProfiles(files: HostFiles): readonly Profile[] {
  const byUuid = new Map<string, Profile>();
  for (const folder of PROFILE_FOLDERS) {
    for (const name of namesIn(files, folder)) {
      const file = `${folder}/${name}`;
      const text = files.readPart(file, PROFILE_BYTES, 'head');
      const profile = text === null ? null : parseProfile(text, file);
      if (profile !== null && !byUuid.has(profile.uuid)) byUuid.set(profile.uuid, profile);
    }
  }
  return [...byUuid.values()];
}

function namesIn(files: HostFiles, folder: string): readonly string[] {
  try {
    const names = files.list(folder).filter((name) => name.endsWith('.nmconnection') && !name.startsWith('.'));
    return names.slice(0, MAX_PROFILES);
  } catch {
    // A hint that cannot be had must not keep the agent from its work.
    return [];
  }
}

/** Null: NetworkManager does not bring it up by itself. */
function parseProfile(text: string, file: string): Profile | null {
  const keys = parseKeyfile(text);
  const connection = (key: string): string | null => keys.get(`connection ${key}`) ?? null;
  if (connection('autoconnect') === 'false') return null;
  const type = connection('type') ?? '';
  return {
    uuid: connection('uuid') ?? file,
    device: connection('interface-name'),
    choosy: [...keys.keys()].some((key) => key.startsWith('match ') || key.endsWith(' mac-address')),
    ethernet: type === 'ethernet' || type === '802-3-ethernet',
    ipv6: Object.fromEntries(
      Object.entries(PROFILE_SETTINGS).flatMap(([setting, values]) => {
        const value = keys.get(`ipv6 ${setting}`);
        return value !== undefined && values.includes(value) ? [[setting, value] as const] : [];
      }),
    ),
  };
}

/** `section key` of GLib's key files; the last one of a key counts. */
function parseKeyfile(text: string): ReadonlyMap<string, string> {
  const keys = new Map<string, string>();
  let section = '';
  for (const line of text.split('\n')) {
    const opened = /^\s*\[([^\]]+)\]\s*$/.exec(line)?.[1];
    if (opened !== undefined) section = opened;
    const [, key, value] = /^\s*([^#=[\s][^=]*?)\s*=\s*(.*?)\s*$/.exec(line) ?? [];
    if (key !== undefined && value !== undefined) keys.set(`${section} ${key}`, value);
  }
  return keys;
}

/** Those that name it; else, for the interface that leads out, the one profile that is for any. */
function profilesOf(device: string, profiles: readonly Profile[], outward: string | null): readonly Profile[] {
  const named = profiles.filter((profile) => profile.device === device);
  if (named.length > 0 || device !== outward) return named;
  const forAny = profiles.filter((profile) => profile.device === null && profile.ethernet);
  return forAny.length === 1 && forAny[0]?.choosy === false ? forAny : [];
}

/** What all of them say: which of several is up is not written in them. */
function profileSettings([first, ...others]: readonly Profile[]): readonly (readonly [string, string])[] {
  return Object.entries(first?.ipv6 ?? {})
    .filter(([setting, value]) => others.every(({ ipv6 }) => ipv6[setting] === value))
    .map(([setting, value]) => [`ipv6.${setting}`, value] as const);
}
