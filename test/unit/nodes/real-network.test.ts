import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect } from '@jest/globals';
import type { HostAddress, HostReport } from '../../../src/model/host.ts';
import type { Cause, Diagnosis } from '../../../src/nodes/cause.ts';
import { diagnose } from '../../../src/nodes/diagnose.ts';
import { nodeFacts, running } from '../../support/facts.ts';
import { hostWith, whereItRuns } from '../../support/namespace.ts';
import { OUTLOOK, V4 } from './situation.ts';

// Causes that the kernel can be brought to show for real: each in a network namespace of its own, read as the agent reads it.
const PRINT = fileURLToPath(new URL('../../support/print-network.ts', import.meta.url));

/** Until no address of the family is tentative any more. */
const SETTLED = 'for i in $(seq 50); do ip -6 address show tentative | grep -q inet6 || break; sleep 0.1; done\n';

/** The other end of the link belongs to another host, which has the address already. */
const DUPLICATE = `
unshare -n sleep 60 &
until ip link set world netns $! && ! ip link show world >/dev/null 2>&1; do sleep 0.1; done
nsenter -t $! -n ip link set world up
nsenter -t $! -n ip -6 address add 2001:db8::11/64 dev world nodad
ip -6 address add 2001:db8::11/64 dev eth0
for i in $(seq 50); do ip -6 address show | grep -q dadfailed && break; sleep 0.1; done
`;

const LATER = '2026-11-02T11:59:00Z';

async function see(commands: string): Promise<Pick<HostReport, 'addresses' | 'network'>> {
  const script = `${hostWith(V4)}${commands}\nexec "$0" "$1"`;
  const { stdout } = await promisify(execFile)(
    'unshare',
    ['-n', '-p', '-f', '--mount-proc', 'sh', '-c', script, process.execPath, PRINT],
    { timeout: 30_000 },
  );
  const { addresses, network } = JSON.parse(stdout) as {
    addresses: readonly Omit<HostAddress, 'since'>[];
    network: HostReport['network'];
  };
  return { addresses: addresses.map((address) => ({ ...address, since: LATER })), network };
}

async function diagnosed(commands: string): Promise<Diagnosis | null> {
  const { addresses, network } = await see(commands);
  const node = nodeFacts(1, {}, {}, { addresses, kubelet: { running: running({ 'node-ip': V4 }) } });
  if (node.agent?.report == null) throw new Error('no report');
  const report = { ...node.agent.report, network };
  return diagnose({ ...node, agent: { ...node.agent, report } }, OUTLOOK);
}

