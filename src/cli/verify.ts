import type { Connectivity } from '../model/connectivity.ts';
import type { ProbeProgress } from '../model/probe.ts';
import { at, type KubeObject } from '../model/object.ts';
import type { Family } from '../net/family.ts';
import { connectivityStatus } from '../report/connectivity.ts';
import { err, ok, type Result } from '../result.ts';
import type { Dependencies } from './dependencies.ts';
import { EXIT, type ExitCode } from './exit-code.ts';
import { withOpenSession } from './look.ts';
import { documentText, type Format } from './output.ts';
import { printProgress, printProof, progressLine } from './print-verify.ts';
import { type ProofView, proofView } from './proof-view.ts';
import type { ClusterSession, Connection } from './session.ts';
import { condition, statusView } from './status-view.ts';
import { painter, printOptions } from './terminal.ts';

export interface VerifyOptions extends Connection {
  readonly output?: Exclude<Format, 'text'>;
  readonly run?: true;
  readonly ipFamilies?: readonly Family[];
  readonly probeImage?: string;
}

/** `kubectl dualstack verify`: the operator's last proof, or one of the user's own now. */
export const verify = (options: VerifyOptions, dependencies: Dependencies): Promise<ExitCode> =>
  withOpenSession(options, dependencies, (session) =>
    options.run === true ? runNow(session, options, dependencies) : showLast(session, options, dependencies),
  );

async function showLast(
  session: ClusterSession,
  options: VerifyOptions,
  { terminal, now }: Dependencies,
): Promise<Result<ExitCode, string>> {
  const found = await session.getResource();
  if (!found.ok) return found;
  if (found.value === null)
    return err('there is no DualStackCluster, so nothing was proven: "kubectl dualstack verify --run" tries it now');
  const said = condition(statusView(found.value), 'ConnectivityVerified');
  const connectivity = at(found.value, 'status', 'connectivity');
  const format = options.output ?? 'text';
  const screen = printOptions(terminal, format === 'wide', now());
  const view = connectivity === undefined ? null : proofView(connectivity);
  terminal.write(documentText(lastDocument(found.value), format) ?? printProof(view, said ?? null, screen));
  return ok(said?.status === 'True' ? EXIT.OK : EXIT.Attention);
}

const lastDocument = (resource: KubeObject): object => ({
  name: resource.metadata.name,
  verified: at(resource, 'status', 'verified') ?? null,
  connectivity: at(resource, 'status', 'connectivity') ?? null,
});

async function runNow(
  session: ClusterSession,
  options: VerifyOptions,
  dependencies: Dependencies,
): Promise<Result<ExitCode, string>> {
  const { terminal, now } = dependencies;
  const format = options.output ?? 'text';
  const screen = printOptions(terminal, format === 'wide', now());
  const proven = await session.probe({
    ...(options.ipFamilies === undefined ? {} : { families: options.ipFamilies }),
    ...(options.probeImage === undefined ? {} : { image: options.probeImage }),
    onProgress: format === 'json' || format === 'yaml' ? () => undefined : teller(dependencies, format === 'wide'),
  });
  if (!proven.ok) return proven;
  const document = connectivityStatus(proven.value);
  terminal.write(documentText(document, format) ?? printProof(viewOf(proven.value), null, screen));
  return ok(proven.value.hops.length === 0 ? EXIT.OK : EXIT.Attention);
}

const viewOf = (proven: Connectivity): ProofView => proofView(connectivityStatus(proven));

/** A table that is painted anew on a terminal; elsewhere a line for each thing that happened. */
function teller({ terminal, now }: Dependencies, wide: boolean): (progress: ProbeProgress) => void {
  if (terminal.interactive) {
    const paint = painter(terminal);
    return (progress) => paint(printProgress(progress, printOptions(terminal, wide, now())));
  }
  let last = '';
  return (progress) => {
    const line = progressLine(progress);
    if (line === last) return;
    last = line;
    terminal.write(`${new Date(now()).toISOString().slice(11, 19)} ${line}\n`);
  };
}
