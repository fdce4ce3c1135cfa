import type { KubeObject } from '../model/object.ts';
import { err, ok, type Result } from '../result.ts';
import type { Dependencies } from './dependencies.ts';
import { EXIT, type ExitCode } from './exit-code.ts';
import { withOpenSession } from './look.ts';
import { documentText, type Format } from './output.ts';
import { printStatus, statusLine } from './print-status.ts';
import type { ClusterSession, Connection } from './session.ts';
import { standing, statusView, type StatusView } from './status-view.ts';
import { complain, painter, printOptions } from './terminal.ts';

export interface StatusOptions extends Connection {
  readonly output?: Exclude<Format, 'text'>;
  readonly name?: string;
  readonly watch?: boolean;
}

/** `kubectl dualstack status`. */
export const status = (options: StatusOptions, dependencies: Dependencies): Promise<ExitCode> =>
  withOpenSession(options, dependencies, async (session) => {
    if (options.watch === true && options.output !== undefined && options.output !== 'wide') {
      return err(`--watch is for people: leave out -o ${options.output}, or use kubectl get --watch`);
    }
    const found = await session.getResource(options.name);
    if (!found.ok) return found;
    if (found.value === null) return err(missing(options.name));
    if (options.watch === true) return ok(await follow(session, found.value.metadata.name, options, dependencies));
    return show(found.value, options, dependencies);
  });

const missing = (name: string | undefined): string =>
  `there is no DualStackCluster${name === undefined ? '' : ` ${name}`}: apply one, or look ahead with "kubectl dualstack check"`;

function show(resource: KubeObject, options: StatusOptions, dependencies: Dependencies): Result<ExitCode, string> {
  const { terminal } = dependencies;
  const format = options.output ?? 'text';
  const view = statusView(resource);
  const screen = printOptions(terminal, format === 'wide', dependencies.now());
  terminal.write(documentText(statusDocument(resource), format) ?? printStatus(view, screen));
  return ok(verdict(view));
}

const statusDocument = (resource: KubeObject): object => ({
  name: resource.metadata.name,
  generation: resource.metadata.generation,
  status: resource['status'] ?? null,
});

const verdict = (view: StatusView): ExitCode => (standing(view) === 'Ready' ? EXIT.OK : EXIT.Attention);

/** Follows the resource until it is ready, needs its user, or the reader has seen enough. */
async function follow(
  session: ClusterSession,
  name: string,
  options: StatusOptions,
  dependencies: Dependencies,
): Promise<ExitCode> {
  const stop = new AbortController();
  const signal = AbortSignal.any([stop.signal, dependencies.signal]);
  const tell = teller(options, dependencies);
  let view: StatusView | null = null;
  // Only a screen shows ages: in a pipe nothing happens between two changes.
  if (dependencies.terminal.interactive) dependencies.everySecond(() => view !== null && tell(view), signal);
  try {
    for await (const resource of session.watchResource(name, signal)) {
      if (resource === null) {
        complain(dependencies.terminal, `DualStackCluster ${name} was deleted.`);
        return EXIT.Attention;
      }
      view = statusView(resource);
      tell(view);
      if (isSettled(view)) break;
    }
  } finally {
    stop.abort();
  }
  return view === null ? EXIT.Attention : verdict(view);
}

const isSettled = (view: StatusView): boolean => ['Ready', 'Stalled'].includes(standing(view));

/** A screen is painted anew; elsewhere each change is one more line, with its time. */
function teller(options: StatusOptions, dependencies: Dependencies): (view: StatusView) => void {
  const { terminal } = dependencies;
  if (terminal.interactive) {
    const paint = painter(terminal);
    return (view) => paint(printStatus(view, printOptions(terminal, options.output === 'wide', dependencies.now())));
  }
  let last = '';
  return (view) => {
    const line = statusLine(view);
    if (line === last) return;
    last = line;
    terminal.write(`${new Date(dependencies.now()).toISOString().slice(11, 19)} ${line}\n`);
  };
}
