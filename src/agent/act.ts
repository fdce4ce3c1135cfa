import { err, ok, unreachable } from '../result.ts';
import type { Result } from '../result.ts';
import type { K0sWish, StaticPod } from '../model/host.ts';
import { processOf } from './decide.ts';
import type { AgentAction } from './decide.ts';
import { sha256 } from './files.ts';
import type { HostFiles } from './files.ts';
import type { HostView, PodView } from './host.ts';
import { asInterim, withoutInterim } from './interim.ts';
import { STATE_FOLDER, saveJournal } from './journal.ts';
import type { Component, Journal, Restartable, Watch } from './journal.ts';
import { editK0sConfig } from './k0s-config.ts';
import type { K0sChanges } from './k0s-config.ts';
import { editKubeletSource } from './kubelet.ts';
import { editManifest } from './manifest.ts';
import type { FlagChanges } from './manifest.ts';
import { persistSysctl, writeSysctl } from './sysctl.ts';
import type { Shortener } from './shorten.ts';
import { isStaticPod, restartsOf, reversedChanges } from './watch.ts';

/** Restarts a service of the host, reading its unit again first if that was changed. */
export type RestartService = (options: { readonly reloadUnits: boolean }) => Promise<Result<void, string>>;

interface ActContext {
  readonly files: HostFiles;
  readonly host: HostView;
  readonly journal: Journal;
  readonly generation: number;
  readonly restart: Readonly<Record<Restartable, RestartService>>;
  readonly shortener: Shortener;
  readonly pause: (milliseconds: number) => Promise<unknown>;
}

/** The journal afterwards, as it lies on the host; and what went wrong, if something did. */
interface Acted {
  readonly journal: Journal;
  readonly failure: string | null;
}

/** First texts of all files that were ever edited: outside every folder that the kubelet reads, and never overwritten. */
const BACKUP_FOLDER = `${STATE_FOLDER}/backup`;

export async function carryOut(action: AgentAction, context: ActContext): Promise<Acted> {
  const { journal, host } = context;
  switch (action.kind) {
    case 'None':
      return { journal, failure: null };
    case 'Record':
      return remember(context, { ...journal, recorded: action.recorded });
    case 'SetSysctl':
      return { journal, failure: failureOf(setSysctl(context.files, action.name, action.value, action.persist)) };
    case 'EditManifest':
      return shortened(context, action.component, () => editStaticPod(context, action.component, action.changes));
    case 'LetStart':
      await context.pause(LET_GO_MS);
      return { journal, failure: failureOf(rewriteInterim(context, action)) };
    case 'HoldBack':
      return { journal, failure: failureOf(rewriteInterim(context, action)) };
    case 'EditKubelet':
      return editKubelet(context, action);
    case 'EditK0s':
      return editK0s(context, action.changes, action.shows);
    case 'AskRestart':
      return remember(context, { ...journal, restart: restartOf(host, 'kubelet', { token: action.token }) });
    case 'Restart':
      return restartService(context, action.service);
    case 'CompleteRestart':
      return remember(context, {
        ...journal,
        restart: null,
        restartToken: journal.restart?.token ?? journal.restartToken,
      });
    case 'MarkApplied':
      return remember(context, { ...journal, appliedGeneration: context.generation });
    case 'Undo':
      return shortened(context, action.component, () => undo(context, action.component, action.why));
    default:
      return unreachable(action);
  }
}

/** The API server's manifest is about to change: what is needed to end the old process early is made ready while it still answers. */
async function shortened(context: ActContext, component: Component, edit: () => Acted): Promise<Acted> {
  if (component !== 'kube-apiserver') return edit();
  const prepared = await context.shortener.prepare(context.host);
  const acted = edit();
  if (acted.failure === null) prepared.start();
  else prepared.cancel();
  return acted;
}

const failureOf = (result: Result<unknown, string>): string | null => (result.ok ? null : result.error);

function remember({ files, journal }: ActContext, next: Journal): Acted {
  const saved = saveJournal(files, next);
  return saved.ok ? { journal: next, failure: null } : { journal, failure: saved.error };
}

const without = (journal: Journal, component: Component): Watch[] =>
  journal.watches.filter((watch) => watch.component !== component);

const restartOf = (
  host: HostView,
  service: Restartable,
  { token = null, reloadUnits = false }: { readonly token?: string | null; readonly reloadUnits?: boolean },
): Journal['restart'] => ({
  service,
  token,
  oldProcess: processOf(host, service),
  askedAt: null,
  reloadUnits,
  problem: null,
});

function setSysctl(files: HostFiles, name: string, value: string, persist: boolean): Result<void, string> {
  // The file first: a crash in between then leaves a value that the next boot brings, never one that it loses.
  const kept = persistSysctl(files, name, persist ? value : null);
  return kept.ok ? writeSysctl(files, name, value) : kept;
}

