import { type ChildProcess, spawn } from 'node:child_process';

/**
 * Removes a cluster's folder when its owner is gone without having stopped it, even by SIGKILL: a shell that waits
 * for the end of a pipe which only the owner holds. The cluster's processes die by themselves (see launch).
 */
export function guardFolder(folder: string): ChildProcess {
  const script = 'read -r word; [ "$word" = keep ] || { sleep 1; rm -rf "$1"; }';
  const guard = spawn('sh', ['-c', script, 'sh', folder], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
    cwd: '/',
  });
  guard.unref();
  return guard;
}

type Stop = () => Promise<void>;
const running = new Set<Stop>();
let hooked = false;

/** Stops what is still running when the owner is asked to end. */
export function stopWithOwner(stop: Stop): () => void {
  running.add(stop);
  if (!hooked) {
    hooked = true;
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
      process.once(signal, () => void stopAll().then(() => process.kill(process.pid, signal)));
    }
  }
  return () => running.delete(stop);
}

async function stopAll(): Promise<void> {
  await Promise.allSettled([...running].map((stop) => stop()));
}
