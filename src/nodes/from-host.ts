import type { NodeFacts } from '../model/facts.ts';
import type { HostAddress, HostReport } from '../model/host.ts';
import { familyOf, isLasting } from '../model/node-address.ts';
import { fitnessOf } from '../net/choose.ts';
import { type Family, otherFamily } from '../net/family.ts';
import { enableCommand, type Expectation, profileCommand } from '../providers/expect.ts';
import { fromKubelet } from './from-kubelet.ts';
import { addressText, ipCommand, look, NETWORK_IS_YOURS, type Told } from './told.ts';

/** Why the Node has no address of the family, by what its agent sees of the host. */
export function fromHost(
  node: NodeFacts,
  report: HostReport,
  family: Family,
  place: Expectation,
  isRecent: (time: string) => boolean,
): Told {
  const own = report.addresses.filter(({ address }) => familyOf(address) === family);
  const host: Host = { node, report, family, own, place, device: deviceOf(report, family) };
  if (family === 'IPv6' && report.network.ipv6Disabled) return disabled(host);
  const lasting = own.filter(isLasting);
  if (lasting.length > 0) return fromKubelet(node, report, family, lasting, isRecent, place);
  return withoutLasting(host) ?? without(host);
}

interface Host {
  readonly node: NodeFacts;
  readonly report: HostReport;
  readonly family: Family;
  readonly own: readonly HostAddress[];
  readonly place: Expectation;
  /** The interface that should have the address. */
  readonly device: string;
}

/** The one that leads out in this family, else in the other one: a host has hardly ever two networks, one for each family. */
const deviceOf = ({ network }: HostReport, family: Family): string =>
  network.defaultRoutes[family]?.interface ?? network.defaultRoutes[otherFamily(family)]?.interface ?? 'eth0';

function disabled({ node, report, place }: Host): Told {
  // Where the kernel has no IPv6 at all there is nothing below /proc/sys/net/ipv6, so no accept_ra either.
  const inKernel = Object.keys(report.network.acceptRA).length === 0;
  const told = { cause: 'FamilyDisabled', family: 'IPv6', by: { why: NETWORK_IS_YOURS } } as const;
  if (inKernel) {
    return {
      ...told,
      sentence: `The kernel of ${node.name} runs without IPv6 (boot parameter ipv6.disable=1, or no such module).`,
      evidence: ['/proc/sys/net/ipv6 does not exist'],
      fix: {
        short: 'boot its kernel with IPv6',
        command:
          place.system?.configures === 'NetworkManager'
            ? 'grubby --update-kernel=ALL --remove-args=ipv6.disable=1 && reboot'
            : "sed -i 's/ipv6.disable=1//' /etc/default/grub && update-grub && reboot",
        where: 'Node',
      },
    };
  }
  return {
    ...told,
    sentence: `IPv6 is switched off on ${node.name} (net.ipv6.conf.all.disable_ipv6=1).`,
    evidence: ['net.ipv6.conf.all.disable_ipv6=1'],
    fix: {
      short: 'switch IPv6 on there, and take the setting out of sysctl.d',
      command: 'sysctl -w net.ipv6.conf.all.disable_ipv6=0 net.ipv6.conf.default.disable_ipv6=0',
      where: 'Node',
    },
  };
}