whereItRuns.each<[string, string, Cause, RegExp]>([
  [
    'no IPv6 address at all',
    'ip -6 address flush dev eth0\n',
    'NoAddress',
    /^The host of worker-1 has no IPv6 address\.$/,
  ],
  ['link-local alone', SETTLED, 'LinkLocalOnly', /only a link-local IPv6 address/],
  [
    'a host that forwards and no longer listens to routers',
    `sysctl -qw net.ipv6.conf.all.forwarding=1\n${SETTLED}`,
    'RouterAdvertisementsIgnored',
    /accept_ra of eth0 is not 2/,
  ],
  [
    'the same with accept_ra=2',
    `sysctl -qw net.ipv6.conf.all.forwarding=1 net.ipv6.conf.eth0.accept_ra=2\n${SETTLED}`,
    'LinkLocalOnly',
    /link-local/,
  ],
  ['IPv6 switched off', 'sysctl -qw net.ipv6.conf.all.disable_ipv6=1\n', 'FamilyDisabled', /all\.disable_ipv6=1/],
  [
    'IPv6 switched off on the interface alone',
    'sysctl -qw net.ipv6.conf.eth0.disable_ipv6=1\n',
    'FamilyDisabled',
    /on eth0 of worker-1 \(net\.ipv6\.conf\.eth0\.disable_ipv6=1\)/,
  ],
  [
    'an address that another host has',
    DUPLICATE,
    'DuplicateAddressDetectionFailed',
    /Another host has the address 2001:db8::11/,
  ],
  [
    'an address that is still being asked about',
    'sysctl -qw net.ipv6.conf.eth0.dad_transmits=100\nip -6 address add 2001:db8::11/64 dev eth0\n',
    'DuplicateAddressDetectionRunning',
    /2001:db8::11: it is tentative/,
  ],
  [
    'a deprecated address',
    `ip -6 address add 2001:db8::11/64 dev eth0 preferred_lft 0\n${SETTLED}`,
    'NoLastingAddress',
    /2001:db8::11 \(.*deprecated/,
  ],
  [
    'an address of a container network',
    `ip link add cni0 type bridge\nip link set cni0 up\nip -6 address add fd00:10:244::1/64 dev cni0 nodad\n${SETTLED}`,
    'LinkLocalOnly',
    /link-local/,
  ],
  [
    'an own address beside a virtual IP and a deprecated one',
    `ip -6 address add 2001:db8::1/128 dev eth0 nodad\nip -6 address add 2001:db8::2/64 dev eth0 preferred_lft 0 nodad\nip -6 address add 2001:db8::11/64 dev eth0\n${SETTLED}`,
    'KubeletNodeIPSingleFamily',
    /^worker-1 has 2001:db8::11,/,
  ],
])(
  '%s',
  async (_, commands, cause, says) => {
    const diagnosis = await diagnosed(commands);
    expect([diagnosis?.cause, diagnosis?.sentence]).toEqual([cause, expect.stringMatching(says)]);
  },
  40_000,
);

whereItRuns(
  'a privacy address beside the one that it was made from: the one that stays is chosen',
  async () => {
    const commands = `sysctl -qw net.ipv6.conf.eth0.use_tempaddr=2
ip -6 address add 2001:db8::ff/64 dev eth0 mngtmpaddr valid_lft 86400 preferred_lft 14400
${SETTLED}`;
    const { addresses } = await see(commands);
    expect(addresses.filter(({ flags }) => flags.includes('temporary'))).toHaveLength(1);
    expect((await diagnosed(commands))?.sentence).toMatch(/^worker-1 has 2001:db8::ff,/u);
  },
  40_000,
);

whereItRuns.each<[string, string, Cause]>([
  ['IPv6 switched off', 'sysctl -qw net.ipv6.conf.all.disable_ipv6=1\n', 'LinkLocalOnly'],
  ['IPv6 switched off on the interface alone', 'sysctl -qw net.ipv6.conf.eth0.disable_ipv6=1\n', 'LinkLocalOnly'],
  ['an address that another host has', DUPLICATE, 'KubeletNodeIPSingleFamily'],
  ['link-local alone', SETTLED, 'KubeletNodeIPSingleFamily'],
])(
  'the command that is told for it helps: %s',
  async (_, commands, after) => {
    const command = (await diagnosed(commands))?.fix.command ?? '';
    const filled = command.replace('OTHER-ADDRESS', '2001:db8::12').replace('ADDRESS', '2001:db8::12');
    expect((await diagnosed(`${commands}\n${filled} >&2\n${SETTLED}`))?.cause).toBe(after);
  },
  60_000,
);

whereItRuns(
  'addresses that stand alone are told with their interface, and those of Services are not told',
  async () => {
    const { addresses } = await see(
      `ip link add flannel.1 type veth peer name elsewhere
ip link set elsewhere up
ip address add 10.244.2.0/32 dev flannel.1
ip link set flannel.1 up
ip link add kube-ipvs0 type bridge
ip address add 10.96.0.1/32 dev kube-ipvs0
ip address add 192.0.2.77/32 dev eth0
`,
    );
    const told = addresses.filter(({ address, scope }) => !address.includes(':') && scope === 'Global');
    expect(told.map((one) => [one.address, one.interface])).toEqual([
      ['10.244.2.0', 'flannel.1'],
      [V4, 'eth0'],
      ['192.0.2.77', 'eth0'],
    ]);
  },
);

const podLink = (n: number): string => `ip link add veth${n} type veth peer name pod${n}
ip link set pod${n} up
ip link set veth${n} up
ip address add 10.244.1.1/32 dev veth${n}
ip route add 10.244.1.${n}/32 dev veth${n}
ip -6 address add fd00:10:244:1::1/128 dev veth${n} nodad
ip -6 route add fd00:10:244:1::${n}/128 dev veth${n}
`;

whereItRuns('the gateways on the links of pods, as the CNI plug-in ptp puts them there, are not told', async () => {
  const settled = `ip -6 address add 2001:db8::11/64 dev eth0\n${SETTLED}`;
  const bare = await see(settled);
  expect(bare.addresses.map(({ address }) => address)).toEqual(expect.arrayContaining([V4, '2001:db8::11']));
  const crowded = await see(`${[2, 3, 4].map(podLink).join('')}${settled}`);
  expect(namesOf(crowded)).toEqual(namesOf(bare));
});

const namesOf = ({ addresses }: Pick<HostReport, 'addresses'>): readonly string[] =>
  addresses
    .map((one) => `${one.address} ${one.interface}`.replace(/^fe80.* eth0$/u, 'link-local eth0'))
    .toSorted((a, b) => a.localeCompare(b));
