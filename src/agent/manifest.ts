import { isAlias, isMap, isScalar, isSeq, parseAllDocuments } from 'yaml';
import type { Document, Scalar, YAMLMap, YAMLSeq } from 'yaml';
import { lineStart, splice } from '../model/text-lines.ts';
import { err, ok } from '../result.ts';
import type { Result } from '../result.ts';
import type { StaticPodName } from './pod-logs.ts';
import { parseFlags } from './procfs.ts';

/**
 * A static-pod manifest, understood as far as one container's command line. The text stays the truth: edits splice the few
 * characters that they mean, because writing the parsed document out again would re-indent and fold lines.
 */
export interface Manifest {
  readonly text: string;
  readonly flags: Readonly<Record<string, string>>;
  readonly probes: readonly Probe[];
  readonly pod: StaticPodName;
}

export interface Probe {
  readonly scheme: 'http' | 'https';
  /** Empty: the Pod's own address, which for a host-network Pod is the host. */
  readonly host: string;
  readonly port: number;
  readonly path: string;
}

/** What shall become of a flag: a text, or null for `not there`. */
export type FlagChanges = Readonly<Record<string, string | null>>;

/** Null: the text is a fine manifest of something else. */
export function parseManifest(text: string, component: string): Result<Manifest | null, string> {
  const found = findCommand(text, component);
  if (!found.ok) return found;
  if (found.value === null) return ok(null);
  const { container, words, pod } = found.value;
  return ok({ text, pod, flags: parseFlags(words.map((word) => word.text)), probes: probesOf(container) });
}

/** The text with the changes made, every other byte as it was. */
export function editManifest(text: string, component: string, changes: FlagChanges): Result<string, string> {
  let edited = text;
  for (const [flag, value] of Object.entries(changes)) {
    const next = value === null ? removeFlag(edited, component, flag) : setFlag(edited, component, flag, value);
    if (!next.ok) return next;
    edited = next.value;
  }
  return ok(edited);
}

function setFlag(text: string, component: string, flag: string, value: string): Result<string, string> {
  const found = commandOf(text, component);
  if (!found.ok) return found;
  const place = findFlag(found.value.words, flag).at(-1);
  const plain =
    place === undefined ? appendItem(text, found.value.words, `--${flag}=${value}`) : spliceValue(text, place, value);
  if (!plain.ok) return plain;
  return confirmed(text, plain.value, component, flag, value);
}

function removeFlag(text: string, component: string, flag: string): Result<string, string> {
  let edited = text;
  for (;;) {
    const found = commandOf(edited, component);
    if (!found.ok) return found;
    const place = findFlag(found.value.words, flag).at(-1);
    if (place === undefined) return confirmed(text, edited, component, flag, null);
    const next = removeItems(edited, place.words);
    if (!next.ok) return next;
    edited = next.value;
  }
}

/** Reads the edited text again: the flag must say what was meant, and every other flag what it said. */
function confirmed(
  before: string,
  after: string,
  component: string,
  flag: string,
  value: string | null,
): Result<string, string> {
  const old = parseManifest(before, component);
  const now = parseManifest(after, component);
  if (!old.ok || old.value === null) return err('the manifest cannot be read');
  const { [flag]: _, ...rest } = old.value.flags;
  const wanted = value === null ? rest : { ...rest, [flag]: value };
  if (now.ok && now.value !== null && sameFlags(now.value.flags, wanted)) return ok(after);
  return err(
    `--${flag} is written in a way that cannot be changed safely: write it as one list item --${flag}=… by hand`,
  );
}

const sameFlags = (a: Readonly<Record<string, string>>, b: Readonly<Record<string, string>>): boolean =>
  Object.keys(a).length === Object.keys(b).length && Object.entries(a).every(([flag, value]) => b[flag] === value);

interface Word {
  readonly text: string;
  readonly node: Scalar;
  readonly list: YAMLSeq;
}

interface FoundCommand {
  readonly container: YAMLMap;
  readonly words: readonly Word[];
  readonly pod: StaticPodName;
}

