import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { HostFiles } from '../../../src/agent/files.ts';
import { hostReportSchema } from '../../../src/api/node.ts';
import type { HostReport } from '../../../src/model/host.ts';
import { at } from '../../../src/model/object.ts';
import { err } from '../../../src/result.ts';
import { K0S_DUAL_TEXT, K0S_FILE, K0S_TEXT, K0S_WISH, K0sHost } from '../../support/k0s-host.ts';

let host: K0sHost;
beforeEach(() => {
  host = new K0sHost();
});
afterEach(() => host.clear());

const ask = (): void => host.ask({ k0s: K0S_WISH });
/** Asked, carried out, and looked at a second later. */
const askAndSettle = async (): Promise<void> => {
  ask();
  await host.settle();
  await host.settle(1);
};
const report = (): HostReport => host.object?.status as HostReport;
const isDual = (text: string): boolean => text === K0S_DUAL_TEXT;
/** The file, and how often k0s was restarted. */
const state = (): readonly [string, number] => [host.read(K0S_FILE), host.k0sRestarts];

test('first values are safe before the file is edited; one restart; in force when the processes show it', async () => {
  ask();
  host.apiUp = false;
  await host.settle();
  expect(state()).toEqual([K0S_TEXT, 0]);
  host.apiUp = true;
  await host.settle(1);
  await host.settle(1);
  expect(state()).toEqual([K0S_DUAL_TEXT, 1]);
  expect(host.condition('Applied')).toMatchObject({ status: 'True' });
  expect(report().recorded.k0s).toMatchObject({
    'spec.network.podCIDR': '10.244.0.0/16',
    'spec.network.dualStack.enabled': null,
  });
  expect(at(report(), 'k0s')).toMatchObject({ byHand: '', healthy: true });
  expect(hostReportSchema.shape.k0s.safeParse(report().k0s).success).toBe(true);
  expect(hostReportSchema.shape.recorded.safeParse(report().recorded).success).toBe(true);
  expect(host.read(`/var/lib/dualstack/backup${K0S_FILE}`)).toBe(K0S_TEXT);
  await host.settle(700);
  expect(state()).toEqual([K0S_DUAL_TEXT, 1]);
});

test('while k0s is away its report stays, so that the host does not count as one that nobody sees', async () => {
  host.onK0sRestart = () => host.stopK0s();
  ask();
  await host.settle();
  await host.settle(5);
  expect(report().k0s).toMatchObject({ byHand: '', running: { 'kube-apiserver': null } });
  host.startK0s();
  await host.settle(1);
  expect(host.condition('Applied').status).toBe('True');
});

test('what nobody asked for is not restarted', async () => {
  host.ask({});
  await host.settle();
  host.ask({
    k0s: { ...K0S_WISH, set: {}, shows: { 'kube-apiserver': { 'service-cluster-ip-range': '10.96.0.0/16' } } },
  });
  await host.settle();
  expect(state()).toEqual([K0S_TEXT, 0]);
  expect(host.condition('Applied').status).toBe('True');
});

test('a file that somebody has written and not read in is read in', async () => {
  host.write(K0S_FILE, K0S_DUAL_TEXT);
  await askAndSettle();
  expect(state()).toEqual([K0S_DUAL_TEXT, 1]);
  expect(host.condition('Applied').status).toBe('True');
});