function editStaticPod(context: ActContext, component: StaticPod, changes: FlagChanges): Acted {
  const view = context.host.staticPods[component];
  if (view === undefined) return { journal: context.journal, failure: `${component} has no manifest any more` };
  if (context.files.read(view.file) !== view.manifest.text) {
    return { journal: context.journal, failure: `${view.file} was changed by somebody else just now: looking again` };
  }
  const before = withoutInterim(view.manifest.text);
  const edited = editManifest(before, component, changes);
  if (!edited.ok) return { journal: context.journal, failure: `${view.file}: ${edited.error}` };
  return watchedEdit(context, {
    component,
    file: view.file,
    before,
    after: edited.value,
    writtenFirst: heldBack(context.host, view, edited.value),
    changes,
    was: view.manifest.flags,
  });
}

/** The text that keeps the kubelet from starting the new pod before the old one has ended; the text itself where that end could not be seen. */
function heldBack({ podGroups, uptimeMs }: HostView, view: PodView, text: string): string {
  const pod = view.proven.at(-1)?.pod ?? null;
  if (pod === null || podGroups?.includes(pod) !== true) return text;
  return asInterim(text, { pod, at: uptimeMs }) ?? text;
}

/** The control group is the last thing to go, but not the last thing that a kubelet does: one that is asked too early waits for 10 s. */
const LET_GO_MS = 400;

type InterimAction = Extract<AgentAction, { readonly kind: 'HoldBack' | 'LetStart' }>;

function rewriteInterim({ files, host }: ActContext, action: InterimAction): Result<void, string> {
  const view = host.staticPods[action.component];
  if (view === undefined) return err(`${action.component} has no manifest any more`);
  const { text } = view.manifest;
  if (files.read(view.file) !== text) {
    return err(`${view.file} was changed by somebody else just now: looking again`);
  }
  const next = action.kind === 'LetStart' ? null : asInterim(text, { pod: action.pod, at: host.uptimeMs });
  return files.replace(view.file, next ?? withoutInterim(text));
}

type EditKubelet = Extract<AgentAction, { readonly kind: 'EditKubelet' }>;

function editKubelet(context: ActContext, { nodeIP, token }: EditKubelet): Acted {
  const { setup } = context.host.kubelet;
  if (setup.source === null) return { journal: context.journal, failure: 'no file sets the kubelet’s arguments' };
  const { file, inUnit } = setup.source;
  const before = context.files.read(file) ?? '';
  const edited = editKubeletSource(before, setup.source, nodeIP);
  if (!edited.ok) return { journal: context.journal, failure: `${file}: ${edited.error}` };
  const was = setup.nodeIP === null ? {} : { 'node-ip': setup.nodeIP };
  const restart = restartOf(context.host, 'kubelet', { token, reloadUnits: inUnit });
  return watchedEdit(
    { ...context, journal: { ...context.journal, restart } },
    {
      component: 'kubelet',
      file,
      before,
      after: edited.value,
      writtenFirst: edited.value,
      changes: { 'node-ip': nodeIP },
      was,
    },
  );
}

function editK0s(context: ActContext, changes: K0sChanges, shows: K0sWish['shows']): Acted {
  const { k0s } = context.host;
  const { journal } = context;
  if (k0s === null || k0s.text === null) return { journal, failure: 'k0s has no configuration file any more' };
  if (context.files.read(k0s.file) !== k0s.text) {
    return { journal, failure: `${k0s.file} was changed by somebody else just now: looking again` };
  }
  const edited = editK0sConfig(k0s.text, changes);
  if (!edited.ok) return { journal, failure: `${k0s.file}: ${edited.error}` };
  const restart = restartOf(context.host, 'k0s', {});
  return watchedEdit(
    { ...context, journal: { ...journal, restart } },
    {
      component: 'k0s',
      file: k0s.file,
      before: k0s.text,
      after: edited.value,
      writtenFirst: edited.value,
      changes,
      was: k0s.settings,
      k0s: { oldProcess: k0s.controller.key, shows, downSince: null },
    },
  );
}

interface Edit {
  readonly component: Component;
  readonly file: string;
  readonly before: string;
  readonly after: string;
  /** What lies in the file until the old process has ended. */
  readonly writtenFirst: string;
  readonly changes: FlagChanges;
  readonly was: Readonly<Record<string, string>>;
  readonly k0s?: Watch['k0s'];
}

