import { err, ok } from '../result.ts';
import type { Result } from '../result.ts';

/**
 * Edits one argument inside a variable of an environment file or of a systemd unit's `Environment=`, character by character.
 * The last assignment of a variable counts, as systemd reads it.
 */
interface Assignment {
  /** Where the value's words begin and end in the text, inside any quotes. */
  readonly from: number;
  readonly to: number;
}

export function findAssignment(text: string, variable: string): Assignment | null {
  // In an environment file the line begins with the name; in a unit, `Environment=` and perhaps a quote come first.
  const pattern = new RegExp(`^[ \\t]*(Environment=(["']?)|export[ \\t]+)?${variable}=`, 'gm');
  const match = [...text.matchAll(pattern)].at(-1);
  if (match === null || match === undefined) return null;
  const start = match.index + match[0].length;
  const outer = match[2] ?? '';
  const quote = outer !== '' ? outer : /^["']/.exec(text.slice(start, start + 1))?.[0];
  if (quote !== undefined) {
    const from = outer !== '' ? start : start + 1;
    const close = closingQuote(text, from, quote);
    return close === null ? null : { from, to: close };
  }
  const end = text.indexOf('\n', start);
  const line = text.slice(start, end < 0 ? text.length : end);
  return { from: start, to: start + line.trimEnd().length };
}

function closingQuote(text: string, from: number, quote: string): number | null {
  for (let i = from; i < text.length; i += 1) {
    if (text[i] === '\\' && quote === '"') i += 1;
    else if (text[i] === quote) return i;
  }
  return null;
}

/** The value of a flag in that variable; null: not there. Of a repeated flag the last counts. */
export function readArgument(text: string, variable: string, flag: string): string | null {
  const place = findArgument(text, variable, flag);
  return place === null ? null : text.slice(place.valueFrom, place.to);
}

/** The text with the flag set, or removed for null. */
export function editArgument(
  text: string,
  variable: string,
  flag: string,
  value: string | null,
): Result<string, string> {
  const edited = value === null ? removeArgument(text, variable, flag) : setArgument(text, variable, flag, value);
  if (!edited.ok) return edited;
  return readArgument(edited.value, variable, flag) === value
    ? edited
    : err(
        `--${flag} in ${variable} is written in a way that cannot be changed safely: write ${variable}="--${flag}=…" by hand`,
      );
}

interface ArgumentPlace {
  readonly from: number;
  readonly valueFrom: number;
  readonly to: number;
}

function findArgument(text: string, variable: string, flag: string): ArgumentPlace | null {
  const assignment = findAssignment(text, variable);
  if (assignment === null) return null;
  const value = text.slice(assignment.from, assignment.to);
  const match = [...value.matchAll(new RegExp(`(?<=^|\\s)--${flag}(?:=|[ \\t]+)([^\\s"'\\\\]*)`, 'g'))].at(-1);
  if (match === undefined) return null;
  const from = assignment.from + match.index;
  const to = from + match[0].length;
  return { from, valueFrom: to - (match[1] ?? '').length, to };
}

function setArgument(text: string, variable: string, flag: string, value: string): Result<string, string> {
  const place = findArgument(text, variable, flag);
  if (place !== null) return ok(text.slice(0, place.valueFrom) + value + text.slice(place.to));
  const assignment = findAssignment(text, variable);
  if (assignment === null) {
    const eol = text === '' || text.endsWith('\n') ? '' : '\n';
    return ok(`${text}${eol}${variable}="--${flag}=${value}"\n`);
  }
  const gap = assignment.from === assignment.to ? '' : ' ';
  return ok(`${text.slice(0, assignment.to)}${gap}--${flag}=${value}${text.slice(assignment.to)}`);
}

function removeArgument(text: string, variable: string, flag: string): Result<string, string> {
  let edited = text;
  for (let place = findArgument(edited, variable, flag); place !== null; place = findArgument(edited, variable, flag)) {
    const gapBefore = /[ \t]+$/.exec(edited.slice(0, place.from))?.[0].length ?? 0;
    const gapAfter = gapBefore > 0 ? 0 : (/^[ \t]+/.exec(edited.slice(place.to))?.[0].length ?? 0);
    edited = edited.slice(0, place.from - gapBefore) + edited.slice(place.to + gapAfter);
  }
  return ok(edited);
}
