import type { Network } from '../model/networks.ts';
import type { KubeObject } from '../model/object.ts';
import { err, ok, type Result, unreachable } from '../result.ts';
import { type AskedByFlags, isAskedByFlags, resourceFromFile, resourceFromFlags } from './asked.ts';
import type { Dependencies } from './dependencies.ts';
import { EXIT, type ExitCode } from './exit-code.ts';
import { type Format, observeErrorText } from './output.ts';
import { complain } from './terminal.ts';
import type { ClusterSession, Connection, Contact, Observation, ObserveError } from './session.ts';

/** Options of the commands that compare a cluster with a wanted state. */
export interface LookOptions extends Connection, AskedByFlags {
  readonly output?: Exclude<Format, 'text'>;
  readonly filename?: string;
}

/** What a command gets to print. */
export interface Look extends Observation {
  readonly resource: KubeObject;
  /** Where the wanted state came from, for the first line of a screen. */
  readonly source: string;
  /** It is the one in the cluster. */
  readonly inCluster: boolean;
}

/** Why a command ends without what it was asked for. */
export interface Failure {
  readonly code: ExitCode;
  readonly message: string;
}

const failed = (message: string): Result<never, Failure> => err({ code: EXIT.Error, message });
export const misused = (message: string): Result<never, Failure> => err({ code: EXIT.Usage, message });

/** Connects, finds out what is wanted, looks once, and lets `use` print it. Whatever fails is told on standard error. */
export async function look(
  options: LookOptions,
  dependencies: Dependencies,
  use: (look: Look) => ExitCode,
): Promise<ExitCode> {
  const result = await withSession(options, dependencies, (session) => lookOnce(session, options, dependencies));
  if (result.ok) return use(result.value);
  complain(dependencies.terminal, `Error: ${result.error.message}`);
  return result.error.code;
}

/** Connects, finds out what is wanted, and lets `use` print each look at the nodes until the signal: that is how it ends well. */
export async function followNodes(
  options: LookOptions,
  dependencies: Dependencies,
  use: (seen: Observation) => void,
): Promise<ExitCode> {
  const { terminal, signal } = dependencies;
  const onContact = (contact: Contact): void => complain(terminal, contactText(contact));
  const result = await withSession(options, dependencies, async (session): Promise<Result<void, Failure>> => {
    const asked = await whatIsWanted(session, options, dependencies);
    if (!asked.ok) return asked;
    const { resource, inCluster } = asked.value;
    for await (const seen of session.watchNodes({ resource, inCluster, onContact }, signal)) {
      if (!seen.ok) return lookFailed(seen.error);
      use(seen.value);
    }
    return ok(undefined);
  });
  // What was under way when the reader had seen enough has not failed.
  if (result.ok || signal.aborted) return EXIT.OK;
  complain(terminal, `Error: ${result.error.message}`);
  return result.error.code;
}

function contactText(contact: Contact): string {
  switch (contact.is) {
    case 'Lost':
      return `Reconnecting to the API server: ${contact.why}`;
    case 'Back':
      return 'The API server answers again.';
    default:
      return unreachable(contact);
  }
}

async function withSession<T>(
  connection: Connection,
  dependencies: Dependencies,
  use: (session: ClusterSession) => Promise<Result<T, Failure>>,
): Promise<Result<T, Failure>> {
  const session = await dependencies.connect(connection);
  if (!session.ok) return failed(session.error);
  try {
    return await use(session.value);
  } finally {
    await session.value.close();
  }
}

async function lookOnce(
  session: ClusterSession,
  options: LookOptions,
  dependencies: Dependencies,
): Promise<Result<Look, Failure>> {
  const asked = await whatIsWanted(session, options, dependencies);
  if (!asked.ok) return asked;
  const { propose, ...wanted } = asked.value;
  const seen = await session.observe(wanted.resource);
  if (!seen.ok) return lookFailed(seen.error);
  const there = propose === undefined ? [] : networksThere(seen.value);
  if (propose === undefined || there.length === 0) return ok({ ...wanted, ...seen.value });
  const resource = propose(there);
  const again = await session.observe(resource);
  return again.ok ? ok({ ...wanted, resource, ...again.value }) : lookFailed(again.error);
}

/** Of which a cluster that has been dual-stack before anybody asked has both families already: nothing else can be proposed there. */
const networksThere = ({ plan }: Observation): readonly Network[] =>
  plan.findings.flatMap(({ liveNetwork }) => liveNetwork ?? []);

function lookFailed(error: ObserveError): Result<never, Failure> {
  const message = observeErrorText(error);
  return error.kind === 'Invalid' ? misused(message) : failed(message);
}

interface Wanted extends Pick<Look, 'resource' | 'source' | 'inCluster'> {
  /** The same, where these networks are left as they are. Absent: nothing was proposed. */
  readonly propose?: (there: readonly Network[]) => KubeObject;
}

/** A file, flags, the resource in the cluster, or a proposal: the first that there is. */
async function whatIsWanted(
  session: ClusterSession,
  options: LookOptions,
  dependencies: Dependencies,
): Promise<Result<Wanted, Failure>> {
  const byFlags = isAskedByFlags(options);
  if (options.filename !== undefined && byFlags)
    return misused('give either -f or flags for the wanted state, not both');
  if (options.filename !== undefined) return fromFile(options.filename, dependencies);
  if (!byFlags) {
    const governing = await session.getResource();
    if (!governing.ok) return failed(governing.error);
    if (governing.value !== null) {
      return ok({
        resource: governing.value,
        source: `DualStackCluster ${governing.value.metadata.name} in the cluster`,
        inCluster: true,
      });
    }
  }
  const live = await session.live();
  if (!live.ok) return failed(live.error);
  const complete = options.podNetworkCidr !== undefined && options.serviceCidr !== undefined;
  const propose = (there: readonly Network[]): KubeObject => resourceFromFlags(options, live.value, there);
  return ok({
    resource: propose([]),
    propose,
    inCluster: false,
    source:
      complete || options.ipFamilies?.includes(',') === false
        ? 'flags'
        : 'a proposal: choose your own networks with --pod-network-cidr and --service-cidr',
  });
}

/** The DualStackCluster in a file; `-` is standard input. */
export async function fromFile(file: string, dependencies: Dependencies): Promise<Result<Wanted, Failure>> {
  const name = file === '-' ? 'standard input' : file;
  try {
    const resource = resourceFromFile(name, await dependencies.readText(file));
    return resource.ok ? ok({ resource: resource.value, source: name, inCluster: false }) : misused(resource.error);
  } catch (error) {
    return failed(`${name} cannot be read: ${error instanceof Error ? error.message : String(error)}`);
  }
}

export async function withOpenSession(
  connection: Connection,
  dependencies: Dependencies,
  use: (session: ClusterSession) => Promise<Result<ExitCode, string>>,
): Promise<ExitCode> {
  const result = await withSession(connection, dependencies, async (session) => {
    const used = await use(session);
    return used.ok ? used : failed(used.error);
  });
  if (result.ok) return result.value;
  complain(dependencies.terminal, `Error: ${result.error.message}`);
  return result.error.code;
}
