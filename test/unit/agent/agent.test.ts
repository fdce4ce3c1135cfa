import { afterEach, beforeEach, expect, test } from '@jest/globals';
import type { HostFiles } from '../../../src/agent/files.ts';
import { err } from '../../../src/result.ts';
import { APISERVER, KCM, KUBELET_ENV, TestHost, apiServerManifest, kcmManifest } from '../../support/agent-host.ts';

let host: TestHost;
beforeEach(() => {
  host = new TestHost();
});
afterEach(() => host.clear());

const DUAL = '10.96.0.0/16,fd00:10:96::/112';
const NODE_IPS = ['192.0.2.1', '2001:db8::1'];

test('a fresh host is reported whole, and then nothing more is written', async () => {
  host.ask({});
  await host.settle();
  expect(host.object?.status).toMatchObject({
    observedGeneration: 1,
    hostname: 'cp-1',
    addresses: [
      { address: '192.0.2.1', prefixLength: 24, interface: 'eth0', scope: 'Global' },
      { address: '127.0.0.1', interface: 'lo', scope: 'Host' },
      {
        address: '2001:db8::1',
        prefixLength: 64,
        interface: 'eth0',
        flags: ['permanent'],
        since: '2026-01-01T00:00:00.000Z',
      },
    ],
    network: {
      ipv6Disabled: false,
      forwarding: { IPv4: true, IPv6: false },
      defaultRoutes: { IPv4: { interface: 'eth0', learned: false } },
    },
    kubelet: { running: { args: { 'node-ip': '192.0.2.1' } }, source: KUBELET_ENV },
    staticPods: {
      'kube-apiserver': { file: APISERVER, args: { 'service-cluster-ip-range': '10.96.0.0/16' }, healthy: true },
      'kube-controller-manager': {
        running: { args: { 'cluster-cidr': '10.244.0.0/16', 'allocate-node-cidrs': 'true' } },
      },
    },
    stopped: false,
  });
  expect(host.condition('Applied')).toMatchObject({ status: 'True', reason: 'Applied' });
  expect(host.condition('Healthy')).toMatchObject({ status: 'True' });
  const writes = host.statusWrites;
  for (let i = 0; i < 30; i += 1) await host.settle(10);
  expect(host.statusWrites).toBe(writes);
});

test('a flag is edited after its first value is safe in the API, and is in force when the process has it', async () => {
  host.ask({ staticPods: { 'kube-apiserver': { 'service-cluster-ip-range': DUAL } } });
  host.apiUp = false;
  await host.settle();
  expect(host.read(APISERVER)).toBe(apiServerManifest());
  host.apiUp = true;
  await host.settle();
  await host.settle();
  expect(host.object?.status).toMatchObject({
    recorded: { staticPods: { 'kube-apiserver': { 'service-cluster-ip-range': '10.96.0.0/16' } } },
  });
  expect(host.read(APISERVER)).toBe(apiServerManifest(DUAL));
  expect(host.condition('Applied')).toMatchObject({ status: 'False', reason: 'Applying' });
  host.startFromManifest('kube-apiserver');
  await host.settle(2);
  expect(host.condition('Applied').status).toBe('True');
  const writes = host.statusWrites;
  for (let i = 0; i < 70; i += 1) await host.settle(10);
  expect(host.statusWrites).toBe(writes);
  expect(host.read('/var/lib/dualstack/state.json')).toContain('"watches": []');
  expect(host.read(`/var/lib/dualstack/backup${APISERVER}`)).toBe(apiServerManifest());
  expect(host.files.list('/etc/kubernetes/manifests')).toEqual(['kube-apiserver.yaml', 'kube-controller-manager.yaml']);
});

test('all flags of a component change in one edit, absent ones go', async () => {
  host.ask({
    staticPods: {
      'kube-controller-manager': { 'cluster-cidr': '10.244.0.0/16,fd00:10:244::/56', 'node-cidr-mask-size-ipv4': '24' },
    },
    absent: { 'kube-controller-manager': ['node-cidr-mask-size'] },
  });
  await host.settle();
  await host.settle();
  expect(host.read(KCM)).toBe(
    kcmManifest()
      .replace('10.244.0.0/16', '10.244.0.0/16,fd00:10:244::/56')
      .replace('    - --node-cidr-mask-size=24\n', '')
      .replace('    name: kube-c', '    - --node-cidr-mask-size-ipv4=24\n    name: kube-c'),
  );
});

test('the kubelet gets its pair, is restarted once, and is in force once it has stayed up and answers', async () => {
  host.onRestart = () => host.startKubelet();
  host.ask({ kubelet: { nodeIPs: NODE_IPS } });
  await host.settle();
  await host.settle(1);
  expect(host.read(KUBELET_ENV)).toBe(
    'KUBELET_KUBEADM_ARGS="--node-ip=192.0.2.1,2001:db8::1 --pod-infra-container-image=pause"\n',
  );
  expect(host.restarts).toBe(1);
  expect(host.condition('Applied').status).toBe('False');
  await host.settle(2);
  expect(host.condition('Applied').status).toBe('True');
  await host.settle(600);
  expect(host.restarts).toBe(1);
  expect(host.object?.status).toMatchObject({ recorded: { kubelet: { nodeIP: '192.0.2.1' } } });
});

