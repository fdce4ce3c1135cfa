/** An operating system as far as it decides how a host gets IPv6. */
export interface OperatingSystem {
  readonly id: SystemID;
  readonly name: string;
  /** Matches `Node.status.nodeInfo.osImage`. */
  readonly image: RegExp;
  /** Who configures its network interfaces. */
  readonly configures: 'NetworkManager' | 'networkd' | 'Other';
  /** Where this was read. */
  readonly source: string;
}

export type SystemID =
  | 'almalinux'
  | 'amazonlinux'
  | 'bottlerocket'
  | 'centos7'
  | 'debian'
  | 'fedora'
  | 'flatcar'
  | 'rhel'
  | 'rocky'
  | 'suse'
  | 'talos'
  | 'ubuntu'
  | 'windows';

const NETWORK_MANAGER = 'https://developer.gnome.org/libnm/1.0/NMSettingIP6Config.html';

/** The first that matches counts. */
export const SYSTEMS: readonly OperatingSystem[] = [
  {
    id: 'centos7',
    name: 'CentOS 7',
    image: /^CentOS Linux 7/i,
    configures: 'NetworkManager',
    source: NETWORK_MANAGER,
  },
  { id: 'rocky', name: 'Rocky Linux', image: /^Rocky Linux/i, configures: 'NetworkManager', source: NETWORK_MANAGER },
  { id: 'almalinux', name: 'AlmaLinux', image: /^AlmaLinux/i, configures: 'NetworkManager', source: NETWORK_MANAGER },
  {
    id: 'rhel',
    name: 'RHEL',
    image: /^(Red Hat Enterprise Linux|CentOS)/i,
    configures: 'NetworkManager',
    source: NETWORK_MANAGER,
  },
  { id: 'fedora', name: 'Fedora', image: /^Fedora/i, configures: 'NetworkManager', source: NETWORK_MANAGER },
  {
    id: 'ubuntu',
    name: 'Ubuntu',
    image: /^Ubuntu/i,
    configures: 'networkd',
    source: 'https://manpages.ubuntu.com/manpages/xenial/man5/netplan.5.html',
  },
  {
    id: 'flatcar',
    name: 'Flatcar',
    image: /^Flatcar/i,
    configures: 'networkd',
    source: 'https://flatcar.org/docs/latest/setup/customization/network-config-with-networkd',
  },
  {
    id: 'debian',
    name: 'Debian',
    image: /^Debian/i,
    configures: 'Other',
    source: 'https://wiki.debian.org/NetworkConfiguration',
  },
  {
    id: 'amazonlinux',
    name: 'Amazon Linux',
    image: /^Amazon Linux/i,
    configures: 'networkd',
    source: 'https://docs.aws.amazon.com/linux/al2023/ug/networking-service.html',
  },
  {
    id: 'suse',
    name: 'SUSE',
    image: /^(SUSE|openSUSE|SLES)/i,
    configures: 'Other',
    source: 'https://en.opensuse.org/Portal:Wicked',
  },
  {
    id: 'talos',
    name: 'Talos',
    image: /^Talos/i,
    configures: 'Other',
    source: 'https://docs.siderolabs.com/talos/v1.12/networking/configuration/overview',
  },
  {
    id: 'bottlerocket',
    name: 'Bottlerocket',
    image: /^Bottlerocket/i,
    configures: 'Other',
    source: 'https://github.com/bottlerocket-os/bottlerocket/pull/3211',
  },
  {
    id: 'windows',
    name: 'Windows',
    image: /^Windows/i,
    configures: 'Other',
    source: 'https://kubernetes.io/docs/concepts/services-networking/dual-stack/#windows-support',
  },
];