function commandOf(text: string, component: string): Result<FoundCommand, string> {
  const found = findCommand(text, component);
  if (!found.ok) return found;
  return found.value === null ? err(`the manifest has no container that runs ${component}`) : ok(found.value);
}

function findCommand(text: string, component: string): Result<FoundCommand | null, string> {
  let documents: Document.Parsed[];
  try {
    documents = [...parseAllDocuments(text)] as Document.Parsed[];
  } catch (error) {
    return err(`the manifest is not YAML: ${String(error)}`);
  }
  const broken = documents.find((document) => document.errors.length > 0)?.errors[0];
  if (broken !== undefined) return err(`the manifest is not YAML: ${broken.message.split('\n')[0] ?? ''}`);

  for (const document of documents) {
    if (document.get('kind') !== 'Pod') continue;
    const containers = document.getIn(['spec', 'containers']);
    if (!isSeq(containers)) continue;
    const commands = containers.items.filter(isMap).map((container) => commandOfContainer(container, document));
    const mine = commands.find((command) => runs(command, component));
    if (mine !== undefined) return mine.problem === null ? ok(mine) : err(mine.problem);
  }
  return ok(null);
}

const runs = (command: FoundCommand, component: string): boolean =>
  command.words[0]?.text.split('/').at(-1) === component || command.container.get('name') === component;

function commandOfContainer(
  container: YAMLMap,
  document: Document,
): FoundCommand & { readonly problem: string | null } {
  let problem: string | null = null;
  const words = ['command', 'args'].flatMap((key): Word[] => {
    const list = container.get(key, true) as unknown;
    if (isAlias(list)) problem = `${key} is a YAML alias (*${list.source}): write the list out`;
    if (!isSeq(list)) return [];
    return list.items.flatMap((item) => {
      if (isScalar(item)) return [{ text: String(item.value), node: item, list }];
      problem = `${key} has an item that is not plain text: write it out`;
      return [];
    });
  });
  const text = (key: string, otherwise: string): string => {
    const value = document.getIn(['metadata', key]);
    return typeof value === 'string' ? value : otherwise;
  };
  return { container, words, problem, pod: { namespace: text('namespace', 'default'), name: text('name', '') } };
}

/** A flag's place: one word `--flag=value`, or two words. `valueAt` says where in the word's text the value begins. */
interface FlagPlace {
  readonly words: readonly Word[];
  readonly holder: Word;
  readonly valueAt: number;
}

function findFlag(words: readonly Word[], flag: string): readonly FlagPlace[] {
  return words.flatMap((word, i): FlagPlace[] => {
    if (word.text.startsWith(`--${flag}=`)) return [{ words: [word], holder: word, valueAt: flag.length + 3 }];
    const next = words[i + 1];
    return word.text === `--${flag}` && next !== undefined ? [{ words: [word, next], holder: next, valueAt: 0 }] : [];
  });
}

function spliceValue(text: string, place: FlagPlace, value: string): Result<string, string> {
  const { node, text: content } = place.holder;
  const [from, to] = rangeOf(node);
  const source = text.slice(from, to);
  // The content must stand in the source as it is: with escapes or folded lines the offsets would not match.
  const inner = source.indexOf(content);
  const isQuoted = inner === 1 && source.length === content.length + 2;
  const isPlain = inner === 0 && source.length === content.length;
  if (
    content === '' ||
    inner < 0 ||
    source.indexOf(content, inner + 1) >= 0 ||
    !(isQuoted || isPlain || isBlock(node))
  ) {
    return content === '' && source.length === 2 ? ok(splice(text, from + 1, from + 1, value)) : unsafe(content);
  }
  return ok(splice(text, from + inner + place.valueAt, from + inner + content.length, value));
}

const isBlock = (node: Scalar): boolean => node.type === 'BLOCK_FOLDED' || node.type === 'BLOCK_LITERAL';

const unsafe = (content: string): Result<string, string> =>
  err(
    `the item ${JSON.stringify(content)} is written with escapes or over several lines: write it as one plain list item by hand`,
  );