test('an address that is not there, or is in doubt, is not given to the kubelet', async () => {
  host.ask({ kubelet: { nodeIPs: NODE_IPS } });
  for (const lines of [
    [],
    ['20010db8000000000000000000000001 02 40 00 c0 eth0'],
    ['20010db8000000000000000000000001 02 40 00 88 eth0'],
  ]) {
    host.setIPv6(...lines);
    await host.settle(10);
    expect(host.condition('Applied')).toMatchObject({ reason: 'AddressMissing' });
    expect(host.condition('Applied').message).toContain('2001:db8::1');
  }
  expect(host.restarts).toBe(0);
  host.setIPv6('20010db8000000000000000000000001 02 40 00 80 eth0');
  host.onRestart = () => host.startKubelet();
  await host.settle(10);
  await host.settle(10);
  await host.settle(10);
  expect(host.condition('Applied').status).toBe('True');
});

test('what another hand changes later is told, and put right only when asked again', async () => {
  host.ask({ staticPods: { 'kube-apiserver': { 'service-cluster-ip-range': DUAL } } });
  await host.settle();
  await host.settle();
  host.startFromManifest('kube-apiserver');
  await host.settle(2);
  expect(host.condition('Applied').status).toBe('True');

  host.write(APISERVER, apiServerManifest());
  for (const agent of ['the same', 'a new one']) {
    if (agent === 'a new one') host.newAgent();
    await host.settle(60);
    expect(host.read(APISERVER)).toBe(apiServerManifest());
    expect(host.condition('Applied')).toMatchObject({ status: 'False', reason: 'Drifted' });
    expect(host.condition('Applied').message).toContain(`--service-cluster-ip-range=${DUAL}`);
    expect(host.condition('RolledBack').status).toBe('False');
  }

  host.ask({ staticPods: { 'kube-apiserver': { 'service-cluster-ip-range': DUAL } }, again: '1' });
  await host.settle();
  await host.settle();
  expect(host.read(APISERVER)).toBe(apiServerManifest(DUAL));
});

test('what was asked for in the middle of a pass is not said to be answered by it', async () => {
  const settings = { staticPods: { 'kube-apiserver': { 'service-cluster-ip-range': DUAL } } };
  host.ask({});
  await host.settle();
  const before = host.object!.generation;
  let isAsked = false;
  Object.defineProperty(host.health, '/readyz', {
    get: () => {
      if (!isAsked) host.ask(settings);
      isAsked = true;
      return true;
    },
  });
  host.write('/proc/sys/net/ipv4/ip_forward', '0\n');
  await host.pass();
  expect(host.object!.generation).toBe(before + 1);
  expect(host.condition('Applied')).toMatchObject({ status: 'True', observedGeneration: before });
});

test('a pair that comes with a token needs one restart, not two, also for an agent that is killed in the middle', async () => {
  host.onRestart = () => host.startKubelet();
  host.ask({ kubelet: { nodeIPs: NODE_IPS }, restart: { kubelet: 'first' } });
  await host.settle();
  host.newAgent();
  for (let i = 0; i < 10; i += 1) await host.settle(10);
  expect(host.condition('Applied')).toMatchObject({ status: 'True' });
  expect(host.restarts).toBe(1);
  host.ask({ kubelet: { nodeIPs: NODE_IPS }, restart: { kubelet: 'second' } });
  for (let i = 0; i < 10; i += 1) await host.settle(10);
  expect(host.restarts).toBe(2);
});

test('a restart token asks for one restart', async () => {
  host.onRestart = () => host.startKubelet();
  for (const token of ['1', '1', '2']) {
    host.ask({ restart: { kubelet: token } });
    await host.settle(60);
    await host.settle(60);
  }
  host.newAgent();
  await host.settle(60);
  expect(host.restarts).toBe(2);
  expect(host.condition('Applied').status).toBe('True');
});