describe('undone', () => {
  test('a file that k0s refuses, within 20 s of its end; and not tried again for that spec', async () => {
    host.works = (text) => !isDual(text);
    ask();
    await host.settle();
    await host.settle(15);
    expect(state()).toEqual([K0S_DUAL_TEXT, 1]);
    await host.settle(10);
    expect(state()).toEqual([K0S_TEXT, 2]);
    await host.settle(1);
    expect(host.condition('RolledBack')).toMatchObject({ status: 'True' });
    expect(host.condition('RolledBack').message).toContain('k0s ended and has not run for');
    expect(host.condition('Applied').reason).toBe('Refused');
    expect(report().refused).toContainEqual(
      expect.objectContaining({ component: 'k0s', flag: 'spec.network.dualStack.enabled', value: 'true' }),
    );
    await host.settle(600);
    expect(state()).toEqual([K0S_TEXT, 2]);
    host.works = () => true;
    ask();
    await host.settle();
    expect(state()).toEqual([K0S_DUAL_TEXT, 3]);
  });

  test('an API server that does not come, after 180 s, with the API away', async () => {
    ask();
    host.onK0sRestart = () => {
      host.startK0s();
      host.health['/readyz'] = !isDual(host.read(K0S_FILE));
      host.apiUp = !isDual(host.read(K0S_FILE));
    };
    await host.settle();
    await host.settle(170);
    expect(state()).toEqual([K0S_DUAL_TEXT, 1]);
    await host.settle(15);
    expect(state()).toEqual([K0S_TEXT, 2]);
    await host.settle(1);
    expect(host.condition('RolledBack').status).toBe('True');
  });

  test('a control plane that runs with other networks than it was to', async () => {
    // A k0s that writes the pod networks IPv6 first.
    host.version = 'v1.30.0+k0s';
    ask();
    await host.settle();
    await host.settle(100);
    expect(host.condition('Applied').reason).toBe('Applying');
    await host.settle(85);
    expect(state()).toEqual([K0S_TEXT, 2]);
  });

  test('a controller manager that works and then ends again and again, as one does whose networks do not fit the Nodes', async () => {
    await askAndSettle();
    expect(host.condition('Applied').status).toBe('True');
    for (let crash = 0; crash < 3; crash += 1) {
      expect(state()).toEqual([K0S_DUAL_TEXT, 1]);
      host.stop('kube-controller-manager');
      await host.settle(1);
      host.startManager();
      await host.settle(16);
    }
    expect(state()).toEqual([K0S_TEXT, 2]);
    expect(host.condition('RolledBack').message).toContain('exited 3 times');
  });

  test('the bytes, also where somebody wrote something else into the file meanwhile: only our settings go', async () => {
    host.works = (text) => !text.includes('enabled: true');
    ask();
    await host.settle();
    host.write(K0S_FILE, `${host.read(K0S_FILE)}  storage: {type: etcd}\n`);
    await host.settle(1);
    await host.settle(25);
    expect(host.read(K0S_FILE)).toBe(`${K0S_TEXT}  storage: {type: etcd}\n`);
  });
});

test('a user’s own restarts of k0s are no crashes of what it runs', async () => {
  await askAndSettle();
  for (let restart = 0; restart < 2; restart += 1) {
    host.startK0s();
    await host.settle(30);
  }
  expect(state()).toEqual([K0S_DUAL_TEXT, 1]);
});

test('a component that ended by itself is k0s’ to start again, and no reason to restart k0s', async () => {
  await askAndSettle();
  host.stop('kube-controller-manager');
  await host.settle(5);
  expect(host.condition('Applied')).toMatchObject({
    reason: 'Applying',
    message: expect.stringContaining('waiting for k0s'),
  });
  host.startManager();
  await host.settle(5);
  expect(state()).toEqual([K0S_DUAL_TEXT, 1]);
  expect(host.condition('Applied').status).toBe('True');
});

test('somebody takes it out after it was in force: told, and left until asked again', async () => {
  await askAndSettle();
  host.write(K0S_FILE, K0S_TEXT);
  await host.settle(1);
  expect(host.condition('Applied').reason).toBe('Drifted');
  expect(state()).toEqual([K0S_TEXT, 1]);
});

describe('a boot', () => {
  test.each([
    ['after the file was written and before k0s was asked to restart', 0],
    ['while k0s restarts', 1],
  ])('%s', async (_name, restarts) => {
    host.onK0sRestart = () => host.stopK0s();
    ask();
    if (restarts === 0) host.busProblem = 'the bus is gone';
    await host.settle();
    expect(host.k0sRestarts).toBe(restarts);
    host.busProblem = null;
    host.reboot();
    host.startKubelet();
    host.startK0s();
    host.onK0sRestart = () => host.startK0s();
    host.newAgent();
    await host.settle();
    await host.settle(1);
    expect(host.read(K0S_FILE)).toBe(K0S_DUAL_TEXT);
    expect(host.k0sRestarts).toBeLessThanOrEqual(1);
    expect(host.condition('Applied').status).toBe('True');
  });

  test('with a file that k0s refuses: it is put back and k0s started', async () => {
    host.works = (text) => !isDual(text);
    ask();
    await host.settle();
    host.reboot();
    host.startKubelet();
    host.newAgent();
    await host.settle();
    await host.settle(25);
    expect(host.read(K0S_FILE)).toBe(K0S_TEXT);
    await host.settle(1);
    expect(host.condition('RolledBack').status).toBe('True');
  });
});

/** Writes nothing any more from the given one on. */
const dyingAt = (files: HostFiles, dies: (path: string, count: number) => boolean): HostFiles => {
  let count = 0;
  let isDead = false;
  return {
    ...files,
    replace: (path, text, mode) => {
      count += 1;
      isDead ||= dies(path, count);
      return isDead ? err('killed') : files.replace(path, text, mode);
    },
  };
};