/** Adds a word after the last one, in the manner of the last one. */
function appendItem(text: string, words: readonly Word[], content: string): Result<string, string> {
  const last = words.at(-1);
  if (last === undefined) return err('the container has an empty command line');
  const item = quotedLike(last.node, content);
  const [from, to] = rangeOf(last.node);
  if (last.list.flow === true) return ok(splice(text, to, to, `, ${item}`));

  const start = lineStart(text, from);
  const lead = text.slice(start, from);
  if (!/^[ ]*-[ \t]+$/.test(lead))
    return err('the last argument does not stand on a line of its own: write one argument a line');
  const eol = text.includes('\r\n') ? '\r\n' : '\n';
  const lineEnd = text[to - 1] === '\n' ? to - 1 : text.indexOf('\n', to);
  return ok(
    lineEnd < 0 ? `${text}${eol}${lead}${item}` : splice(text, lineEnd + 1, lineEnd + 1, `${lead}${item}${eol}`),
  );
}

function quotedLike(node: Scalar, content: string): string {
  if (node.type === 'QUOTE_DOUBLE') return `"${content}"`;
  return node.type === 'QUOTE_SINGLE' ? `'${content}'` : content;
}

function removeItems(text: string, words: readonly Word[]): Result<string, string> {
  let edited = text;
  for (const word of words.toReversed()) {
    const next = word.list.flow === true ? removeFlowItem(edited, word) : removeLine(edited, word);
    if (!next.ok) return next;
    edited = next.value;
  }
  return ok(edited);
}

function removeLine(text: string, { node, text: content }: Word): Result<string, string> {
  const [from, to] = rangeOf(node);
  const start = lineStart(text, from);
  if (!/^[ ]*-[ \t]+$/.test(text.slice(start, from))) return unsafe(content);
  const newline = text[to - 1] === '\n' ? to - 1 : text.indexOf('\n', to);
  if (newline >= 0) return ok(splice(text, start, newline + 1, ''));
  // The last line of a file without a closing newline: the break before it goes with it.
  return ok(text.slice(0, start).replace(/\r?\n$/, ''));
}

function removeFlowItem(text: string, { node, text: content }: Word): Result<string, string> {
  const [from, to] = rangeOf(node);
  const before = /,\s*$/.exec(text.slice(0, from));
  if (before !== null) return ok(splice(text, before.index, to, ''));
  const after = /^\s*,\s*/.exec(text.slice(to));
  return after === null ? unsafe(content) : ok(splice(text, from, to + after[0].length, ''));
}

function rangeOf(node: Scalar): readonly [number, number] {
  const range = node.range;
  if (range === undefined || range === null) throw new Error('a parsed YAML scalar always has a range');
  return [range[0], range[1]];
}

/**
 * Where the component can be asked how it is, the strictest probe first: ready means that it serves, alive only that it runs.
 */
function probesOf(container: YAMLMap): readonly Probe[] {
  const plain = container.toJSON() as Record<string, unknown>;
  return ['readinessProbe', 'startupProbe', 'livenessProbe'].flatMap((key) => {
    const http = (plain[key] as { httpGet?: Record<string, unknown> } | undefined)?.httpGet;
    const port = portOf(http?.['port'], plain['ports']);
    if (http === undefined || port === null) return [];
    const text = (name: string): string => (typeof http[name] === 'string' ? http[name] : '');
    return [
      {
        scheme: text('scheme').toLowerCase() === 'https' ? 'https' : 'http',
        host: text('host'),
        port,
        path: text('path') || '/',
      },
    ];
  });
}

/** A probe may name one of the container's ports instead of giving its number. */
function portOf(port: unknown, ports: unknown): number | null {
  if (typeof port === 'number') return port;
  if (typeof port !== 'string') return null;
  if (/^[0-9]+$/.test(port)) return Number(port);
  const named = (Array.isArray(ports) ? (ports as Record<string, unknown>[]) : []).find(
    (entry) => entry['name'] === port,
  );
  return typeof named?.['containerPort'] === 'number' ? named['containerPort'] : null;
}