/** It has addresses of the family that reach beyond the link, and none that a Node could keep. */
function withoutLasting({ node, family, own, place, device }: Host): Told | null {
  const reaching = own.filter(({ scope }) => scope === 'Global' || scope === 'UniqueLocal');
  const flagged = (flag: string): HostAddress | undefined => reaching.find(({ flags }) => flags.includes(flag));
  const evidence = reaching.map(addressText);
  const duplicate = flagged('dadfailed');
  if (duplicate !== undefined) {
    return {
      cause: 'DuplicateAddressDetectionFailed',
      family,
      sentence: `Another host has the address ${duplicate.address} of ${node.name}: duplicate address detection failed.`,
      evidence,
      fix: {
        short: 'give one of the two another address',
        command: ipCommand(
          family,
          `address del ${duplicate.address}/${duplicate.prefixLength} dev ${duplicate.interface} && ${ipCommand(family, `address add OTHER-ADDRESS/${duplicate.prefixLength} dev ${duplicate.interface}`)}`,
        ),
        where: 'Node',
      },
      by: { why: NETWORK_IS_YOURS },
    };
  }
  const tentative = flagged('tentative');
  if (tentative !== undefined) {
    return {
      cause: 'DuplicateAddressDetectionRunning',
      family,
      sentence: `${node.name} still asks whether another host has its address ${tentative.address}: it is tentative.`,
      evidence,
      fix: {
        short: 'wait a second; if it lasts, see whether its link is down or drops multicast',
        command: ipCommand(family, `address show dev ${tentative.interface} tentative`),
        where: 'Node',
      },
      by: { why: NETWORK_IS_YOURS },
    };
  }
  const foreign = reaching.filter((address) => fitnessOf(address) === null);
  const passing = reaching.filter((address) => !foreign.includes(address));
  const [first] = passing;
  // Those of container networks are none of the host's own.
  if (first === undefined) return null;
  return {
    cause: 'NoLastingAddress',
    family,
    sentence: `${node.name} has only ${family} addresses that go away again, such as ${first.address} (${first.flags.join(', ')}).`,
    evidence,
    fix: {
      short: 'give it an address that stays: static, by DHCPv6, or by an advertised prefix whose lifetime is not over',
      command: enableCommand(place.system, device) ?? addCommand(family, first.interface),
      where: 'Node',
    },
    by: { why: NETWORK_IS_YOURS },
  };
}

/** It has none, or a link-local one alone. */
function without(host: Host): Told {
  const { node, report, family, own, place, device } = host;
  const setting = family === 'IPv6' ? (disabledOnDevice(host) ?? advertisementsIgnored(host)) : null;
  if (setting !== null) return setting;
  const { cloud, together, name } = place;
  const evidence = [
    ...own.map(addressText),
    ...routeEvidence(report, family),
    ...(family === 'IPv6' ? scriptEvidence(report) : []),
    ...(together?.says == null ? [] : [`${name}: ${together.says}`]),
  ];
  const linkLocal = own.some(({ scope }) => scope === 'LinkLocal');
  const give = family === 'IPv6' ? (cloud?.give ?? null) : null;
  const byHand = enableCommand(family === 'IPv6' ? place.system : null, device) ?? addCommand(family, device);
  return {
    cause: linkLocal ? 'LinkLocalOnly' : 'NoAddress',
    family,
    sentence: linkLocal
      ? `${node.name} has only a link-local ${family} address, which a Node cannot use: no router advertisement or DHCP answer has given it another.`
      : `The host of ${node.name} has no ${family} address.`,
    evidence: evidence.length > 0 ? evidence : [`no ${family} address on any interface of the host`],
    fix:
      give === null || linkLocal
        ? { short: `give it an ${family} address`, command: byHand, where: 'Node' }
        : { short: give.says, command: give.command, where: give.where },
    by: { why: NETWORK_IS_YOURS },
  };
}

/** IPv6 is off on the one interface that should have it: by the kernel's setting, which NetworkManager makes too, or by the network's configuration. */
function disabledOnDevice({ node, report, place, device }: Host): Told | null {
  const { ipv6DisabledOn = [], networkScripts = {} } = report.network;
  const method = networkScripts[`${device} ipv6.method`];
  const byProfile = method === 'disabled' ? `ipv6.method=disabled in NetworkManager's profile of ${device}` : null;
  // An old script may lie beside the profile that took its place.
  const byScript =
    networkScripts[`${device} IPV6INIT`] === 'no' && method === undefined ? `IPV6INIT=no in ifcfg-${device}` : null;
  const byKernel = ipv6DisabledOn.includes(device) ? `net.ipv6.conf.${device}.disable_ipv6=1` : null;
  const evidence = [byProfile, byScript, byKernel].filter((setting) => setting !== null);
  const [setting] = evidence;
  if (setting === undefined) return null;
  return {
    cause: 'FamilyDisabled',
    family: 'IPv6',
    sentence: `IPv6 is switched off on ${device} of ${node.name} (${setting}).`,
    evidence,
    fix: {
      short: `switch IPv6 on for ${device}`,
      command:
        byProfile === null
          ? (enableCommand(place.system, device) ?? `sysctl -w net.ipv6.conf.${device}.disable_ipv6=0`)
          : profileCommand(device),
      where: 'Node',
    },
    by: { why: NETWORK_IS_YOURS },
  };
}

