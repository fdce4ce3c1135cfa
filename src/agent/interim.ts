import { isMap, isScalar, parseAllDocuments } from 'yaml';
import type { YAMLMap } from 'yaml';
import { GROUP } from '../api/names.ts';

/**
 * A manifest that is not meant to run: it only makes the kubelet end the pod of the one before.
 *
 * A kubelet starts a static pod's successor when the old pod has ended; where it has not, it looks again 10 to 15 s later (pkg/kubelet/pod_workers.go,
 * `allowPodStart`, backOffPeriod). A manifest that differs in anything is another pod to it, which it looks at once. So a changed manifest is written
 * with a mark first, and without when the old pod has ended. Should nobody do the second, the kubelet runs the marked one: nothing but the mark differs.
 */
interface Interim {
  /** Uid of the pod that has to end first. */
  readonly pod: string;
  /** When it was written, in milliseconds since the host's boot. */
  readonly at: number;
}

const MARK = `${GROUP}/waits-for`;
const LINE = new RegExp(
  String.raw`^ *(?:annotations: \{)?${MARK.replaceAll('.', String.raw`\.`)}: "(\S+) (\d+)"\}?\r?\n`,
  'm',
);

export function readInterim(text: string): Interim | null {
  const match = LINE.exec(text);
  return match?.[1] === undefined ? null : { pod: match[1], at: Number(match[2]) };
}

/** The text without the mark, every other byte as it is. */
export const withoutInterim = (text: string): string => text.replace(LINE, '');

/** The text with a mark of its own, on one line; null: it is written in a way that leaves no safe place for one. */
export function asInterim(text: string, interim: Interim): string | null {
  const plain = withoutInterim(text);
  const place = placeOf(plain);
  if (place === null) return null;
  const mark = `${MARK}: "${interim.pod} ${interim.at}"`;
  const line = place.inAnnotations ? mark : `annotations: {${mark}}`;
  const eol = plain.includes('\r\n') ? '\r\n' : '\n';
  const marked = `${plain.slice(0, place.at)}${place.lead}${line}${eol}${plain.slice(place.at)}`;
  return isMarkedSo(marked, interim) && withoutInterim(marked) === plain ? marked : null;
}

interface Place {
  readonly at: number;
  readonly lead: string;
  readonly inAnnotations: boolean;
}

function placeOf(text: string): Place | null {
  const metadata = metadataOf(text);
  const annotations = metadata?.get('annotations');
  if (metadata === null || (annotations !== undefined && !isMap(annotations))) return null;
  const map = annotations ?? metadata;
  const key: unknown = map.items[0]?.key;
  if (map.flow === true || !isScalar(key) || key.range === undefined || key.range === null) return null;
  const at = text.lastIndexOf('\n', key.range[0] - 1) + 1;
  const lead = text.slice(at, key.range[0]);
  return /^ *$/.test(lead) ? { at, lead, inAnnotations: annotations !== undefined } : null;
}

/** Of a file with one document: which of several a kubelet would take is its own affair. */
function metadataOf(text: string): YAMLMap | null {
  const [document, second] = parseAllDocuments(text);
  if (document === undefined || second !== undefined || !('get' in document) || document.errors.length > 0) return null;
  const metadata = document.get('metadata');
  return isMap(metadata) ? metadata : null;
}

function isMarkedSo(text: string, { pod, at }: Interim): boolean {
  const annotations = metadataOf(text)?.get('annotations');
  return isMap(annotations) && annotations.get(MARK) === `${pod} ${at}`;
}
