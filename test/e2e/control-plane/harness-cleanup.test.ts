import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, expect, test } from '@jest/globals';

let owner: ChildProcess | undefined;
afterEach(() => {
  owner?.kill('SIGKILL');
});

/** Starts a cluster in a process of its own, until its four components run. */
async function startOwner(): Promise<{ child: ChildProcess; dir: string; pids: number[] }> {
  const child = spawn(process.execPath, [join(import.meta.dirname, '../../cluster/up.ts')], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  owner = child;
  const pids: number[] = [];
  let dir = '';
  for await (const line of createInterface({ input: child.stderr })) {
    dir ||= /files are in (\S+)/.exec(line)?.[1] ?? '';
    const pid = /started \((\d+)\)/.exec(line)?.[1];
    if (pid) pids.push(Number(pid));
    if (pids.length === 4) break;
  }
  return { child, dir, pids };
}

async function untilGone(paths: readonly string[]): Promise<void> {
  const deadline = Date.now() + 20_000;
  while (paths.some((path) => existsSync(path)) && Date.now() < deadline) await sleep(100);
  expect(paths.filter((path) => existsSync(path))).toEqual([]);
}

test.each(['SIGKILL', 'SIGINT', 'SIGTERM'] as const)(
  'an owner that ends by %s leaves nothing behind',
  async (signal) => {
    const { child, dir, pids } = await startOwner();
    expect(dir).not.toBe('');
    expect(existsSync(join(dir, 'cp-1/etc/kubernetes/admin.conf'))).toBe(true);
    const ended = once(child, 'exit');
    child.kill(signal);
    await ended;
    await untilGone([dir, ...pids.map((pid) => `/proc/${pid}`)]);
  },
);
