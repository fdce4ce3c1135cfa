import {
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  parseDocument,
  type Pair,
  Scalar,
  type YAMLMap,
  type YAMLSeq,
} from 'yaml';
import { eolOf, lineStart } from '../../model/text-lines.ts';
import { err, ok, type Result } from '../../result.ts';

/**
 * Edits of single values in YAML text. Only the value's own characters change: comments, quotes, order and indentation of all else stay,
 * which writing the parsed document out again would not keep.
 */

export type Path = readonly (string | number)[];

/** Texts that were read last. One pass asks the same few texts many things, and reading them is most of its work. */
const lastRead = new Map<string, Result<Document.Parsed, string>>();
const KEPT = 16;

/** The document, not to be changed; the error says why the text is none. */
export function parseYAML(text: string): Result<Document.Parsed, string> {
  const before = lastRead.get(text);
  if (before !== undefined) return before;
  const document = parseDocument(text);
  const [problem] = document.errors;
  const result = problem === undefined ? ok(document) : err(firstLine(problem.message));
  const [oldest] = lastRead.keys();
  if (oldest !== undefined && lastRead.size >= KEPT) lastRead.delete(oldest);
  lastRead.set(text, result);
  return result;
}

/** What it says; undefined: it cannot be read. */
export function rootOf(text: string): unknown {
  const document = parseYAML(text);
  return document.ok ? document.value.toJS() : undefined;
}

const firstLine = (text: string): string => text.split('\n', 1)[0] ?? text;

/** Replaces a scalar, keeping its quotes. */
export function setValue(text: string, path: Path, value: string): Result<string, string> {
  return edited(text, path, (document) => {
    const node: unknown = document.getIn(path, true);
    if (!isScalar(node) || !node.range || isAlias(node)) return null;
    if (node.type === Scalar.BLOCK_LITERAL || node.type === Scalar.BLOCK_FOLDED) return null;
    const [from, to] = node.range;
    const isEmpty = from === to;
    const spelt = quoted(value, node.type, isInFlow(document, path));
    return { from, to, text: isEmpty && text[from - 1] === ':' ? ` ${spelt}` : spelt };
  });
}

/** Gives a key of a map another name, keeping its quotes. */
export function renameKey(text: string, path: Path, key: string, name: string): Result<string, string> {
  return edited(text, [...path, key], (document) => {
    const pair = pairOf(document.getIn(path, true), key);
    if (!isScalar(pair?.key) || !pair.key.range) return null;
    const [from, to] = pair.key.range;
    return { from, to, text: quoted(name, pair.key.type, false) };
  });
}

/** A new entry as data: a value, a map or a list of maps. */
type Entry = string | { readonly [key: string]: Entry } | readonly { readonly [key: string]: string }[];

/** Adds a key as the first of the map at `path`, in the style of that map. */
export function addKey(text: string, path: Path, key: string, value: Entry): Result<string, string> {
  return edited(text, path, (document) => {
    const map: unknown = path.length === 0 ? document.contents : document.getIn(path, true);
    if (isMap(map) && map.items.length > 0) {
      return map.flow === true
        ? afterBracket(map, `${JSON.stringify(key)}: ${JSON.stringify(value)}, `)
        : beforeFirst(text, map, (indent, eol) => blockLines({ [key]: value }, indent, eol));
    }
    return inPlaceOfNothing(text, map, path, { [key]: value });
  });
}

/** Adds an item as the first of the list at `path`. */
export function addItem(text: string, path: Path, item: { readonly [key: string]: string }): Result<string, string> {
  return edited(text, path, (document) => {
    const list: unknown = document.getIn(path, true);
    if (isSeq(list) && list.items.length > 0) {
      return list.flow === true
        ? afterBracket(list, `${JSON.stringify(item)}, `)
        : beforeFirst(text, list, (indent, eol) => blockLines([item], indent, eol));
    }
    return inPlaceOfNothing(text, list, path, [item]);
  });
}

/** Takes out an entry of a block map or an item of a block list with its lines; what is left empty by it goes too. */
export function removeEntry(text: string, path: Path): Result<string, string> {
  return edited(text, path, (document) => {
    const parentPath = path.slice(0, -1);
    const parent: unknown = parentPath.length === 0 ? document.contents : document.getIn(parentPath, true);
    if (!(isMap(parent) || isSeq(parent)) || parent.flow === true) return null;
    if (parent.items.length === 1) {
      const first = startOf(parent.items[0]);
      if (parentPath.length === 0 || first === null) return null;
      return { from: afterColon(text, first), to: endOfLines(text, parent), text: ` ${isMap(parent) ? '{}' : '[]'}` };
    }
    const key = path.at(-1);
    const index = isMap(parent) ? parent.items.findIndex((pair) => keyText(pair) === key) : Number(key);
    const from = startOf(parent.items[index]);
    const next = startOf(parent.items[index + 1]);
    if (from === null) return null;
    // What is noted above the next entry is about that one, and stays.
    const end = next === null ? endOfLines(text, parent) : withoutNotes(text, from, lineStart(text, next));
    // The end of the last line belongs to what follows, so for a last entry its own line break before it goes instead.
    return next === null
      ? { from: lineStart(text, from) - eolOf(text).length, to: end, text: '' }
      : { from: lineStart(text, from), to: end, text: '' };
  });
}

