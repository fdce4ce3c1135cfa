import { execFileSync } from 'node:child_process';
import { test } from '@jest/globals';

/** Null: namespaces can be made here; else what is missing. */
function obstacle(): string | null {
  try {
    execFileSync('unshare', ['-n', '-p', '-f', '--mount-proc', 'ip', '-6', 'address', 'show'], { stdio: 'pipe' });
    return null;
  } catch (error) {
    return error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error);
  }
}

const missing = obstacle();
if (missing !== null) process.stderr.write(`skipped: no network namespaces of one's own here (${missing})\n`);

/** For what the kernel itself is to show: as root, with network and process namespaces of one's own. */
export const whereItRuns = missing === null ? test : test.skip;

/** A host with one interface to the world, as machines have it: this IPv4 address, and link-local IPv6. For a shell. */
export const hostWith = (ipv4: string): string => `
set -e
ip link set lo up
ip link add eth0 type veth peer name world
sysctl -qw net.ipv6.conf.eth0.accept_ra=1 net.ipv6.conf.eth0.accept_dad=1
ip link set world up
ip link set eth0 up
ip address add ${ipv4}/24 dev eth0
ip route add default via 192.0.2.1
`;
