import { isAlias, isMap, isScalar, isSeq, parseDocument, Scalar, visit } from 'yaml';
import type { Document, Pair, YAMLMap } from 'yaml';
import { k0sValueKind } from '../model/k0s.ts';
import type { EditableK0sSetting } from '../model/k0s.ts';
import { at } from '../model/object.ts';
import { eolOf, lineStart, splice } from '../model/text-lines.ts';
import { err, ok } from '../result.ts';
import type { Result } from '../result.ts';
import { canonicalText } from './canonical.ts';

/** What shall become of settings: a text, or null for `not there`. */
export type K0sChanges = Readonly<Partial<Record<EditableK0sSetting, string | null>>>;

/**
 * The text of k0s' configuration with the changes made. The text stays the truth: only the lines that are meant change, because writing the parsed
 * document out again would lose its form. What comes out is read again: those settings must say what was meant, and all else what it said.
 */
export function editK0sConfig(text: string, changes: K0sChanges): Result<string, string> {
  const first = readConfig(text);
  if (!first.ok) return first;
  let edited = text;
  let meaning: unknown = first.value.toJS();
  for (const [path, value] of Object.entries(changes) as [EditableK0sSetting, string | null][]) {
    const keys = path.split('.');
    const live: unknown = at(meaning, ...keys);
    const wanted = value === null ? undefined : valueOf(path, value);
    if (live === wanted) continue;
    const next = wanted === undefined ? removeSetting(edited, keys) : setSetting(edited, keys, wanted);
    if (!next.ok) return next;
    edited = next.value;
    meaning = changed(meaning, keys, wanted);
  }
  const last = readConfig(edited);
  if (last.ok && canonicalText(withoutEmpty(last.value.toJS())) === canonicalText(withoutEmpty(meaning))) {
    return ok(edited);
  }
  return err(`${Object.keys(changes).join(', ')} cannot be changed safely in the way this file is written`);
}

/** Why a text cannot be edited; null: it can, as far as can be told before. */
export function k0sConfigProblem(text: string): string | null {
  const document = readConfig(text);
  return document.ok ? null : document.error;
}

type Value = string | boolean;

const valueOf = (path: EditableK0sSetting, text: string): Value =>
  k0sValueKind(path) === 'Switch' ? text === 'true' : text;

/** References change in one place what is read in another, and merged keys are read differently by different programs. */
function readConfig(text: string): Result<Document.Parsed, string> {
  const document = parseDocument(text, { logLevel: 'error' });
  const [problem] = document.errors;
  if (problem !== undefined) return err(`it is not YAML: ${problem.message.split('\n', 1)[0] ?? ''}`);
  if (!isMap(document.contents) || document.contents.items.length === 0) return err('it holds no settings');
  let refers = false;
  visit(document, {
    Alias: () => void (refers = true),
    Pair: (_, { key }) => void (refers ||= isScalar(key) && key.value === '<<'),
  });
  return refers ? err('it refers to parts of itself (YAML aliases or merged keys)') : ok(document);
}

function setSetting(text: string, keys: readonly string[], value: Value): Result<string, string> {
  let map = rootOf(text);
  let inFlow = false;
  for (const [depth, key] of keys.entries()) {
    if (map === null) return unsafe(keys);
    inFlow ||= map.flow === true;
    const pair = pairOf(map, key);
    if (pair === undefined) return inserted(text, map, keys.slice(depth), value);
    const node = pair.value;
    const rest = keys.slice(depth + 1);
    if (rest.length === 0) return replaced(text, pair, inFlow, value);
    if (isMap(node) && node.items.length > 0) map = node;
    else if (isNothing(node)) return filled(text, pair, `{${inline(rest, value)}}`);
    else return unsafe(keys);
  }
  return unsafe(keys);
}

const rootOf = (text: string): YAMLMap | null => {
  const { contents } = parseDocument(text, { logLevel: 'error' });
  return isMap(contents) ? contents : null;
};