/** Back-up, journal, file: in this order no crash can leave an edit that nobody watches or that cannot be undone. */
function watchedEdit(context: ActContext, edit: Edit): Acted {
  const { files, journal } = context;
  const backedUp = backUp(files, edit.file, edit.before);
  if (!backedUp.ok) return { journal, failure: backedUp.error };
  const watch: Watch = {
    component: edit.component,
    file: edit.file,
    before: edit.before,
    afterHash: sha256(edit.after),
    changes: Object.entries(edit.changes).map(([flag, after]) => ({ flag, before: edit.was[flag] ?? null, after })),
    generation: context.generation,
    editedAt: context.host.uptimeMs,
    oldSeenAt: context.host.uptimeMs,
    logsBefore: isStaticPod(edit.component) ? restartsOf(context.host.staticPods[edit.component]?.logs ?? []) : {},
    processes: [],
    exits: 0,
    lastWords: '',
    provenAt: null,
    written: false,
    k0s: edit.k0s ?? null,
    undoing: null,
  };
  const watching = { ...journal, watches: [...without(journal, edit.component), watch] };
  const saved = saveJournal(files, watching);
  if (!saved.ok) return { journal, failure: saved.error };
  const written = files.replace(edit.file, edit.writtenFirst);
  if (written.ok) return { journal: watching, failure: null };
  const plain = { ...journal, restart: null, watches: without(journal, edit.component) };
  return { ...remember({ ...context, journal: watching }, plain), failure: written.error };
}

function backUp(files: HostFiles, file: string, text: string): Result<void, string> {
  const backup = `${BACKUP_FOLDER}${file}`;
  return files.exists(backup) || !files.exists(file) ? ok(undefined) : files.replace(backup, text);
}

/** The asking is remembered first: a crash in the middle then waits a while instead of restarting twice. */
async function restartService(context: ActContext, service: Restartable): Promise<Acted> {
  const { journal } = context;
  const now = context.host.uptimeMs;
  if (journal.restart === null) return { journal, failure: null };
  const asked = remember(context, { ...journal, restart: { ...journal.restart, askedAt: now } });
  if (asked.failure !== null) return asked;
  const problem = failureOf(await context.restart[service]({ reloadUnits: journal.restart.reloadUnits }));
  const told = remember(
    { ...context, journal: asked.journal },
    { ...journal, restart: { ...journal.restart, askedAt: now, problem } },
  );
  return { journal: told.journal, failure: problem ?? told.failure };
}

/** Puts the old text back, and remembers that the new one was refused. */
function undo(context: ActContext, component: Component, why: string): Acted {
  const watch = context.journal.watches.find((entry) => entry.component === component);
  if (watch === undefined) return { journal: context.journal, failure: null };
  const begun: Watch = { ...watch, undoing: why };
  const marked = remember(context, { ...context.journal, watches: [...without(context.journal, component), begun] });
  if (marked.failure !== null) return marked;

  const restored = restore(context.files, watch);
  if (!restored.ok) return { journal: marked.journal, failure: restored.error };
  const told =
    restored.value === 'Restored'
      ? why
      : `${why}; ${watch.file} was changed by somebody else since and is left as it is`;
  return remember({ ...context, journal: marked.journal }, afterUndo(marked.journal, context.host, watch, told));
}

function afterUndo(journal: Journal, host: HostView, watch: Watch, why: string): Journal {
  return {
    ...journal,
    watches: without(journal, watch.component),
    refused: [...journal.refused.filter((entry) => entry.generation === watch.generation), ...refusals(watch, why)],
    restart: restartAfterUndo(journal, host, watch.component),
  };
}

function restartAfterUndo(journal: Journal, host: HostView, component: Component): Journal['restart'] {
  switch (component) {
    case 'kubelet':
      return restartOf(host, component, {
        token: journal.restart?.token ?? null,
        reloadUnits: host.kubelet.setup.source?.inUnit ?? false,
      });
    case 'k0s':
      return restartOf(host, component, {});
    case 'kube-apiserver':
    case 'kube-controller-manager':
      return journal.restart;
    default:
      return unreachable(component);
  }
}

/** An edit that is no longer tried for this generation of the spec. A removed flag has the empty value. */
export const refusals = (watch: Watch, why: string): Journal['refused'] =>
  watch.changes.map(({ flag, after }) => ({
    component: watch.component,
    flag,
    value: after ?? '',
    generation: watch.generation,
    why,
  }));

/** Exactly the old text, if nobody else touched the file; else only our own flags are turned back, if the file can be read. */
function restore(files: HostFiles, watch: Watch): Result<'Restored' | 'LeftAlone', string> {
  const current = files.read(watch.file);
  if (current === watch.before) return ok('Restored');
  const text =
    current !== null && sha256(withoutInterim(current)) === watch.afterHash
      ? ok(watch.before)
      : reversed(current ?? '', watch);
  if (!text.ok) return ok('LeftAlone');
  const written = files.replace(watch.file, text.value);
  return written.ok ? ok('Restored') : written;
}

function reversed(current: string, watch: Watch): Result<string, string> {
  const { component } = watch;
  if (isStaticPod(component)) return editManifest(current, component, reversedChanges(watch));
  return component === 'k0s'
    ? editK0sConfig(current, reversedChanges(watch))
    : err('another hand changed the kubelet’s arguments');
}
