import { asNumber, asString, at, type KubeObject } from '../model/object.ts';
import { err, ok, type Result, unreachable } from '../result.ts';
import { errorFromStatus, type KubeError, type Subject } from './errors.ts';
import { type Format, type Frame, isProtobuf } from './protobuf/answers.ts';

/**
 * What a watch tells. A bookmark carries no object: it only says how far the watch has come, and the one with `endOfList` that all which was
 * there at its beginning has been told.
 */
export type WatchEvent =
  | { readonly type: 'ADDED' | 'MODIFIED' | 'DELETED'; readonly object: KubeObject }
  | { readonly type: 'BOOKMARK'; readonly resourceVersion: string | undefined; readonly endOfList: boolean };

/** Makes events of bytes that come in pieces of any size. After an error it is of no use. What is not whole yet waits for the next piece. */
type EventReader = (chunk: Uint8Array) => readonly Result<WatchEvent, KubeError>[];

export function eventReader(contentType: string, format: Format | null, subject: Subject): EventReader {
  return isProtobuf(contentType) && format !== null ? frameReader(format, subject) : lineReader(subject);
}

const HEAD = 4;
/** An object of etcd has a few MB at most. What says to be larger is no frame, and would be waited for in vain, with much memory. */
const LONGEST_FRAME = 64 * 1024 * 1024;
const USUAL_FRAME = 64 * 1024;

/** Each frame has its length before it, as four bytes. Frames are read where they are; only what spans two pieces is put together first. */
function frameReader(format: Format, subject: Subject): EventReader {
  let kept: Buffer = Buffer.allocUnsafeSlow(USUAL_FRAME);
  let length = 0;

  /** As many bytes as are missing up to `wanted`; gives how far into the piece that went. */
  const keep = (piece: Buffer, from: number, wanted: number): number => {
    const to = Math.min(piece.length, from + wanted - length);
    if (wanted > kept.length) kept = grown(kept, length, wanted);
    piece.copy(kept, length, from, to);
    length += to - from;
    return to;
  };

  return (chunk) => {
    const piece = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    const events: Result<WatchEvent, KubeError>[] = [];
    const read = (bytes: Buffer, from: number, to: number): boolean => {
      const event = eventOf(format.frame(bytes, from, to), subject);
      events.push(event);
      return event.ok;
    };
    const tooLong = (size: number): boolean => {
      if (size <= LONGEST_FRAME) return false;
      events.push(err(broken(subject, `an event of ${size} bytes is announced`)));
      return true;
    };

    let here = 0;
    while (here < piece.length) {
      if (length === 0 && piece.length - here >= HEAD) {
        const size = piece.readUInt32BE(here);
        const from = here + HEAD;
        if (tooLong(size)) return events;
        if (piece.length - from >= size) {
          if (!read(piece, from, from + size)) return events;
          here = from + size;
          continue;
        }
      }
      if (length < HEAD) here = keep(piece, here, HEAD);
      if (length < HEAD) return events;
      const whole = HEAD + kept.readUInt32BE(0);
      if (tooLong(whole)) return events;
      here = keep(piece, here, whole);
      if (length < whole) return events;
      length = 0;
      if (!read(kept, HEAD, whole)) return events;
      if (kept.length > 16 * USUAL_FRAME) kept = Buffer.allocUnsafeSlow(USUAL_FRAME);
    }
    return events;
  };
}

function grown(kept: Buffer, length: number, wanted: number): Buffer {
  const larger = Buffer.allocUnsafeSlow(wanted * 2);
  kept.copy(larger, 0, 0, length);
  return larger;
}

function eventOf(frame: Result<Frame, string>, subject: Subject): Result<WatchEvent, KubeError> {
  if (!frame.ok) return err({ ...subject, kind: 'Unknown', message: frame.error });
  switch (frame.value.type) {
    case 'BOOKMARK':
      return ok(bookmarkOf(frame.value.metadata));
    case 'ERROR':
      return err(errorFromStatus(subject, codeOf(frame.value.status), frame.value.status));
    case 'ADDED':
    case 'MODIFIED':
    case 'DELETED':
      return ok(frame.value);
    default:
      return unreachable(frame.value);
  }
}

/** One event to a line. Whole lines only: what comes after the last line break has been cut off by the end of the stream. */
function lineReader(subject: Subject): EventReader {
  const decoder = new TextDecoder();
  // Pieces of one long line are joined once, at its end: joining at each chunk would copy the beginning again and again.
  let pieces: string[] = [];
  return (chunk) => {
    const events: Result<WatchEvent, KubeError>[] = [];
    const parts = decoder.decode(chunk, { stream: true }).split('\n');
    const last = parts.pop() ?? '';
    for (const part of parts) {
      const line = pieces.length === 0 ? part : [...pieces, part].join('');
      pieces = [];
      if (line.trim() !== '') events.push(parseLine(line, subject));
    }
    if (last !== '') pieces.push(last);
    return events;
  };
}

function parseLine(line: string, subject: Subject): Result<WatchEvent, KubeError> {
  let event: unknown;
  try {
    event = JSON.parse(line);
  } catch {
    return err(broken(subject, 'a line of the watch is no JSON'));
  }
  const type = at(event, 'type');
  const object = at(event, 'object');
  switch (type) {
    case 'ADDED':
    case 'MODIFIED':
    case 'DELETED':
      return ok({ type, object: object as KubeObject });
    case 'BOOKMARK':
      return ok(bookmarkOf(at(object, 'metadata')));
    case 'ERROR':
      return err(errorFromStatus(subject, codeOf(object), object));
    default:
      return err({ ...subject, kind: 'Unknown', message: `the server sent a watch event of type ${String(type)}` });
  }
}

/** By this annotation a server marks the bookmark that ends the list in a watch. */
const END_OF_LIST = 'k8s.io/initial-events-end';

const bookmarkOf = (metadata: unknown): WatchEvent => ({
  type: 'BOOKMARK',
  resourceVersion: asString(at(metadata, 'resourceVersion')),
  endOfList: at(metadata, 'annotations', END_OF_LIST) === 'true',
});

const codeOf = (status: unknown): number => asNumber(at(status, 'code')) ?? 500;

/** As if the connection had broken: what came before was right, and the watch goes on from there. */
const broken = (subject: Subject, message: string): KubeError => ({ ...subject, kind: 'Network', message });