const pairOf = (map: YAMLMap, key: string): Pair | undefined =>
  map.items.find((pair) => isScalar(pair.key) && pair.key.value === key);

const isNothing = (node: unknown): boolean =>
  node === null || (isMap(node) && node.items.length === 0) || (isScalar(node) && node.value === null);

function replaced(text: string, pair: Pair, inFlow: boolean, value: Value): Result<string, string> {
  const node = pair.value;
  if (isNothing(node)) return filled(text, pair, spelt(value, undefined, inFlow));
  if (!isScalar(node) || !node.range) return unsafe([keyOf(pair)]);
  if (node.type === Scalar.BLOCK_LITERAL || node.type === Scalar.BLOCK_FOLDED) return unsafe([keyOf(pair)]);
  return ok(splice(text, node.range[0], node.range[1], spelt(value, node.type, inFlow)));
}

/** `key:`, `key: {}` and `key: null` get something to the right of the colon. */
function filled(text: string, pair: Pair, value: string): Result<string, string> {
  const colon = text.indexOf(':', startOf(pair.key)?.end ?? text.length);
  if (colon < 0) return unsafe([keyOf(pair)]);
  const old = isMap(pair.value) || (isScalar(pair.value) && pair.value.source) ? pair.value.range : null;
  return ok(splice(text, colon + 1, old ? old[1] : colon + 1, ` ${value}`));
}

/** After the last of its neighbours, in their manner. */
function inserted(text: string, map: YAMLMap, keys: readonly string[], value: Value): Result<string, string> {
  const [first, last] = [map.items[0], map.items.at(-1)];
  const start = startOf(first?.key)?.start;
  const end = last === undefined ? null : endOf(last);
  if (start === undefined || end === null) return unsafe(keys);
  if (map.flow === true) return ok(splice(text, end, end, `, ${inline(keys, value)}`));
  const indent = text.slice(lineStart(text, start), start);
  if (!/^ *$/.test(indent)) return unsafe(keys);
  const eol = eolOf(text);
  const lines = keys.map((key, depth) => `${indent}${'  '.repeat(depth)}${key}:`).join(eol);
  const block = `${lines} ${spelt(value, undefined, false)}${eol}`;
  const to = nextLine(text, end);
  return ok(text[to - 1] === '\n' ? splice(text, to, to, block) : `${text}${eol}${block}`);
}

/** With what it leaves empty, up to the part of the file that it is in; but not with what somebody has noted there. */
function removeSetting(text: string, keys: readonly string[]): Result<string, string> {
  const parents: { readonly map: YAMLMap; readonly pair: Pair }[] = [];
  let map = rootOf(text);
  for (const key of keys) {
    const pair = map === null ? undefined : pairOf(map, key);
    if (map === null || pair === undefined) return ok(text);
    parents.push({ map, pair });
    map = isMap(pair.value) ? pair.value : null;
  }
  let place = parents.pop();
  for (let above = parents.pop(); place !== undefined && above !== undefined; above = parents.pop()) {
    if (place.map.items.length > 1 || parents.length === 0 || isNoted(text, above.pair)) break;
    place = above;
  }
  if (place === undefined) return unsafe(keys);
  return place.map.flow === true ? removedFromFlow(text, place.map, place.pair) : removedLines(text, place.pair);
}

function isNoted(text: string, pair: Pair): boolean {
  const [start, end] = [startOf(pair.key)?.start, endOf(pair)];
  return start === undefined || end === null || text.slice(start, end).includes('#');
}

function removedLines(text: string, pair: Pair): Result<string, string> {
  const start = startOf(pair.key)?.start;
  const end = endOf(pair);
  if (start === undefined || end === null) return unsafe([keyOf(pair)]);
  const from = lineStart(text, start);
  if (!/^ *$/.test(text.slice(from, start))) return unsafe([keyOf(pair)]);
  const to = nextLine(text, end);
  // The last line of a file without a closing line break: the break before it goes with it.
  return ok(text[to - 1] === '\n' ? splice(text, from, to, '') : text.slice(0, from).replace(/\r?\n$/, ''));
}

