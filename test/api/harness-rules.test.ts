import { execFile } from 'node:child_process';
import { chmod, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { findBinaries, linkFlags } from '../../hack/binaries.mjs';
import { network } from '../cluster/addresses.ts';
import { assignment, detect, isConflist, nthAddress, type Pool } from '../cluster/calicorules.ts';
import { ipv6Hex } from '../cluster/hostfiles.ts';
import { mapAddresses } from '../cluster/launch.ts';
import { parseNodeIP, reportedAddresses } from '../cluster/nodeip.ts';

const run = promisify(execFile);

const pool = (cidr: string, disabled = false): Pool => ({ name: cidr, cidr, disabled, vxlan: true, ipip: false });
const script = async (file: string, text: string): Promise<void> => {
  await mkdir(join(file, '..'), { recursive: true });
  await writeFile(file, `#!/bin/sh\n${text}\n`);
  await chmod(file, 0o755);
};
describe('the kubelet’s --node-ip', () => {
  test.each([
    [undefined, []],
    ['192.0.2.1', ['192.0.2.1']],
    ['192.0.2.1,2001:DB8::0:1', ['192.0.2.1', '2001:db8::1']],
    ['2001:db8::1,192.0.2.1', ['2001:db8::1', '192.0.2.1']],
    ['nonsense,192.0.2.1', ['192.0.2.1']],
  ])('%s is understood', (flag, addresses) => {
    expect(parseNodeIP(flag)).toEqual({ ok: true, value: addresses });
  });

  test.each([
    '192.0.2.1,192.0.2.2',
    '2001:db8::1,2001:db8::2',
    '0.0.0.0,2001:db8::1',
    '192.0.2.1,2001:db8::1,192.0.2.3',
  ])('%s ends it', (flag) => {
    expect(parseNodeIP(flag).ok).toBe(false);
  });

  test.each([
    [[], ['192.0.2.1', '2001:db8::1'], ['192.0.2.1']],
    [['::'], ['192.0.2.1', '2001:db8::1'], ['2001:db8::1']],
    [['2001:db8::1'], ['192.0.2.1', '2001:db8::1'], ['2001:db8::1']],
    [
      ['192.0.2.1', '2001:db8::1'],
      ['192.0.2.1', '2001:db8::1'],
      ['192.0.2.1', '2001:db8::1'],
    ],
    [['192.0.2.1', '2001:db8::1'], ['192.0.2.1'], undefined],
    [[], [], undefined],
  ])('%j on a host with %j reports %j', (flag, onHost, reported) => {
    const outcome = reportedAddresses(flag, onHost);
    expect(outcome.ok ? outcome.value : undefined).toEqual(reported);
  });
});

test.each([
  ['https://127.0.0.1:2379,https://192.0.2.2:2379', 'https://127.9.9.2:2379'],
  ['https://[2001:db8::1]:6443', 'https://127.9.9.1:6443'],
  ['https://192.0.2.254:6443', 'https://127.9.9.254:6443'],
  ['10.96.0.0/16,fd00:10:96::/112', '10.96.0.0/16,fd00:10:96::/112'],
  ['192.0.2.111', '192.0.2.111'],
  ['1192.0.2.1', '1192.0.2.1'],
  ['*,bootstrapsigner', '*,bootstrapsigner'],
])('on the second node %s is launched as %s', (text, launched) => {
  const net = network('127.9.9', 3, 0);
  expect(mapAddresses({ node: net.nodes[1]!, network: net }, text)).toBe(launched);
});

describe('the played Calico', () => {
  const both = [pool('10.244.0.0/16'), pool('fd00::/64')];

  test.each([
    ['{}', both, ['IPv4']],
    ['"assign_ipv6": "true"', both, ['IPv4', 'IPv6']],
    ['"assign_ipv6": "false"', both, ['IPv4']],
    ['"assign_ipv6": true', both, 'cannot unmarshal bool'],
    ['"assign_ipv6": "true"', [pool('10.244.0.0/16')], 'cannot find a qualified ippool'],
    ['"assign_ipv6": "true"', [pool('10.244.0.0/16'), pool('fd00::/64', true)], 'cannot find a qualified ippool'],
  ])('with %s gives %#', (installed, pools, expected) => {
    const given = assignment(installed, pools);
    if (typeof expected === 'string') expect(given).toEqual({ failure: expect.stringContaining(expected) });
    else expect(given).toEqual({ families: expected });
  });

  const dual = { onHost: ['192.0.2.1', '2001:db8::1'], internalIPs: ['192.0.2.1'] };
  test.each([
    [{}, undefined, 'nothing'],
    [{ IP6: 'none' }, undefined, 'nothing'],
    [{ IP6: 'autodetect' }, undefined, 'write'],
    [{ IP6: 'autodetect', IP6_AUTODETECTION_METHOD: 'kubernetes-internal-ip' }, undefined, 'fail'],
    [{ IP6: 'autodetect', IP6_AUTODETECTION_METHOD: 'kubernetes-internal-ip' }, '2001:db8::9/64', 'nothing'],
    [{ IP6: 'autodetect', CALICO_NETWORKING_BACKEND: 'none' }, undefined, 'nothing'],
    [{ IP6: 'x' }, undefined, 'fail'],
  ])('with %j and stored %s does: %s', (environment, stored, does) => {
    expect(detect('IPv6', environment, stored, dual).does).toBe(does);
  });

  test.each([
    [{}, undefined, 'write'],
    [{}, '192.0.2.9/24', 'nothing'],
    [{ IP: 'none' }, undefined, 'nothing'],
    [{ IP: 'autodetect' }, '192.0.2.9/24', 'write'],
    [{ IP: '192.0.2.7' }, undefined, 'write'],
    [{ IP: '2001:db8::7' }, undefined, 'fail'],
  ])('of IPv4 with %j and stored %s does: %s', (environment, stored, does) => {
    expect(detect('IPv4', environment, stored, dual).does).toBe(does);
    const lacks = { onHost: ['2001:db8::1'], internalIPs: ['2001:db8::1'] };
    if (stored === undefined && does === 'write' && !('IP' in environment && environment.IP !== 'autodetect'))
      expect(detect('IPv4', environment, stored, lacks).does).toBe('fail');
  });

  test('takes a network configuration for JSON only once its placeholders are gone', () => {
    expect(isConflist('{"mtu": __CNI_MTU__}')).toBe(true);
    expect(isConflist('{"mtu": __CNI_MTU__,}')).toBe(false);
  });
});

test.each([
  ['10.244.0.0/16', 1001, '10.244.3.233'],
  ['fd00:10:244::/64', 255, 'fd00:10:244::ff'],
])('address of %s number %i is %s', (cidr, n, address) => expect(nthAddress(cidr, n)).toBe(address));

test('an address is written as the kernel writes it', () => {
  expect(ipv6Hex('2001:db8::1')).toBe('20010db8000000000000000000000001');
  expect(ipv6Hex('::1')).toBe(`${'0'.repeat(31)}1`);
});

describe('the search for binaries', () => {
  let dir: string;
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'dualstack-binaries-'));
  });
  afterEach(async () => await rm(dir, { recursive: true, force: true }));

  /** A toolchain that takes its time and writes down each build. */
  const fakeGo = async (build: string): Promise<NodeJS.ProcessEnv> => {
    await script(
      join(dir, 'bin/go'),
      `[ "$1" = env ] && { echo go1.26; exit; }\necho build >> ${dir}/builds\nwhile [ "$1" != -o ]; do shift; done\n${build}`,
    );
    return { PATH: [join(dir, 'bin'), process.env['PATH']].join(delimiter), XDG_CACHE_HOME: join(dir, 'cache') };
  };
  const silent = { names: ['etcd'], version: '1.36.3', log: () => {} };

  test('takes KUBEBUILDER_ASSETS first, but not another version of Kubernetes', async () => {
    const env = { ...(await fakeGo('exit 1')), KUBEBUILDER_ASSETS: join(dir, 'assets') };
    await script(join(dir, 'assets/etcd'), 'exit');
    await script(join(dir, 'assets/kube-apiserver'), 'echo Kubernetes v1.30.0');
    await script(join(dir, 'cache/dualstack-operator/bin/kubernetes-v1.36.3/kube-apiserver'), 'exit');
    const told: string[] = [];
    const found = await findBinaries({
      ...silent,
      names: ['etcd', 'kube-apiserver'],
      env,
      log: (line) => told.push(line),
    });
    expect(found['etcd']).toBe(join(dir, 'assets/etcd'));
    expect(found['kube-apiserver']).toBe(join(dir, 'cache/dualstack-operator/bin/kubernetes-v1.36.3/kube-apiserver'));
    expect(told.join('\n')).toContain('is v1.30.0, not v1.36.3');
  });

  test('builds once for two that ask at the same time', async () => {
    const env = await fakeGo('sleep 1; echo > "$2"; chmod 755 "$2"');
    const [one, two] = await Promise.all([findBinaries({ ...silent, env }), findBinaries({ ...silent, env })]);
    expect(one).toEqual({ etcd: join(dir, 'cache/dualstack-operator/bin/etcd/etcd') });
    expect(two).toEqual(one);
    expect((await run('cat', [join(dir, 'builds')])).stdout).toBe('build\n');
  });

  test('a build that fails says so and leaves nothing that looks built', async () => {
    const env = await fakeGo('echo half > "$2"; echo no space left >&2; exit 1');
    await expect(findBinaries({ ...silent, env })).rejects.toThrow(/building etcd failed[^]*no space left/);
    expect(await readdir(join(dir, 'cache/dualstack-operator/bin/etcd'))).toEqual([]);
  });

  test('without a toolchain it says how to get them', async () => {
    const env = { PATH: '', XDG_CACHE_HOME: join(dir, 'cache') };
    await expect(findBinaries({ ...silent, env })).rejects.toThrow(
      /not found: etcd[^]*install Go[^]*KUBEBUILDER_ASSETS/,
    );
  });

  test('takes over the lock of a run that is gone', async () => {
    const env = await fakeGo('echo > "$2"; chmod 755 "$2"');
    const lock = join(dir, 'cache/dualstack-operator/bin/etcd/etcd.lock');
    await mkdir(join(lock, '..'), { recursive: true });
    await writeFile(lock, '999999999');
    expect(Object.keys(await findBinaries({ ...silent, env }))).toEqual(['etcd']);
  });

  test('stamps the version that components compare', () => {
    expect(linkFlags('1.33.13')).toContain(
      '-X k8s.io/component-base/version.gitVersion=v1.33.13 -X k8s.io/component-base/version.gitMajor=1',
    );
  });
});
