import { spawn } from 'node:child_process';

export interface Outcome {
  readonly stdout: string;
  readonly stderr: string;
  /** Exit code; 128 + the signal's number for one that a signal ended, as shells count. */
  readonly code: number;
}

export interface RunOptions {
  readonly input?: string | Buffer | undefined;
  readonly env?: NodeJS.ProcessEnv | undefined;
  /** Milliseconds after which it is killed. */
  readonly timeout?: number | undefined;
}

const KILLED = 128 + 9;

/** Runs a program to its end, whatever that is: the caller judges the code. Only a program that cannot be started rejects. */
export function tryRun(argv: readonly string[], options: RunOptions = {}): Promise<Outcome> {
  const [program = '', ...args] = argv;
  return new Promise((done, failed) => {
    const child = spawn(program, args, {
      env: options.env ?? process.env,
      stdio: ['pipe', 'pipe', 'pipe'],
      // A group of its own: what it has started ends with it, also inside a node, where nsenter only waits for the real program.
      detached: options.timeout !== undefined,
    });
    const timer = options.timeout === undefined ? undefined : setTimeout(() => killGroup(child.pid), options.timeout);
    const stdout: Buffer[] = [];
    const stderr: Buffer[] = [];
    child.stdout.on('data', (chunk: Buffer) => stdout.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => stderr.push(chunk));
    child.once('error', failed);
    // A program that ends without having read its input is judged by its code.
    child.stdin.on('error', () => undefined);
    child.stdin.end(options.input ?? '');
    child.once('close', (code) => {
      clearTimeout(timer);
      done({
        stdout: Buffer.concat(stdout).toString(),
        stderr: Buffer.concat(stderr).toString(),
        code: code ?? KILLED,
      });
    });
  });
}

function killGroup(leader: number | undefined): void {
  try {
    if (leader !== undefined) process.kill(-leader, 'SIGKILL');
  } catch {
    // It has just ended by itself.
  }
}

/** As `tryRun`, but a code other than 0 is an error that tells the command and what it said. */
export async function run(argv: readonly string[], options: RunOptions = {}): Promise<Outcome> {
  const outcome = await tryRun(argv, options);
  if (outcome.code !== 0) throw new Error(failure(argv, outcome));
  return outcome;
}

export function failure(argv: readonly string[], outcome: Outcome): string {
  const said = (outcome.stderr.trim() || outcome.stdout.trim()).slice(-2000);
  return `${argv.join(' ').slice(0, 400)}: exit ${outcome.code}${said === '' ? '' : `: ${said}`}`;
}
