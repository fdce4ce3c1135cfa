import { unreachable } from '../result.ts';

/** What a reader of one HTTP/1.1 response tells, in this order. Bytes are valid only during the call. */
interface ResponseParts {
  head(status: number, headers: ReadonlyMap<string, string>): void;
  data(bytes: Buffer): void;
  end(): void;
}

interface ResponseReader {
  /** Takes what came, in pieces of any size. Throws when it is no HTTP response. Gives how many bytes it took: all, but for those after the head. */
  take(piece: Buffer): number;
  /** The server has closed the connection: that is the end of a body of unknown length, and of any other too early. Gives whether it was the end. */
  close(): boolean;
  /** The head has been told. */
  hasHead(): boolean;
}

const MOST_HEAD = 64 * 1024;
const LINE_BREAK = 0x0a;

/** What comes next. */
type State =
  | { readonly is: 'Head' }
  | { readonly is: 'ChunkSize' }
  /** So many bytes of a chunk, or of a body of known length (`last`). */
  | { readonly is: 'Data'; left: number; readonly last: boolean }
  | { readonly is: 'ChunkEnd' }
  | { readonly is: 'Trailer' }
  | { readonly is: 'UntilClose' }
  | { readonly is: 'Done' };

/** What is read by whole lines. */
type LineState = 'Head' | 'ChunkSize' | 'ChunkEnd' | 'Trailer';

/**
 * Reads the response to a GET (RFC 9112) where its bytes lie: the list of thousands of objects takes half the time, and a third of the memory, that
 * Node's own streams need for it. No compression is asked for, so none is undone.
 */
export function responseReader(parts: ResponseParts): ResponseReader {
  let state: State = { is: 'Head' };
  /** Beginning of a line, or of the head, that came in pieces. */
  let kept = '';

  /** The rest of a line, without its end; null: it is not whole yet. */
  const line = (piece: Buffer, from: number): { readonly text: string; readonly next: number } | null => {
    const at = piece.indexOf(LINE_BREAK, from);
    const text = kept + piece.toString('latin1', from, at < 0 ? piece.length : at);
    if (text.length > MOST_HEAD) throw new Error('the server sent a line without end');
    kept = at < 0 ? text : '';
    return at < 0 ? null : { text: text.endsWith('\r') ? text.slice(0, -1) : text, next: at + 1 };
  };

  const head: string[] = [];
  let headLength = 0;
  const headLine = (text: string): void => {
    headLength += text.length;
    if (headLength > MOST_HEAD) throw new Error('the server sent a head without end');
    if (text !== '') return void head.push(text);
    const [first = '', ...fields] = head.splice(0);
    headLength = 0;
    const status = statusOf(first);
    // A provisional one: the real one follows.
    if (status >= 100 && status < 200) return;
    const headers = fieldsOf(fields);
    state = bodyState(status, headers);
    parts.head(status, headers);
    if (state.is === 'Done') parts.end();
  };

  const data = (piece: Buffer, from: number, current: Extract<State, { is: 'Data' }>): number => {
    const to = Math.min(piece.length, from + current.left);
    current.left -= to - from;
    if (current.left === 0) state = current.last ? { is: 'Done' } : { is: 'ChunkEnd' };
    parts.data(piece.subarray(from, to));
    if (state.is === 'Done') parts.end();
    return to;
  };

  const onLine = (place: LineState, text: string): void => {
    switch (place) {
      case 'Head':
        return headLine(text);
      case 'ChunkSize': {
        const size = chunkSize(text);
        state = size === 0 ? { is: 'Trailer' } : { is: 'Data', left: size, last: false };
        return;
      }
      case 'ChunkEnd':
        if (text !== '') throw new Error('the server sent a chunk that is longer than announced');
        state = { is: 'ChunkSize' };
        return;
      case 'Trailer':
        if (text !== '') return;
        state = { is: 'Done' };
        return parts.end();
      default:
        return unreachable(place);
    }
  };

  /** Takes some of the piece; gives how far that went. */
  const step = (piece: Buffer, from: number): number => {
    switch (state.is) {
      case 'Head':
      case 'ChunkSize':
      case 'ChunkEnd':
      case 'Trailer': {
        const read = line(piece, from);
        if (read === null) return piece.length;
        onLine(state.is, read.text);
        return read.next;
      }
      case 'Data':
        return data(piece, from, state);
      case 'UntilClose':
        parts.data(piece.subarray(from));
        return piece.length;
      case 'Done':
        throw new Error('the server sent more than it had announced');
      default:
        return unreachable(state);
    }
  };

  const isAtHead = (): boolean => state.is === 'Head';

  return {
    take(piece) {
      let at = 0;
      while (at < piece.length) {
        const wasHead = isAtHead();
        at = step(piece, at);
        // The body is for a reader who has yet to come.
        if (wasHead && !isAtHead()) return at;
      }
      return at;
    },
    hasHead: () => !isAtHead(),
    close() {
      if (state.is === 'Done') return true;
      if (state.is !== 'UntilClose') return false;
      state = { is: 'Done' };
      parts.end();
      return true;
    },
  };
}

function statusOf(line: string): number {
  const status = /^HTTP\/1\.[01] (\d{3})(?: |$)/.exec(line)?.[1];
  if (status === undefined) throw new Error('the server does not speak HTTP/1.1');
  return Number(status);
}

function fieldsOf(lines: readonly string[]): ReadonlyMap<string, string> {
  return new Map(
    lines.map((line) => {
      const field = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*(.*?)[ \t]*$/.exec(line);
      if (field === null) throw new Error('the server sent a header that is none');
      const [, name = '', value = ''] = field;
      return [name.toLowerCase(), value] as const;
    }),
  );
}

function bodyState(status: number, headers: ReadonlyMap<string, string>): State {
  if (status === 204 || status === 304) return { is: 'Done' };
  const coding = headers.get('transfer-encoding');
  if (coding?.toLowerCase() === 'chunked') return { is: 'ChunkSize' };
  if (coding !== undefined) throw new Error(`the server sent a body in the coding ${coding}, which was not asked for`);
  const length = headers.get('content-length');
  if (length === undefined) return { is: 'UntilClose' };
  const left = decimal(length);
  return left === 0 ? { is: 'Done' } : { is: 'Data', left, last: true };
}

function decimal(text: string): number {
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (!Number.isSafeInteger(value)) throw new Error(`the server announced a body of ${text} bytes`);
  return value;
}

/** Extensions after a semicolon say nothing that is of use here. */
function chunkSize(line: string): number {
  const digits = /^([0-9A-Fa-f]{1,8})[ \t]*(?:;|$)/.exec(line)?.[1];
  if (digits === undefined) throw new Error('the server sent a chunk without its size');
  return Number.parseInt(digits, 16);
}
