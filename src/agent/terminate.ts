import { err, ok } from '../result.ts';
import type { Result } from '../result.ts';
import type { HostFiles } from './files.ts';
import { readProcess } from './procfs.ts';
import type { HostProcess } from './procfs.ts';

/** Asks one process of the host to end. */
export type Terminate = (process: HostProcess, program: string) => Result<void, string>;

/**
 * Signals by process id, so everything that the id stands for is looked at once more right before: that ids mean the same to this program as in
 * the host's `/proc`, and that the process is the one that was meant (start time, program, pod). Ids are given out in a circle: the microseconds
 * in between are too short for an id to come round.
 */
export function makeTerminate(
  files: HostFiles,
  ownPid: number,
  kill: (pid: number, signal: 'SIGTERM') => void,
): Terminate {
  return (wanted, program) => {
    if (!sharesProcessIds(files, ownPid)) {
      return err('this agent does not share the host’s process ids: give its pod hostPID');
    }
    const now = readProcess(files, wanted.pid, program);
    if (now === null || now.key !== wanted.key || now.pod !== wanted.pod) return err('it has ended meanwhile');
    try {
      kill(wanted.pid, 'SIGTERM');
      return ok(undefined);
    } catch (error) {
      return err(`it cannot be signalled: ${error instanceof Error ? error.message : String(error)}`);
    }
  };
}

/** `NSpid` lists a process's ids from the namespace of that `/proc` down to its own: a single one means that both are the same. */
function sharesProcessIds(files: HostFiles, ownPid: number): boolean {
  const ids = /^NSpid:\s*(.*)$/m.exec(files.read('/proc/self/status') ?? '')?.[1]?.trim();
  return ids === String(ownPid);
}
