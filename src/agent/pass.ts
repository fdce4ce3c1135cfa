import type { HostSettings } from '../model/host.ts';
import { ok } from '../result.ts';
import type { Result } from '../result.ts';
import { carryOut } from './act.ts';
import type { RestartService } from './act.ts';
import { canonicalText } from './canonical.ts';
import { checkSettings } from './allow.ts';
import { decide, isBusy } from './decide.ts';
import type { Asked, Decision } from './decide.ts';
import { HostFileError } from './files.ts';
import type { HostFiles } from './files.ts';
import { readHost } from './host.ts';
import type { AskHealth, HostView } from './host.ts';
import { emptyJournal, loadJournal, mergeRecorded, parseRecorded, saveJournal } from './journal.ts';
import type { Journal, Restartable } from './journal.ts';
import { refreshJournal } from './refresh.ts';
import { makeStatus } from './status.ts';
import type { AgentStatus } from './status.ts';
import type { OwnInterfaces } from './netfs.ts';
import type { Shortener } from './shorten.ts';
import type { WatchOptions } from './watch.ts';

/** The agent's own DualStackNode, as it was last seen. */
export interface OwnObject {
  readonly name: string;
  readonly generation: number;
  /** As it came: the agent checks every part of it. */
  readonly spec: unknown;
  readonly status: unknown;
}

/** The agent's door to the API server. It knows one object only: that of its own node. */
export interface OwnNode {
  /** Null: not there, or not seen since the agent started. */
  current(): OwnObject | null;
  /** Replaces the status. The object afterwards, or why it could not be written: the API may be away for long. */
  writeStatus(status: AgentStatus): Promise<Result<OwnObject, string>>;
}

interface PassDeps {
  readonly files: HostFiles;
  readonly node: OwnNode;
  readonly ask: AskHealth;
  readonly interfaces: OwnInterfaces;
  readonly restart: Readonly<Record<Restartable, RestartService>>;
  readonly shortener: Shortener;
  readonly pause: (milliseconds: number) => Promise<unknown>;
  /** The wall clock, for what is told. What is measured goes by the host's time since its boot. */
  readonly now: () => number;
  readonly options: WatchOptions;
  readonly log: (message: string, detail?: Readonly<Record<string, unknown>>) => void;
}

export type Passed =
  /** Something was done: look again at once. */
  | 'Again'
  /** Something is under way that others wait for: look again soon. */
  | 'Busy'
  /** An edit works, and its crashes are still counted: look more often than when idle. */
  | 'Watching'
  | 'Idle';

/**
 * One pass: look, decide, do one thing, tell. Level-triggered: whatever happened in between, the next pass sees it.
 */
export type Pass = () => Promise<Passed>;

export function makePass(deps: PassDeps): Pass {
  const reporter = makeReporter(deps);
  /** While the stop file is there not even the journal is written: it then lives here. */
  let unsaved: Journal | null = null;
  /** For reports while the journal cannot be read. */
  let stopgap = emptyJournal;

  return async () => {
    const now = deps.now();
    const own = deps.node.current();
    const asked = own === null ? null : askedOf(own);
    const seen = await look(deps, asked);
    if (seen === null) return 'Busy';
    const loaded = unsaved === null ? loadJournal(deps.files) : ok(unsaved);
    if (!loaded.ok) {
      deps.log('the agent changes nothing without its journal', { problem: loaded.error });
      const known = { ...stopgap, recorded: asked?.confirmed ?? {} };
      stopgap = refreshJournal(known, seen, deps.files, now, deps.options);
      await reporter(own, seen, stopgap, failed(loaded.error), now);
      return 'Idle';
    }

    const refreshed = withFirstValues(refreshJournal(loaded.value, seen, deps.files, now, deps.options), asked);
    if (!seen.stopped && (unsaved !== null || canonicalText(refreshed) !== canonicalText(loaded.value))) {
      const saved = saveJournal(deps.files, refreshed);
      if (!saved.ok) deps.log('the journal cannot be written', { problem: saved.error });
    }
    unsaved = seen.stopped ? refreshed : null;

    const decision = decide(seen, asked, refreshed, deps.options);
    if (decision.action.kind !== 'None') deps.log(decision.applied.message, { action: decision.action.kind });
    const acted = await carryOut(decision.action, {
      files: deps.files,
      host: seen,
      journal: refreshed,
      generation: asked?.generation ?? 0,
      restart: deps.restart,
      shortener: deps.shortener,
      pause: deps.pause,
    });
    if (acted.failure !== null) deps.log('the agent could not do what it wanted', { problem: acted.failure });

    const applied =
      acted.failure === null ? withNote(decision.applied, acted.journal, deps.shortener.note()) : failed(acted.failure);
    await reporter(own, seen, acted.journal, applied, now);
    if (decision.action.kind !== 'None' && acted.failure === null) return 'Again';
    if (!isBusy(acted.journal)) return 'Idle';
    return isInFlight(acted.journal, seen) ? 'Busy' : 'Watching';
  };
}

