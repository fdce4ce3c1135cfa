import { err, ok, type Result } from '../result.ts';

/**
 * JSON read with the place of every value in the text, for edits that keep every other byte. It takes more than JSON: network configurations
 * are often templates in which a value is a bare placeholder (`__CNI_MTU__`).
 */
export type Source = ObjectSource | ArraySource | StringSource | BareSource;

interface Range {
  /** Offset of the first character. */
  readonly start: number;
  /** Offset after the last character. */
  readonly end: number;
}

export interface ObjectSource extends Range {
  readonly is: 'Object';
  readonly members: readonly { readonly key: StringSource; readonly value: Source }[];
}

interface ArraySource extends Range {
  readonly is: 'Array';
  readonly items: readonly Source[];
}

interface StringSource extends Range {
  readonly is: 'String';
  readonly value: string;
}

/** A number, `true`, `false`, `null` or a placeholder. */
interface BareSource extends Range {
  readonly is: 'Bare';
  readonly text: string;
}

export function parseSource(text: string): Result<Source, string> {
  const scanner = new Scanner(text);
  try {
    const value = scanner.value();
    scanner.expectEnd();
    return ok(value);
  } catch (error) {
    if (error instanceof SourceError) return err(error.message);
    throw error;
  }
}

/** The value of a member, or undefined: not an object, or no such member. Of two with one name the last counts, as in Go. */
export const member = (source: Source | undefined, name: string): Source | undefined =>
  source?.is === 'Object' ? source.members.findLast(({ key }) => key.value === name)?.value : undefined;

/** The text with another value there; `value` is JSON. */
export const withValue = (text: string, source: Source, value: string): string =>
  splice(text, source.start, source.end, value);

/** The text with one more member in that object, in the layout of its neighbours: behind the given value, or the last one. `value` is JSON. */
export function withMember(text: string, object: ObjectSource, name: string, value: string, after?: Source): string {
  const added = `${JSON.stringify(name)}: ${value}`;
  const behind = after ?? object.members.at(-1)?.value;
  if (behind === undefined) return splice(text, object.start + 1, object.start + 1, added);
  return splice(text, behind.end, behind.end, `,${separator(text, object)}${added}`);
}

/** What stands before the last key: white space in the writer's own style. */
function separator(text: string, object: ObjectSource): string {
  const last = object.members.at(-1);
  const previous = object.members.at(-2);
  if (last === undefined) return '';
  const from = previous === undefined ? object.start : previous.value.end;
  const space = text.slice(from + 1, last.key.start).replaceAll(/[^\s]/gu, '');
  // `{"type": "x"}` has nothing before its only key; a space after the comma is what its writer would put.
  return space === '' && previous === undefined ? ' ' : space;
}

const splice = (text: string, start: number, end: number, insert: string): string =>
  text.slice(0, start) + insert + text.slice(end);

class SourceError extends Error {}

class Scanner {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  value(): Source {
    this.#skipSpace();
    const first = this.#text[this.#at];
    if (first === '{') return this.#object();
    if (first === '[') return this.#array();
    if (first === '"') return this.#string();
    return this.#bare();
  }

  expectEnd(): void {
    this.#skipSpace();
    if (this.#at < this.#text.length) throw this.#wrong('the end');
  }

  #object(): ObjectSource {
    const start = this.#at;
    const members: { key: StringSource; value: Source }[] = [];
    this.#items('}', () => {
      this.#skipSpace();
      if (this.#text[this.#at] !== '"') throw this.#wrong('a quoted key');
      const key = this.#string();
      this.#skipSpace();
      if (this.#text[this.#at] !== ':') throw this.#wrong('":"');
      this.#at++;
      members.push({ key, value: this.value() });
    });
    return { is: 'Object', start, end: this.#at, members };
  }

  #array(): ArraySource {
    const start = this.#at;
    const items: Source[] = [];
    this.#items(']', () => items.push(this.value()));
    return { is: 'Array', start, end: this.#at, items };
  }

  #items(close: '}' | ']', read: () => void): void {
    this.#at++;
    this.#skipSpace();
    if (this.#text[this.#at] === close) {
      this.#at++;
      return;
    }
    for (;;) {
      read();
      this.#skipSpace();
      const next = this.#text[this.#at];
      if (next !== ',' && next !== close) throw this.#wrong(`"," or "${close}"`);
      this.#at++;
      if (next === close) return;
    }
  }

  #string(): StringSource {
    const start = this.#at;
    const quoted = /"(?:[^"\\]|\\.)*"/suy;
    quoted.lastIndex = start;
    const raw = quoted.exec(this.#text)?.[0];
    if (raw === undefined) throw this.#wrong('the closing quote of a string');
    this.#at = start + raw.length;
    return { is: 'String', start, end: this.#at, value: this.#unquote(raw) };
  }

  #unquote(raw: string): string {
    try {
      return JSON.parse(raw) as string;
    } catch {
      throw new SourceError(`${raw} is not a JSON string`);
    }
  }

  #bare(): BareSource {
    const start = this.#at;
    const bare = /[^\s,:"{}[\]]+/uy;
    bare.lastIndex = start;
    const text = bare.exec(this.#text)?.[0];
    if (text === undefined) throw this.#wrong('a value');
    this.#at = start + text.length;
    return { is: 'Bare', start, end: this.#at, text };
  }

  #skipSpace(): void {
    while (/\s/u.test(this.#text[this.#at] ?? '')) this.#at++;
  }

  #wrong(expected: string): SourceError {
    const line = this.#text.slice(0, this.#at).split('\n').length;
    const found = this.#text[this.#at];
    return new SourceError(
      `line ${line}: ${expected} was expected, found ${found === undefined ? 'the end' : JSON.stringify(found)}`,
    );
  }
}