/** The end of these lines without those at their end that are empty or hold a comment alone. */
function withoutNotes(text: string, from: number, to: number): number {
  const notes = /(?<=\n)(?:[ \t]*(?:#.*)?\r?\n)*$/u.exec(text.slice(from, to))?.[0] ?? '';
  return to - notes.length;
}

interface Splice {
  readonly from: number;
  readonly to: number;
  readonly text: string;
}

function edited(text: string, path: Path, find: (document: Document.Parsed) => Splice | null): Result<string, string> {
  const document = parseYAML(text);
  if (!document.ok) return document;
  const splice = find(document.value);
  if (splice === null) return err(`${path.join('.')} has a form that cannot be edited in place`);
  const result = text.slice(0, splice.from) + splice.text + text.slice(splice.to);
  const check = parseYAML(result);
  return check.ok ? ok(result) : err(`${path.join('.')} cannot be edited in place: ${check.error}`);
}

const indentAt = (text: string, position: number): string =>
  /^[ ]*/.exec(text.slice(lineStart(text, position)))?.[0] ?? '';

function quoted(value: string, style: string | undefined, isInFlow: boolean): string {
  if (style === Scalar.QUOTE_SINGLE) return `'${value}'`;
  // A plain number would be read as one, and a comma ends a plain value inside brackets.
  const needsQuotes = style === Scalar.QUOTE_DOUBLE || isInFlow || /^[0-9]+$/.test(value);
  return needsQuotes ? JSON.stringify(value) : value;
}

function isInFlow(document: Document.Parsed, path: Path): boolean {
  return path.some((_, depth) => {
    const parent: unknown = depth === 0 ? document.contents : document.getIn(path.slice(0, depth), true);
    return (isMap(parent) || isSeq(parent)) && parent.flow === true;
  });
}

const keyText = (pair: Pair): string | null => (isScalar(pair.key) ? String(pair.key.value) : null);

const pairOf = (map: unknown, key: string): Pair | undefined =>
  isMap(map) ? map.items.find((pair) => keyText(pair) === key) : undefined;

/** Where a pair's key or an item begins. */
function startOf(entry: unknown): number | null {
  if (typeof entry !== 'object' || entry === null) return null;
  const node: unknown = 'key' in entry ? entry.key : entry;
  if (isMap(node) || isSeq(node) || isScalar(node)) return node.range?.[0] ?? null;
  return null;
}

function afterBracket(collection: YAMLMap | YAMLSeq, text: string): Splice | null {
  const start = collection.range?.[0];
  return start === undefined ? null : { from: start + 1, to: start + 1, text };
}

function beforeFirst(
  text: string,
  collection: YAMLMap | YAMLSeq,
  lines: (indent: string, eol: string) => string,
): Splice | null {
  const start = startOf(collection.items[0]);
  if (start === null) return null;
  const from = lineStart(text, start);
  return { from, to: from, text: lines(indentAt(text, start), eolOf(text)) };
}

/** `key: {}`, `key: []` and `key:` become a block below the key. */
function inPlaceOfNothing(text: string, node: unknown, path: Path, value: Entry): Splice | null {
  const isNothing =
    ((isMap(node) || isSeq(node)) && node.items.length === 0) || (isScalar(node) && node.value === null);
  if (!isNothing || !node.range || path.length === 0) return null;
  const from = afterColon(text, node.range[0]);
  const eol = eolOf(text);
  const indent = indentAt(text, from);
  const lines = blockLines(value, Array.isArray(value) ? indent : `${indent}  `, eol);
  return { from, to: node.range[1], text: eol + lines.slice(0, -eol.length) };
}

/** The place right behind the colon that ends the key of the value that begins here. */
const afterColon = (text: string, position: number): number => text.lastIndexOf(':', position - 1) + 1;

/** The end of the last line of a block, without its line break. */
function endOfLines(text: string, block: YAMLMap | YAMLSeq): number {
  const end = block.range?.[1] ?? text.length;
  return text.slice(0, end).trimEnd().length;
}

/** In kubeadm's own style: two blanks for each level, lists not indented below their key. */
function blockLines(value: Entry, indent: string, eol: string): string {
  if (typeof value === 'string') return '';
  if (Array.isArray(value)) {
    return value
      .map((item: { readonly [key: string]: string }) =>
        Object.entries(item)
          .map(([key, text], index) => `${indent}${index === 0 ? '- ' : '  '}${key}: ${quoted(text, undefined, false)}`)
          .join(eol),
      )
      .map((lines) => lines + eol)
      .join('');
  }
  return Object.entries(value as { readonly [key: string]: Entry })
    .map(([key, entry]) => {
      if (typeof entry === 'string') return `${indent}${key}: ${quoted(entry, undefined, false)}${eol}`;
      return `${indent}${key}:${eol}${blockLines(entry, Array.isArray(entry) ? indent : `${indent}  `, eol)}`;
    })
    .join('');
}
