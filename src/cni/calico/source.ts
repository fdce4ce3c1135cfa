import { err, ok, type Result } from '../../result.ts';

/**
 * JSON read with the place of every value in the text. Calico's network configuration is a template: a value may be a bare
 * placeholder (`__CNI_MTU__`), so no JSON reader takes it, and what is edited must keep every other byte.
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

export interface ArraySource extends Range {
  readonly is: 'Array';
  readonly items: readonly Source[];
}

export interface StringSource extends Range {
  readonly is: 'String';
  readonly value: string;
}

/** A number, `true`, `false`, `null` or a placeholder. */
export interface BareSource extends Range {
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
