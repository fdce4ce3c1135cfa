import { type ChildProcess, spawn, type SpawnOptions } from 'node:child_process';
import { createInterface, type Interface } from 'node:readline';

/** How long a process may take to end when it is asked to. */
const PATIENCE_MS = 10_000;

/** Starts a program that does not outlive this one, however this one ends. */
export function startChild(program: string, args: readonly string[], options: SpawnOptions): ChildProcess {
  return spawn('setpriv', ['--pdeathsig', 'KILL', program, ...args], options);
}

/** What it says on standard output, which has to be a pipe. */
export function linesOf({ stdout }: ChildProcess): Interface {
  if (stdout === null) throw new Error('the standard output of this process is not read');
  return createInterface({ input: stdout });
}

/** Asks it to end, and ends it when it does not. */
export async function endChild(child: ChildProcess, signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.kill(signal);
  const timer = setTimeout(() => child.kill('SIGKILL'), PATIENCE_MS);
  await ended;
  clearTimeout(timer);
}