/**
 * A kernel that forwards listens to router advertisements only with accept_ra=2 (Linux, networking/ip-sysctl). With 0 it may be that NetworkManager
 * or systemd-networkd listens in its place, so nothing follows from that.
 */
function advertisementsIgnored({ node, report, own, place, device }: Host): Told | null {
  const { forwarding, acceptRA, networkScripts = {}, defaultRoutes } = report.network;
  // Without a link-local address the interface does not speak IPv6 at all.
  const speaks = own.some((address) => address.scope === 'LinkLocal' && address.interface === device);
  if (!speaks || defaultRoutes.IPv6 !== undefined) return null;
  const told = { cause: 'RouterAdvertisementsIgnored', family: 'IPv6' } as const;
  const setting = askedOfNobody(device, networkScripts, acceptRA[device]);
  if (setting !== null) {
    return {
      ...told,
      sentence: `${node.name} takes no IPv6 address from routers: ${setting.says}.`,
      evidence: [...setting.evidence, ...own.map(addressText)],
      fix: {
        short: 'have it listen to router advertisements, or give it a static address',
        command: setting.byProfile
          ? profileCommand(device)
          : (enableCommand(place.system, device) ?? addCommand('IPv6', device)),
        where: 'Node',
      },
      by: { why: NETWORK_IS_YOURS },
    };
  }
  if (acceptRA[device] !== '1' || !forwarding.IPv6) return null;
  return {
    ...told,
    sentence: `${node.name} takes no IPv6 address from routers, because it forwards and accept_ra of ${device} is not 2.`,
    evidence: [
      `net.ipv6.conf.${device}.accept_ra=1`,
      'net.ipv6.conf.all.forwarding=1',
      'no IPv6 default route',
      ...own.map(addressText),
    ],
    fix: {
      short: 'have it listen to router advertisements, or give it a static address',
      command: `sysctl -w net.ipv6.conf.${device}.accept_ra=2`,
      where: 'Node',
    },
    by: { why: 'Whether the routers of this network are to be trusted is for you to say.' },
  };
}

interface AskedOfNobody {
  readonly says: string;
  readonly evidence: readonly string[];
  readonly byProfile: boolean;
}

/** The configuration that keeps the interface from asking routers or a DHCPv6 server for an address; null: there is none. */
function askedOfNobody(
  device: string,
  settings: Readonly<Record<string, string>>,
  acceptRA: string | undefined,
): AskedOfNobody | null {
  const method = settings[`${device} ipv6.method`];
  const profile = `ipv6.method=${method} in NetworkManager's profile of ${device}`;
  if (method === 'link-local') {
    return { says: `ipv6.method of ${device} is link-local`, evidence: [profile], byProfile: true };
  }
  // NetworkManager leaves it to the kernel, and that does not listen either.
  if (method === 'ignore' && acceptRA === '0') {
    return {
      says: `ipv6.method of ${device} is ignore, and accept_ra is 0`,
      evidence: [profile, `net.ipv6.conf.${device}.accept_ra=0`],
      byProfile: true,
    };
  }
  if (method !== undefined || settings[`${device} IPV6_AUTOCONF`] !== 'no' || settings[`${device} DHCPV6C`] === 'yes')
    return null;
  return {
    says: `IPV6_AUTOCONF of ${device} is no`,
    evidence: [`IPV6_AUTOCONF=no in ifcfg-${device}`],
    byProfile: false,
  };
}

const addCommand = (family: Family, device: string): string =>
  ipCommand(family, `address add ${family === 'IPv4' ? 'ADDRESS/24' : 'ADDRESS/64'} dev ${device}`);

const routeEvidence = ({ network }: HostReport, family: Family): readonly string[] =>
  network.defaultRoutes[family] === undefined ? [`no ${family} default route`] : [];

const scriptEvidence = ({ network }: HostReport): readonly string[] =>
  Object.entries(network.networkScripts ?? {}).map(
    ([setting, value]) => `${setting.includes(' ipv6.') ? 'NetworkManager' : 'network script'}: ${setting}=${value}`,
  );

/** What to do where the host is not seen. */
export const lookAtHost = (family: Family) => look(ipCommand(family, 'address show scope global'));