/** What becomes of the old API server belongs to the waiting for the new one. */
function withNote(applied: Decision['applied'], { watches }: Journal, note: string | null): Decision['applied'] {
  const isAwaited = watches.some(({ component, provenAt }) => component === 'kube-apiserver' && provenAt === null);
  return isAwaited && applied.reason === 'Applying' && note !== null
    ? { ...applied, message: `${applied.message} ${note}` }
    : applied;
}

const isInFlight = ({ watches, restart }: Journal, { staticPods, k0s }: HostView): boolean =>
  restart !== null ||
  watches.some(({ component, provenAt }) => {
    if (provenAt === null) return true;
    if (component === 'k0s') return k0s?.healthy !== true;
    return component !== 'kubelet' && staticPods[component]?.healthy !== true;
  });

function askedOf(own: OwnObject): Asked {
  return { generation: own.generation, settings: checkSettings(own.spec), confirmed: parseRecorded(own.status) };
}

async function look(deps: PassDeps, asked: Asked | null): Promise<HostView | null> {
  const settings: HostSettings = asked?.settings.ok === true ? asked.settings.value : {};
  try {
    return await readHost(deps.files, Object.keys(settings.sysctls ?? {}), deps.ask, deps.interfaces);
  } catch (error) {
    if (!(error instanceof HostFileError)) throw error;
    deps.log('the host cannot be read', { problem: error.message });
    return null;
  }
}

/** A host that lost its journal finds its first values in the API: what it sees now may be its own work. */
const withFirstValues = (journal: Journal, asked: Asked | null): Journal =>
  asked === null ? journal : { ...journal, recorded: mergeRecorded(asked.confirmed, journal.recorded) };

const failed = (problem: string): Decision['applied'] => ({ reason: 'Failed', message: `${problem}.` });

type Report = (
  own: OwnObject | null,
  host: HostView,
  journal: Journal,
  applied: Decision['applied'],
  now: number,
) => Promise<void>;

/**
 * Writes the status when it says something new, and only then. It is about the object as the pass saw it: what was asked for meanwhile has had
 * no answer yet.
 */
function makeReporter(deps: PassDeps): Report {
  let sent: { readonly status: string; readonly answer: string } | null = null;

  return async (own, host, journal, applied, now) => {
    if (own === null) return;
    const status = makeStatus({ host, journal, applied, generation: own.generation, before: own.status, now });
    const text = canonicalText(status);
    // The server may store it in its own way (unknown fields dropped): what it made of the same text counts as that text.
    if (canonicalText(own.status) === text || (sent?.status === text && sent.answer === canonicalText(own.status)))
      return;
    const written = await deps.node.writeStatus(status);
    if (written.ok) sent = { status: text, answer: canonicalText(written.value.status) };
    else deps.log('the status cannot be written yet', { problem: written.error });
  };
}
