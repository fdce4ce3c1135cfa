import { homedir } from 'node:os';
import { join } from 'node:path';

/** Folder that keeps built binaries, one sub-folder per family and version. */
export function cacheFolder(env = process.env) {
  return join(env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'dualstack-operator', 'bin');
}
