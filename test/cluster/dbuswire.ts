/** The little of the D-Bus wire format that a played systemd needs: strings in, strings and numbers out. */
export interface Incoming {
  readonly type: number;
  readonly flags: number;
  readonly serial: number;
  readonly path: string;
  readonly interface: string;
  readonly member: string;
  /** Arguments, where all are strings or object paths. */
  readonly args: readonly string[];
}

export const METHOD_CALL = 1;
export const METHOD_RETURN = 2;
export const ERROR = 3;
export const SIGNAL = 4;
export const NO_REPLY_EXPECTED = 1;

const FIELD = {
  path: 1,
  interface: 2,
  member: 3,
  errorName: 4,
  replySerial: 5,
  destination: 6,
  sender: 7,
  signature: 8,
} as const;
const FIXED_HEADER = 16;

/** Reads one message from the front of the buffer; undefined until all of it is there. */
export function readMessage(buffer: Buffer): { message: Incoming; size: number } | undefined {
  if (buffer.length < FIXED_HEADER) return undefined;
  const reader = new Reader(buffer);
  const bodyLength = reader.u32(4);
  const fieldsEnd = FIXED_HEADER + reader.u32(12);
  const bodyStart = align(fieldsEnd, 8);
  if (buffer.length < bodyStart + bodyLength) return undefined;
  const fields = reader.fields(fieldsEnd);
  const text = (field: number): string => String(fields.get(field) ?? '');
  const message: Incoming = {
    type: buffer[1] ?? 0,
    flags: buffer[2] ?? 0,
    serial: reader.u32(8),
    path: text(FIELD.path),
    interface: text(FIELD.interface),
    member: text(FIELD.member),
    args: reader.strings(bodyStart, text(FIELD.signature)),
  };
  return { message, size: bodyStart + bodyLength };
}

const align = (offset: number, to: number): number => Math.ceil(offset / to) * to;

class Reader {
  readonly #buffer: Buffer;
  readonly #little: boolean;
  #at = 0;

  constructor(buffer: Buffer) {
    this.#buffer = buffer;
    this.#little = buffer[0] === 'l'.charCodeAt(0);
  }

  u32(at: number): number {
    return this.#little ? this.#buffer.readUInt32LE(at) : this.#buffer.readUInt32BE(at);
  }

  fields(end: number): Map<number, string | number> {
    const fields = new Map<number, string | number>();
    this.#at = FIXED_HEADER;
    while (this.#at < end) {
      this.#at = align(this.#at, 8);
      const code = this.#buffer[this.#at++] ?? 0;
      fields.set(code, this.#value(this.#signature()));
    }
    return fields;
  }

  strings(from: number, signature: string): string[] {
    if (!/^[so]*$/.test(signature)) return [];
    this.#at = from;
    return Array.from({ length: signature.length }, () => this.#string());
  }

  #value(type: string): string | number {
    if (type === 'u') {
      this.#at = align(this.#at, 4) + 4;
      return this.u32(this.#at - 4);
    }
    return type === 'g' ? this.#signature() : this.#string();
  }

  #string(): string {
    this.#at = align(this.#at, 4);
    const length = this.u32(this.#at);
    const text = this.#buffer.toString('utf8', this.#at + 4, this.#at + 4 + length);
    this.#at += 4 + length + 1;
    return text;
  }

  #signature(): string {
    const length = this.#buffer[this.#at] ?? 0;
    const text = this.#buffer.toString('utf8', this.#at + 1, this.#at + 1 + length);
    this.#at += 1 + length + 1;
    return text;
  }
}

/** A value with its D-Bus type. `a{sv}` holds string values only. */
export type Value =
  | { readonly type: 's' | 'o' | 'g'; readonly value: string }
  | { readonly type: 'u'; readonly value: number }
  | { readonly type: 'v'; readonly value: Value }
  | { readonly type: 'a{sv}'; readonly value: Readonly<Record<string, string>> };

export interface Outgoing {
  readonly type: number;
  readonly serial: number;
  readonly sender: string;
  readonly replyTo?: number;
  readonly destination?: string;
  readonly path?: string;
  readonly interface?: string;
  readonly member?: string;
  readonly errorName?: string;
  readonly body: readonly Value[];
}

export function writeMessage(message: Outgoing): Buffer {
  const body = new Writer();
  for (const value of message.body) body.value(value);
  const bodyBytes = body.bytes();
  const signature = message.body.map((value) => value.type).join('');
  const fields: [number, Value][] = [];
  const add = (code: number, type: 's' | 'o' | 'g', value: string | undefined): unknown =>
    value && fields.push([code, { type, value }]);
  add(FIELD.path, 'o', message.path);
  add(FIELD.interface, 's', message.interface);
  add(FIELD.member, 's', message.member);
  add(FIELD.errorName, 's', message.errorName);
  add(FIELD.destination, 's', message.destination);
  add(FIELD.sender, 's', message.sender);
  add(FIELD.signature, 'g', signature);
  if (message.replyTo !== undefined) fields.push([FIELD.replySerial, { type: 'u', value: message.replyTo }]);
  const header = new Writer();
  header.raw([...Buffer.from('l'), message.type, NO_REPLY_EXPECTED, 1]);
  header.u32(bodyBytes.length);
  header.u32(message.serial);
  header.array(8, () => {
    for (const [code, value] of fields) {
      header.align(8);
      header.raw([code]);
      header.value({ type: 'v', value });
    }
  });
  header.align(8);
  return Buffer.concat([header.bytes(), bodyBytes]);
}

class Writer {
  readonly #bytes: number[] = [];

  bytes(): Buffer {
    return Buffer.from(this.#bytes);
  }

  raw(bytes: Iterable<number>): void {
    this.#bytes.push(...bytes);
  }

  align(to: number): void {
    while (this.#bytes.length % to !== 0) this.#bytes.push(0);
  }

  u32(value: number): void {
    this.align(4);
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32LE(value);
    this.raw(bytes);
  }

  array(alignment: number, elements: () => void): void {
    this.u32(0);
    const lengthAt = this.#bytes.length - 4;
    this.align(alignment);
    const start = this.#bytes.length;
    elements();
    const length = Buffer.alloc(4);
    length.writeUInt32LE(this.#bytes.length - start);
    this.#bytes.splice(lengthAt, 4, ...length);
  }

  value(value: Value): void {
    switch (value.type) {
      case 's':
      case 'o':
        this.u32(Buffer.byteLength(value.value));
        this.raw([...Buffer.from(value.value), 0]);
        return;
      case 'g':
        this.raw([value.value.length, ...Buffer.from(value.value), 0]);
        return;
      case 'u':
        this.u32(value.value);
        return;
      case 'v':
        this.value({ type: 'g', value: value.value.type });
        this.value(value.value);
        return;
      case 'a{sv}':
        this.array(8, () => {
          for (const [name, text] of Object.entries(value.value)) {
            this.align(8);
            this.value({ type: 's', value: name });
            this.value({ type: 'v', value: { type: 's', value: text } });
          }
        });
    }
  }
}
