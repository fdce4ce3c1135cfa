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

const RHEL_NETWORK =
  'https://docs.redhat.com/en/documentation/red_hat_enterprise_linux/9/html/configuring_and_managing_networking/index';

/** The first that matches counts. */
export const SYSTEMS: readonly OperatingSystem[] = [
  {
    id: 'centos7',
    name: 'CentOS 7',
    image: /^CentOS Linux 7/i,
    configures: 'NetworkManager',
    source: RHEL_NETWORK,
  },
  { id: 'rocky', name: 'Rocky Linux', image: /^Rocky Linux/i, configures: 'NetworkManager', source: RHEL_NETWORK },
  { id: 'almalinux', name: 'AlmaLinux', image: /^AlmaLinux/i, configures: 'NetworkManager', source: RHEL_NETWORK },
  {
    id: 'rhel',
    name: 'RHEL',
    image: /^(Red Hat Enterprise Linux|CentOS)/i,
    configures: 'NetworkManager',
    source: RHEL_NETWORK,
  },
  { id: 'fedora', name: 'Fedora', image: /^Fedora/i, configures: 'NetworkManager', source: RHEL_NETWORK },
  {
    id: 'ubuntu',
    name: 'Ubuntu',
    image: /^Ubuntu/i,
    configures: 'networkd',
    source: 'https://netplan.readthedocs.io/en/stable/netplan-yaml/',
  },
  {
    id: 'flatcar',
    name: 'Flatcar',
    image: /^Flatcar/i,
    configures: 'networkd',
    source: 'https://www.flatcar.org/docs/latest/setup/customization/network-config-with-networkd/',
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
    source: 'https://documentation.suse.com/sles/15-SP6/html/SLES-all/cha-network.html',
  },
  {
    id: 'talos',
    name: 'Talos',
    image: /^Talos/i,
    configures: 'Other',
    source: 'https://www.talos.dev/latest/talos-guides/network/',
  },
  {
    id: 'bottlerocket',
    name: 'Bottlerocket',
    image: /^Bottlerocket/i,
    configures: 'Other',
    source: 'https://bottlerocket.dev/en/os/latest/#/concepts/networking/',
  },
  {
    id: 'windows',
    name: 'Windows',
    image: /^Windows/i,
    configures: 'Other',
    source: 'https://kubernetes.io/docs/concepts/services-networking/dual-stack/#windows-support',
  },
];