/** With one of its commas, where nothing is noted between; a comma too many says nothing. */
function removedFromFlow(text: string, map: YAMLMap, pair: Pair): Result<string, string> {
  const before = map.items[map.items.indexOf(pair) - 1];
  const [start, end] = [startOf(pair.key)?.start, endOf(pair)];
  if (start === undefined || end === null) return unsafe([keyOf(pair)]);
  const comma = /^\s*,[ \t]*/.exec(text.slice(end));
  if (comma !== null) return ok(splice(text, start, end + comma[0].length, ''));
  const previous = before === undefined ? null : endOf(before);
  const from = previous === null || text.slice(previous, start).includes('#') ? start : previous;
  return ok(splice(text, from, end, ''));
}

const keyOf = (pair: Pair): string => (isScalar(pair.key) ? String(pair.key.value) : '');

const startOf = (key: unknown): { readonly start: number; readonly end: number } | undefined =>
  isScalar(key) && key.range ? { start: key.range[0], end: key.range[1] } : undefined;

/** Where a pair's own characters end: neither comments nor line breaks that follow are counted, which the parser gives to it. */
function endOf({ key, value }: Pair): number | null {
  if (isScalar(value) && value.range && value.source !== '') return value.range[1];
  if (isMap(value) || isSeq(value)) {
    if (value.flow === true || value.items.length === 0) return value.range?.[1] ?? null;
    const last: unknown = value.items.at(-1);
    if (isMap(value)) return endOf(last as Pair);
    return endOf({ key: null, value: last } as Pair);
  }
  if (isAlias(value)) return null;
  const end = startOf(key)?.end;
  // A key without a value ends with its colon.
  return end === undefined ? null : end + 1;
}

const spelt = (value: Value, style: string | undefined, inFlow: boolean): string => {
  if (typeof value === 'boolean') return String(value);
  if (style === Scalar.QUOTE_SINGLE) return `'${value}'`;
  // A plain number would be read as one, a comma ends a plain value inside brackets, and a colon may begin none.
  const needsQuotes = style === Scalar.QUOTE_DOUBLE || inFlow || /^(?:[0-9]+$|:)/.test(value);
  return needsQuotes ? JSON.stringify(value) : value;
};

const inline = ([key = '', ...rest]: readonly string[], value: Value): string =>
  rest.length === 0 ? `${key}: ${spelt(value, undefined, true)}` : `${key}: {${inline(rest, value)}}`;

/** Behind the line break that ends the line; the end of the text where there is none. */
function nextLine(text: string, position: number): number {
  if (position > 0 && text[position - 1] === '\n') return position;
  const newline = text.indexOf('\n', position);
  return newline < 0 ? text.length : newline + 1;
}

const unsafe = (keys: readonly string[]): Result<string, string> =>
  err(`${keys.join('.') || 'a part of it'} is written in a way that cannot be changed safely: edit it by hand`);

/** The tree with one value at a path; undefined: not there. */
function changed(tree: unknown, [key = '', ...rest]: readonly string[], value: Value | undefined): unknown {
  const plain = typeof tree === 'object' && tree !== null ? (tree as Record<string, unknown>) : {};
  if (rest.length > 0) return { ...plain, [key]: changed(plain[key], rest, value) };
  const { [key]: _, ...others } = plain;
  return value === undefined ? others : { ...plain, [key]: value };
}

/** To k0s a part that says nothing is the same as none. */
function withoutEmpty(tree: unknown): unknown {
  if (Array.isArray(tree)) return tree.map(withoutEmpty);
  if (typeof tree !== 'object' || tree === null) return tree;
  const kept = Object.entries(tree).flatMap(([key, value]) => {
    const inner = withoutEmpty(value);
    const isEmpty =
      inner === null || (typeof inner === 'object' && !Array.isArray(inner) && Object.keys(inner).length === 0);
    return isEmpty ? [] : [[key, inner] as const];
  });
  return Object.fromEntries(kept);
}
