import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const SETTING = '/proc/sys/fs/inotify/max_user_instances';
/** A node needs about 25 and a kernel allows 128 to all of root's processes together, unless it is told otherwise. */
const WANTED = 8192;
const NOTE = '.inotify-instances-before';

/**
 * Raises the one limit of the whole machine that several nodes need higher than it often is: how many inotify instances root may have. The value
 * from before is noted in `folder`, for `restoreLimits`.
 */
export function raiseLimits(folder: string): void {
  const before = readFileSync(SETTING, 'utf8').trim();
  if (Number(before) >= WANTED) return;
  mkdirSync(folder, { recursive: true });
  if (!existsSync(join(folder, NOTE))) writeFileSync(join(folder, NOTE), before);
  writeFileSync(SETTING, String(WANTED));
}

/** To be called when no cluster is left. */
export function restoreLimits(folder: string): void {
  const note = join(folder, NOTE);
  if (!existsSync(note)) return;
  writeFileSync(SETTING, readFileSync(note, 'utf8'));
  rmSync(note);
}
