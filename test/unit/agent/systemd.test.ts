import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { hostFiles } from '../../../src/agent/files.ts';
import { makeRestartService } from '../../../src/agent/systemd.ts';
import { Systemd } from '../../cluster/systemd.ts';

let root: string;
let systemd: Systemd;
let restarts: number;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'dsbus-'));
  restarts = 0;
  systemd = new Systemd({
    restart: () => {
      restarts += 1;
      return Promise.resolve();
    },
    activeState: () => 'active',
  });
});
afterEach(async () => {
  await systemd.stop();
  rmSync(root, { recursive: true, force: true });
});

test('asks systemd over its bus for a restart', async () => {
  await systemd.start(root);
  const restart = makeRestartService(hostFiles(root), 'kubelet.service');
  expect(await restart({ reloadUnits: false })).toEqual({ ok: true, value: undefined });
  expect(systemd.calls).toContain('RestartUnit(kubelet.service, replace)');
  expect(systemd.calls).not.toContain('Reload()');
  expect(restarts).toBe(1);
});

test('a changed unit is read again first', async () => {
  await systemd.start(root);
  const restart = makeRestartService(hostFiles(root), 'kubelet.service');
  expect((await restart({ reloadUnits: true })).ok).toBe(true);
  expect(systemd.calls.filter((call) => call.startsWith('Re'))).toEqual([
    'Reload()',
    'RestartUnit(kubelet.service, replace)',
  ]);
});

test('says what is wrong and what to do when systemd refuses or is not there', async () => {
  const files = hostFiles(root);
  const away = await makeRestartService(files, 'kubelet.service')({ reloadUnits: false });
  expect(away).toMatchObject({ ok: false, error: expect.stringContaining('/run/dbus/system_bus_socket is not there') });

  await systemd.start(root);
  const refused = await makeRestartService(files, 'nosuch.service')({ reloadUnits: false });
  expect(refused).toMatchObject({
    ok: false,
    error: expect.stringMatching(/^nosuch.service cannot be restarted: .+systemctl restart nosuch.service$/),
  });
});