test('sysctls are set, kept over a reboot, and leave nothing when they go back', async () => {
  host.ask({ sysctls: { 'net.ipv6.conf.all.forwarding': '1', 'net.ipv6.conf.eth0.accept_ra': '2' } });
  await host.settle();
  await host.settle();
  expect(host.read('/proc/sys/net/ipv6/conf/all/forwarding')).toBe('1\n');
  expect(host.read('/proc/sys/net/ipv6/conf/eth0/accept_ra')).toBe('2\n');
  expect(host.read('/etc/sysctl.d/99-zz-dualstack.conf')).toMatch(
    /^#.*\nnet.ipv6.conf.all.forwarding = 1\nnet.ipv6.conf.eth0.accept_ra = 2\n$/,
  );
  const order = host.logged.filter((line) => line.startsWith('Sysctl'));
  expect(order[0]).toContain('accept_ra');

  host.ask({ sysctls: { 'net.ipv6.conf.all.forwarding': '0', 'net.ipv6.conf.eth0.accept_ra': '1' } });
  await host.settle();
  expect(host.read('/proc/sys/net/ipv6/conf/all/forwarding')).toBe('0\n');
  expect(host.exists('/etc/sysctl.d/99-zz-dualstack.conf')).toBe(false);
  expect(host.condition('Applied').status).toBe('True');
});

test('a spec that asks for anything else changes nothing at all', async () => {
  host.ask({
    sysctls: { 'net.ipv6.conf.all.forwarding': '1' },
    staticPods: { 'kube-apiserver': { 'etcd-servers': 'https://203.0.113.1' } },
  });
  await host.settle();
  expect(host.condition('Applied')).toMatchObject({ status: 'False', reason: 'NotAllowed' });
  expect(host.condition('Applied').message).toContain('etcd-servers');
  expect(host.read('/proc/sys/net/ipv6/conf/all/forwarding')).toBe('0\n');
});

test('a garbage manifest is told and left alone; a file that cannot be written is told with a remedy', async () => {
  host.write(APISERVER, 'kind: Pod\n  spec: [\n');
  host.ask({ staticPods: { 'kube-apiserver': { 'service-cluster-ip-range': DUAL } } });
  await host.settle();
  expect(host.condition('Applied')).toMatchObject({ reason: 'Failed' });
  expect(host.condition('Applied').message).toContain(`${APISERVER}: the manifest is not YAML`);
  expect(host.condition('Healthy')).toMatchObject({ status: 'False', reason: 'ManifestUnusable' });

  host.write(APISERVER, apiServerManifest());
  const readOnly: HostFiles = {
    ...host.files,
    replace: (path, text, mode) =>
      path === APISERVER
        ? err(`${path} cannot be written: EROFS: read-only file system. Mount it writable.`)
        : host.files.replace(path, text, mode),
  };
  host.newAgent(readOnly);
  await host.settle();
  await host.settle();
  expect(host.condition('Applied')).toMatchObject({ reason: 'Failed' });
  expect(host.condition('Applied').message).toContain(`${APISERVER} cannot be written: EROFS`);
  expect(host.read('/var/lib/dualstack/state.json')).toContain('"watches": []');
});

test('a journal that cannot be understood stops everything and is told; first values in the API stay', async () => {
  host.ask({ sysctls: { 'net.ipv6.conf.all.forwarding': '1' } });
  await host.settle();
  await host.settle();
  host.write('/var/lib/dualstack/state.json', '{');
  host.write('/proc/sys/net/ipv6/conf/all/forwarding', '0\n');
  await host.settle(10);
  expect(host.condition('Applied')).toMatchObject({ status: 'False', reason: 'Failed' });
  expect(host.condition('Applied').message).toContain('/var/lib/dualstack/state.json cannot be understood');
  const writes = host.statusWrites;
  await host.settle(10);
  expect(host.statusWrites).toBe(writes);
  expect(host.object?.status).toMatchObject({ recorded: { sysctls: { 'net.ipv6.conf.all.forwarding': '0' } } });
  expect(host.read('/proc/sys/net/ipv6/conf/all/forwarding')).toBe('0\n');
});

test('a bus that is away is told once, and the restart is asked for again until it comes', async () => {
  host.busProblem = 'kubelet.service cannot be restarted: no socket';
  host.ask({ restart: { kubelet: '1' } });
  await host.settle();
  const writes = host.statusWrites;
  for (let i = 0; i < 10; i += 1) await host.settle(10);
  expect(host.condition('Applied')).toMatchObject({
    reason: 'Failed',
    message: 'kubelet.service cannot be restarted: no socket.',
  });
  expect(host.statusWrites).toBeLessThanOrEqual(writes + 1);
  host.busProblem = null;
  host.onRestart = () => host.startKubelet();
  await host.settle(30);
  expect(host.condition('Applied').status).toBe('True');
});

test('first values come back from the API when the host has lost its journal', async () => {
  host.ask({ staticPods: { 'kube-apiserver': { 'service-cluster-ip-range': DUAL } } });
  await host.settle();
  await host.settle();
  host.startFromManifest('kube-apiserver');
  await host.settle(5);
  host.remove('/var/lib/dualstack');
  host.newAgent();
  await host.settle(5);
  expect(host.read('/var/lib/dualstack/state.json')).toContain('"service-cluster-ip-range": "10.96.0.0/16"');
  expect(host.object?.status).toMatchObject({
    recorded: { staticPods: { 'kube-apiserver': { 'service-cluster-ip-range': '10.96.0.0/16' } } },
  });
});
