import { type Advice, type Cloud, type CloudID, CLOUDS } from './clouds.ts';
import { type OperatingSystem, type SystemID, SYSTEMS } from './systems.ts';

/** What a Node's own object tells of where it runs. */
export interface Place {
  readonly providerID: string;
  readonly osImage: string;
  readonly labels: Readonly<Record<string, string>>;
}

/** What is to be expected of IPv6 there. */
export interface Expectation {
  readonly cloud: Cloud | null;
  readonly system: OperatingSystem | null;
  /** `DigitalOcean + Rocky Linux`; empty where neither is known. */
  readonly name: string;
  /** How IPv6 behaves on this system in this cloud; null: nothing is known of the two together. */
  readonly together: Known | null;
}

export interface Known {
  /** `Late`: the address often comes after the kubelet has started. `Unreliable`: it is known not to work. `Works`: it was tried. */
  readonly is: 'Works' | 'Late' | 'Unreliable';
  /** What people see, in a sentence; null: nothing worth telling. */
  readonly says: string | null;
  /** Where this was read. */
  readonly source: string;
}

export type { Advice, Cloud, OperatingSystem };

const KKP = 'https://docs.kubermatic.com/kubermatic/main/tutorials-howtos/networking/dual-stack';
/** The last documentation with CentOS 7 and Equinix Metal. */
const KKP_OLD = 'https://docs.kubermatic.com/kubermatic/v2.22/tutorials-howtos/networking/dual-stack/';

const works = (source = KKP): Known => ({ is: 'Works', says: null, source });
const late = (source = KKP): Known => ({
  is: 'Late',
  says: 'IPv6 often arrives after the kubelet started and is then not published until the kubelet is restarted.',
  source,
});

/** Combinations that were tried with dual-stack clusters. What is not in it was not tried. */
const TRIED: { readonly [C in CloudID]?: { readonly [S in SystemID]?: Known } } = {
  aws: {
    ubuntu: works(),
    flatcar: works(),
    rhel: works(),
    rocky: works(),
    centos7: { is: 'Unreliable', says: 'its IPv6 default route is not reliable on AWS.', source: KKP_OLD },
  },
  azure: { ubuntu: works(), flatcar: works(), rhel: works(), rocky: works(), centos7: works(KKP_OLD) },
  digitalocean: { ubuntu: works(), rocky: late(), centos7: works(KKP_OLD) },
  equinixmetal: {
    ubuntu: works(KKP_OLD),
    centos7: works(KKP_OLD),
    flatcar: late(KKP_OLD),
    rocky: late(KKP_OLD),
  },
  gcp: { ubuntu: works() },
  hetzner: { ubuntu: works(), rocky: works(), centos7: works(KKP_OLD) },
  openstack: {
    ubuntu: works(),
    flatcar: works(),
    rhel: works(),
    rocky: works(),
    centos7: { is: 'Unreliable', says: 'dual-stack is known not to work on it in OpenStack.', source: KKP_OLD },
  },
  vsphere: { ubuntu: works() },
};

const BY_SCHEME: ReadonlyMap<string, Cloud> = new Map(
  CLOUDS.flatMap((cloud) => cloud.schemes.map((scheme) => [scheme, cloud] as const)),
);

export const cloudOf = ({ providerID, labels }: Omit<Place, 'osImage'>): Cloud | null =>
  BY_SCHEME.get(providerID.slice(0, Math.max(0, providerID.indexOf(':')))) ??
  CLOUDS.find((each) => each.labels.some((label) => label in labels)) ??
  null;

export function expectationOf(place: Place): Expectation {
  const { osImage } = place;
  const cloud = cloudOf(place);
  const system = SYSTEMS.find(({ image }) => image.test(osImage)) ?? null;
  return {
    cloud,
    system,
    name: [cloud, system].flatMap((part) => part?.name ?? []).join(' + '),
    together: cloud === null || system === null ? null : (TRIED[cloud.id]?.[system.id] ?? null),
  };
}

/**
 * The command by which the system's own network service takes IPv6 addresses from the network on an interface, and keeps doing so after a
 * reboot; null where there is no one command.
 */
export function enableCommand(system: OperatingSystem | null, device: string): string | null {
  if (system === null) return null;
  switch (system.configures) {
    case 'NetworkManager':
      return profileCommand(device);
    case 'networkd':
      return system.id === 'ubuntu'
        ? `netplan set ethernets.${device}.dhcp6=true && netplan set ethernets.${device}.accept-ra=true && netplan apply`
        : null;
    case 'Other':
      return null;
  }
}

/** Has NetworkManager's profile of an interface take IPv6 addresses from the network. */
export const profileCommand = (device: string): string =>
  // The profile is asked for rather than guessed: cloud images name it `System eth0`, `cloud-init eth0` or `Wired connection 1`.
  `nmcli connection modify "$(nmcli -g GENERAL.CONNECTION device show ${device})" ipv6.method auto && nmcli device reapply ${device}`;