describe('an agent that is killed', () => {
  test('at any write: the next one ends with the file changed and k0s restarted once or twice, or begins anew', async () => {
    for (let at = 1; at <= 8; at += 1) {
      const tried = new K0sHost();
      tried.newAgent(dyingAt(tried.files, (_, count) => count >= at));
      tried.ask({ k0s: K0S_WISH });
      for (let pass = 0; pass < 12; pass += 1) await tried.pass();
      expect([K0S_TEXT, K0S_DUAL_TEXT]).toContain(tried.read(K0S_FILE));
      tried.newAgent();
      await tried.settle(1);
      await tried.settle(130);
      await tried.settle(1);
      expect([at, tried.read(K0S_FILE)]).toEqual([at, K0S_DUAL_TEXT]);
      expect(tried.condition('Applied')).toMatchObject({ status: 'True' });
      tried.clear();
    }
  });

  test('between journal and file: k0s is not restarted for nothing', async () => {
    host.newAgent(dyingAt(host.files, (path) => path === K0S_FILE));
    ask();
    for (let pass = 0; pass < 3; pass += 1) await host.pass();
    host.ask({});
    host.newAgent();
    await host.settle();
    await host.settle(1);
    expect(state()).toEqual([K0S_TEXT, 0]);
  });

  test('in the middle of an undo: it is finished, and remembered as refused', async () => {
    host.works = (text) => !isDual(text);
    await askAndSettle();
    let writes = 0;
    host.newAgent(dyingAt(host.files, (path) => path === K0S_FILE && (writes += 1) > 0));
    host.elapse(25_000);
    for (let pass = 0; pass < 3; pass += 1) await host.pass();
    expect(host.read(K0S_FILE)).toBe(K0S_DUAL_TEXT);
    host.newAgent();
    await host.settle();
    await host.settle(1);
    expect(host.read(K0S_FILE)).toBe(K0S_TEXT);
    expect(host.condition('RolledBack').status).toBe('True');
  });
});

describe('left to people', () => {
  test.each<[string, () => void, RegExp]>([
    [
      'another file',
      () => {
        host.write('/srv/k.yaml', K0S_TEXT);
        host.startK0s(['--config=/srv/k.yaml']);
      },
      /told to read \/srv\/k\.yaml/u,
    ],
    ['no file', () => host.remove(K0S_FILE), /there is no \/etc\/k0s\/k0s\.yaml/u],
    [
      'no service of systemd',
      () => {
        for (const pid of host.files.list('/proc'))
          if (host.exists(`/proc/${pid}/cgroup`)) host.remove(`/proc/${pid}/cgroup`);
      },
      /k0scontroller\.service/u,
    ],
    ['no bus', () => host.remove('/run/dbus/system_bus_socket'), /system_bus_socket is not there/u],
    ['aliases', () => host.write(K0S_FILE, `x: &a {enabled: true}\ny: *a\n${K0S_TEXT}`), /refers to parts of itself/u],
  ])('%s', async (_name, prepare, why) => {
    prepare();
    const before = host.exists(K0S_FILE) ? host.read(K0S_FILE) : null;
    ask();
    await host.settle();
    expect(report().k0s?.byHand).toMatch(why);
    expect(host.condition('Applied')).toMatchObject({ status: 'False', reason: 'NotFound' });
    expect([host.exists(K0S_FILE) ? host.read(K0S_FILE) : null, host.k0sRestarts]).toEqual([before, 0]);
  });
});

test.each<[string, unknown]>([
  ['a setting that is none of the list', { ...K0S_WISH, set: { 'spec.api.address': '192.0.2.9' } }],
  ['a value of another kind', { ...K0S_WISH, set: { 'spec.network.dualStack.enabled': 'yes' } }],
  ['a value with a line break', { ...K0S_WISH, set: { 'spec.network.podCIDR': '10.0.0.0/16\nx' } }],
  ['set and absent', { ...K0S_WISH, absent: ['spec.network.dualStack.enabled'] }],
  ['a flag that is not looked at', { ...K0S_WISH, shows: { 'kube-apiserver': { 'secure-port': '1' } } }],
])('refused as a whole: %s', async (_name, k0s) => {
  host.ask({ k0s });
  await host.settle();
  expect(state()).toEqual([K0S_TEXT, 0]);
  expect(host.condition('Applied').reason).toBe('NotAllowed');
});

test('the stop file', async () => {
  host.write('/etc/dualstack/stop', '');
  ask();
  await host.settle();
  expect(state()).toEqual([K0S_TEXT, 0]);
});
