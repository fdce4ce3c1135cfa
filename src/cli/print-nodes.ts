import type { ClusterFacts, NodeFacts } from '../model/facts.ts';
import { listText } from '../model/list-text.ts';
import { FAMILIES, type Family, familyAtSight } from '../net/family.ts';
import { type Diagnosis, fixText, fixWords, pauseText, triedText } from '../nodes/cause.ts';
import { isGuarded } from '../plan/guard-steps.ts';
import {
  ageText,
  type Cell,
  type Column,
  indented,
  growingTable,
  harmless,
  paint,
  plural,
  type PrintOptions,
  table,
} from './text.ts';

/** One node as people ask about it. */
export interface NodeRow {
  readonly name: string;
  readonly ready: boolean;
  /** It was there, and is shown for the last time. */
  readonly deleted: boolean;
  readonly controlPlane: boolean;
  /** Families of its InternalIPs, in the order of the addresses. */
  readonly families: readonly Family[];
  readonly internalIPs: readonly string[];
  readonly podCIDRs: readonly string[];
  /** Why it is not as wanted; null: it is. */
  readonly diagnosis: Diagnosis | null;
  /** New pods are kept off it by the taint of `spec.nodes.guard`. */
  readonly guarded: boolean;
  readonly createdAt: string;
}

/** Tells why a node is not as wanted; null when it is. The operator's own answer is handed in. */
export type Diagnose = (node: NodeFacts) => Diagnosis | null;

/** Rows for all nodes, those that are not as wanted first, then by name. */
export function nodeRows(facts: ClusterFacts, diagnose: Diagnose): readonly NodeRow[] {
  return facts.nodes
    .map(
      (node): NodeRow => ({
        name: node.name,
        ready: node.ready,
        deleted: false,
        controlPlane: node.controlPlane,
        families: familiesOf(node.internalIPs),
        internalIPs: node.internalIPs,
        podCIDRs: node.podCIDRs,
        diagnosis: diagnose(node),
        guarded: isGuarded(node),
        createdAt: node.createdAt,
      }),
    )
    .toSorted(
      (a, b) => Number(a.diagnosis === null) - Number(b.diagnosis === null) || collator.compare(a.name, b.name),
    );
}

const collator = new Intl.Collator('en');

const familiesOf = (addresses: readonly string[]): readonly Family[] => [...new Set(addresses.map(familyAtSight))];

/**
 * The table of `kubectl dualstack nodes`, and below it what to do about each cause. `wide` has that in the table, node by node, with roles, pod CIDRs
 * and the cause in full.
 * @param isAsked A DualStackCluster in the cluster asks for what the rows are measured by.
 */
export function printNodes(rows: readonly NodeRow[], options: PrintOptions, isAsked = true): string {
  if (rows.length === 0) return 'No node to show.\n';
  const lines = table(
    nodeColumns(options.wide),
    rows.map((row) => cells(row, options)),
    unlimited(options),
  );
  return `${[...lines, ...(options.wide ? [] : fixLines(rows, options, isAsked))].join('\n')}\n`;
}

/** The same table for rows that come one after another; what to do about each cause is in its wide form alone. */
export function nodeLines(wide: boolean): (rows: readonly NodeRow[], options: PrintOptions) => string {
  const add = growingTable(nodeColumns(wide));
  return (rows, options) => {
    const lines = add(
      rows.map((row) => cells(row, options)),
      unlimited(options),
    );
    return `${lines.join('\n')}\n`;
  };
}

/** Only what has no room for everything is fitted to the screen. */
const unlimited = (options: PrintOptions): PrintOptions =>
  options.wide ? { ...options, width: Number.MAX_SAFE_INTEGER } : options;

function nodeColumns(wide: boolean): readonly Column[] {
  return [
    { title: 'NAME', gives: 'First' },
    { title: 'READY' },
    { title: 'FAMILIES' },
    { title: 'PRIMARY-IP', gives: 'Last' },
    { title: 'SECOND-IP', gives: 'Last' },
    { title: 'CAUSE', gives: 'First' },
    { title: 'FOR' },
    ...(wide ? ['AGE', 'ROLE', 'POD-CIDRS', 'BY', 'FIX', 'DETAIL'].map((title) => ({ title })) : []),
  ];
}

