import { mkdir, open, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

const KEPT_BYTES = 4096;

/** One run of a static pod's container. */
export interface Run {
  readonly pod: string;
  readonly container: string;
  /** Hash of its manifest: the kubelet's uid of a static pod. */
  readonly uid: string;
  readonly restarts: number;
  readonly startedAt: number;
}

/** How long a log is already, to find what one run adds to it. */
export async function sizeOf(log: string): Promise<number> {
  return (await stat(log).catch(() => undefined))?.size ?? 0;
}

/** Writes a run's log where the kubelet keeps its containers' logs, in the form of a container runtime; while it runs there are no words in it yet. */
export async function keepRunLog(root: string, run: Run, words = ''): Promise<void> {
  const folder = join(root, 'var/log/pods', `kube-system_${run.pod}_${run.uid}`, run.container);
  await mkdir(folder, { recursive: true });
  const before = `${new Date(run.startedAt).toISOString()} stderr F `;
  const lines = words.split('\n').filter((line) => line !== '');
  const text = ['', ...lines].map((line) => `${before}${line}\n`).join('');
  await writeFile(join(folder, `${run.restarts}.log`), text);
}

/** What was added to a log since it had that size; of much only the end. */
export async function tailOf(log: string, from: number): Promise<string> {
  const file = await open(log, 'r');
  try {
    const { size } = await file.stat();
    const start = Math.max(from, size - KEPT_BYTES);
    const { buffer, bytesRead } = await file.read(Buffer.alloc(size - start), 0, size - start, start);
    return buffer.toString('utf8', 0, bytesRead);
  } finally {
    await file.close();
  }
}
