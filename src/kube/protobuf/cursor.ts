/** What is read is not what it says that it is. Thrown in this folder, and caught in `answers.ts`, its only door. */
export class Malformed extends Error {}

const malformed = (what: string): never => {
  throw new Malformed(what);
};

/** How a field's value is written; groups (3 and 4) have been out of use for longer than Kubernetes exists. */
export const VARINT = 0;
const FIXED64 = 1;
export const LENGTH = 2;
const FIXED32 = 5;

/** What `toString('utf8', …)` comes to in the end, without choosing an encoding for each of hundreds of thousands of texts. */
interface Utf8Buffer extends Buffer {
  utf8Slice(from: number, to: number): string;
}

const NOTHING = Buffer.alloc(0) as Utf8Buffer;
/** Longer texts are seldom met twice. */
const LONGEST_WORD = 96;
const WORDS = 8192;

/**
 * Reads the wire format of protobuf in place, without a copy of what is passed over. One is used again and again, so that the engine knows its
 * shape. Every read stays within `end`, and every one but for the last moves on: it cannot run forever.
 */
export class Cursor {
  private bytes: Utf8Buffer = NOTHING;
  private at = 0;
  private end = 0;
  /** Words that were met before: thousands of objects share their labels' keys, and one text for each is kept. */
  private readonly words: (string | undefined)[] = Array.from({ length: WORDS });

  over(bytes: Buffer, from = 0, to = bytes.length): this {
    this.bytes = bytes as Utf8Buffer;
    this.at = from;
    this.end = to;
    return this;
  }

  /** Holds on to nothing that was read. */
  release(): void {
    this.over(NOTHING);
  }

  get more(): boolean {
    return this.at < this.end;
  }

  /** Field number × 8 + how it is written. */
  tag(): number {
    const tag = this.varint();
    return tag >= 8 && tag < 2 ** 32 ? tag : malformed('a field number is out of range');
  }

  /** Exact below 2⁵³. */
  varint(): number {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      if (this.at >= this.end) malformed('a number is cut off');
      const byte = this.bytes[this.at++] ?? 0;
      if (byte < 128) return value + byte * scale;
      value += (byte - 128) * scale;
      if (scale > 2 ** 62) malformed('a number has no end');
    }
  }

  /** A number with a sign: negative ones are written as their complement in 64 bits. */
  int(): number {
    const from = this.at;
    const value = this.varint();
    // Only what takes ten bytes is negative; then the bits that a double would lose are read once more.
    if (this.at - from < 10) return value;
    let complement = 0;
    for (let place = 0; place < 9; place++)
      complement += (127 - ((this.bytes[from + place] ?? 0) & 127)) * 128 ** place;
    return -complement - 1;
  }

  /** Goes into what is written with its length before it, and gives the end of what is around it, for `leave`. */
  enter(): number {
    const length = this.varint();
    const outer = this.end;
    if (length > outer - this.at) malformed('a part is longer than the whole');
    this.end = this.at + length;
    return outer;
  }

  leave(outer: number): void {
    this.at = this.end;
    this.end = outer;
  }

  text(): string {
    const outer = this.enter();
    const text = this.at === this.end ? '' : this.bytes.utf8Slice(this.at, this.end);
    this.leave(outer);
    return text;
  }

  /** A text that others have too, as one and the same string. */
  word(): string {
    const outer = this.enter();
    const word = this.known();
    this.leave(outer);
    return word;
  }

  /** So many bytes, as ASCII. */
  raw(length: number): string {
    this.pass(length);
    return this.bytes.toString('latin1', this.at - length, this.at);
  }

  /** Passes over the value of a field. */
  skip(tag: number): void {
    switch (tag & 7) {
      case VARINT:
        this.varint();
        return;
      case FIXED64:
        return this.pass(8);
      case LENGTH:
        return this.leave(this.enter());
      case FIXED32:
        return this.pass(4);
      default:
        malformed('a field is written in no known way');
    }
  }

  private pass(length: number): void {
    if (length > this.end - this.at) malformed('a field is cut off');
    this.at += length;
  }

  private known(): string {
    const { bytes, at, end } = this;
    const length = end - at;
    if (length === 0) return '';
    if (length > LONGEST_WORD) return bytes.utf8Slice(at, end);
    let hash = length;
    for (let index = at; index < end; index++) hash = (Math.imul(hash, 31) + (bytes[index] ?? 0)) | 0;
    const slot = (hash ^ (hash >>> 15)) & (WORDS - 1);
    const before = this.words[slot];
    if (before !== undefined && isWrittenAs(before, bytes, at, length)) return before;
    const word = bytes.utf8Slice(at, end);
    this.words[slot] = word;
    return word;
  }
}

/** Only ASCII has as many characters as bytes, so whatever else there is counts as different. */
function isWrittenAs(word: string, bytes: Buffer, at: number, length: number): boolean {
  if (word.length !== length) return false;
  for (let index = 0; index < length; index++) if (word.charCodeAt(index) !== bytes[at + index]) return false;
  return true;
}
