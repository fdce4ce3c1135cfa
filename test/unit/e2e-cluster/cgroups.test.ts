import { expect, test } from '@jest/globals';
import { nodeCgroups, parseHierarchies } from '../../e2e/cluster/cgroups.ts';

const HYBRID = `30 25 0:26 / /sys/fs/cgroup ro,nosuid shared:8 - tmpfs tmpfs ro,mode=755
31 30 0:27 / /sys/fs/cgroup/unified rw shared:9 - cgroup2 cgroup2 rw
32 30 0:28 / /sys/fs/cgroup/systemd rw shared:10 - cgroup cgroup rw,xattr,name=systemd
35 30 0:31 / /sys/fs/cgroup/cpu,cpuacct rw shared:14 - cgroup cgroup rw,cpuacct,cpu
36 30 0:32 / /sys/fs/cgroup/memory rw shared:15 - cgroup cgroup rw,memory
40 25 0:40 / /mnt/cgroup rw - cgroup cgroup rw,pids
`;
const OWN = '12:memory:/jobs/7\n4:cpu,cpuacct:/\n1:name=systemd:/init.scope\n0::/init.scope\n';

test('finds each hierarchy below /sys/fs/cgroup with the options to mount it again, and the own place in it', () => {
  expect(parseHierarchies(HYBRID, OWN)).toEqual([
    { name: 'unified', type: 'cgroup2', options: '', folder: '/sys/fs/cgroup/unified/init.scope' },
    { name: 'systemd', type: 'cgroup', options: 'none,name=systemd', folder: '/sys/fs/cgroup/systemd/init.scope' },
    { name: 'cpu,cpuacct', type: 'cgroup', options: 'cpu,cpuacct', folder: '/sys/fs/cgroup/cpu,cpuacct/' },
    { name: 'memory', type: 'cgroup', options: 'memory', folder: '/sys/fs/cgroup/memory/jobs/7' },
  ]);
});

test('puts nodes below the own place, but below the root where there is cgroup v2 alone', () => {
  const hybrid = nodeCgroups(parseHierarchies(HYBRID, OWN), 'node');
  expect(hybrid).toContain('/sys/fs/cgroup/memory/jobs/7/node');
  const alone = '26 25 0:24 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n';
  expect(nodeCgroups(parseHierarchies(alone, '0::/user.slice/session-1.scope\n'), 'node')).toEqual([
    '/sys/fs/cgroup/node',
  ]);
});