function cells(row: NodeRow, options: PrintOptions): readonly Cell[] {
  const second = row.internalIPs.find((address) => familyAtSight(address) !== row.families[0]);
  const { diagnosis } = row;
  return [
    { text: row.name },
    readyCell(row),
    { text: row.families.join(',') || '<none>', tone: row.families.length === FAMILIES.length ? 'green' : 'yellow' },
    { text: row.internalIPs[0] ?? '<none>' },
    { text: second ?? '-' },
    causeCell(row),
    { text: diagnosis === null ? '-' : diagnosis.since === null ? '?' : ageText(diagnosis.since, options.now) },
    ...(options.wide
      ? [
          { text: ageText(row.createdAt, options.now) },
          { text: row.controlPlane ? 'control-plane' : 'worker' },
          { text: row.podCIDRs.join(',') || '-' },
          { text: diagnosis === null ? '-' : diagnosis.operator.may ? 'operator' : 'you' },
          { text: diagnosis === null ? '-' : fixText(diagnosis.fix) },
          { text: diagnosis === null ? '-' : detailText(diagnosis) },
        ]
      : []),
  ];
}

const detailText = ({ sentence, tried, operator }: Diagnosis): string =>
  [
    sentence,
    ...(tried === undefined ? [] : [triedText(tried)]),
    ...(operator.may && operator.notBefore !== undefined ? [pauseText(operator.notBefore)] : []),
  ].join(' ');

const readyCell = ({ deleted, ready }: NodeRow): Cell =>
  deleted ? { text: 'Deleted', tone: 'red' } : { text: ready ? 'True' : 'False', tone: ready ? 'green' : 'red' };

function causeCell({ diagnosis, guarded }: NodeRow): Cell {
  const text = [...(diagnosis === null ? [] : [diagnosis.cause]), ...(guarded ? ['(guarded)'] : [])].join(' ');
  return text === '' ? { text: '-' } : { text, tone: 'yellow' };
}

/** So many nodes are named for one fix, and so many fixes told; the rest is in the table and in `-o wide`. */
const NAMED = 4;
const TOLD = 8;

/** Nodes with the same cause and the same fix are told together, the one that helps most nodes first. */
function fixLines(rows: readonly NodeRow[], options: PrintOptions, isAsked: boolean): readonly string[] {
  const groups = new Map<string, { readonly diagnosis: Diagnosis; readonly names: string[] }>();
  for (const { name, diagnosis } of rows) {
    if (diagnosis === null) continue;
    const key = `${diagnosis.cause} ${diagnosis.fix.short} ${diagnosis.operator.may}`;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, { diagnosis, names: [name] });
    else group.names.push(name);
  }
  if (groups.size === 0) return [];
  const sorted = [...groups.values()].toSorted((a, b) => b.names.length - a.names.length);
  const more = sorted.length - TOLD;
  return [
    '',
    paint('What to do', 'bold', options),
    ...sorted
      .slice(0, TOLD)
      .flatMap(({ diagnosis, names }) => [
        ...indented(`${diagnosis.cause} (${listText(names, NAMED)}): ${detailText(diagnosis)}`, '  ', options.width),
        ...doLines(diagnosis, names, options.width, isAsked),
      ]),
    ...(more > 0 ? [`  and ${plural(more, 'other cause')}: -o wide`] : []),
  ];
}

/** A command for a node names its own addresses: of several nodes that of the first is shown. It is one line, to be copied as it stands. */
function doLines(
  { fix, operator }: Diagnosis,
  names: readonly string[],
  width: number,
  isAsked: boolean,
): readonly string[] {
  const [first = ''] = names;
  const example = names.length > 1 && fix.where === 'Node' && fix.command !== null;
  const byHand = example ? `For ${first}: ` : '';
  const who = operator.may
    ? `The operator does it ${isAsked ? `when ${names.length > 1 ? 'their' : 'its'} turn comes` : 'once a DualStackCluster asks for it'}. By hand${example ? `, for ${first}` : ''}: `
    : byHand;
  const words = `${who}${fixWords(fix)}${fix.command === null ? '.' : ':'}`;
  return [...indented(words, '    ', width), ...(fix.command === null ? [] : [`      ${harmless(fix.command)}`])];
}

/** The rows as a document for machines. */
export const nodesDocument = (rows: readonly NodeRow[]): object => ({ nodes: rows.map(nodeDocument) });

export const nodeDocument = (row: NodeRow): object => ({
  name: row.name,
  ready: row.ready,
  role: row.controlPlane ? 'control-plane' : 'worker',
  families: row.families,
  internalIPs: row.internalIPs,
  podCIDRs: row.podCIDRs,
  cause: row.diagnosis?.cause ?? null,
  family: row.diagnosis?.family ?? null,
  message: row.diagnosis?.sentence ?? null,
  evidence: row.diagnosis?.evidence ?? [],
  since: row.diagnosis?.since ?? null,
  remedy: row.diagnosis?.fix.short ?? null,
  command: row.diagnosis?.fix.command ?? null,
  runOn: row.diagnosis?.fix.where ?? null,
  byOperator: row.diagnosis?.operator.may ?? false,
  whyNotByOperator: row.diagnosis?.operator.may === false ? row.diagnosis.operator.why : null,
  tried: row.diagnosis?.tried ?? null,
  guarded: row.guarded,
  createdAt: row.createdAt,
});
