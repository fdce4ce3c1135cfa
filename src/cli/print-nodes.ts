import type { ClusterFacts, NodeFacts } from '../model/facts.ts';
import { FAMILIES, type Family } from '../net/family.ts';
import { isGuarded } from '../plan/guard-steps.ts';
import { ageText, type Cell, type Column, type PrintOptions, table } from './text.ts';

/** One node as people ask about it. */
export interface NodeRow {
  readonly name: string;
  readonly ready: boolean;
  readonly controlPlane: boolean;
  /** Families of its InternalIPs, in the order of the addresses. */
  readonly families: readonly Family[];
  readonly internalIPs: readonly string[];
  readonly podCIDRs: readonly string[];
  /** Why a wanted family is missing; null: none is. */
  readonly cause: NodeCause | null;
  /** New pods are kept off it by the taint of `spec.nodes.guard`. */
  readonly guarded: boolean;
  readonly createdAt: string;
}

export interface NodeCause {
  /** One of the closed list, such as `NoAddress`. */
  readonly cause: string;
  readonly sentence: string;
}

/** Tells why a node lacks a family; null when it does not. The planner's own answer is handed in. */
export type WhyMissing = (node: NodeFacts, family: Family) => NodeCause | null;

/** Rows for all nodes, those that lack a wanted family first, then by name. */
export function nodeRows(facts: ClusterFacts, wanted: readonly Family[], why: WhyMissing): readonly NodeRow[] {
  return facts.nodes
    .map((node): NodeRow => {
      const families = familiesOf(node.internalIPs);
      return {
        name: node.name,
        ready: node.ready,
        controlPlane: node.controlPlane,
        families,
        internalIPs: node.internalIPs,
        podCIDRs: node.podCIDRs,
        cause: wanted.map((family) => why(node, family)).find((cause) => cause !== null) ?? null,
        guarded: isGuarded(node),
        createdAt: node.createdAt,
      };
    })
    .toSorted((a, b) => Number(a.cause === null) - Number(b.cause === null) || a.name.localeCompare(b.name, 'en'));
}

const familiesOf = (addresses: readonly string[]): readonly Family[] => [
  ...new Set(addresses.map((address): Family => (address.includes(':') ? 'IPv6' : 'IPv4'))),
];

/** The table of `kubectl dualstack nodes`. `wide` adds roles, pod CIDRs and the cause in full. */
export function printNodes(rows: readonly NodeRow[], options: PrintOptions): string {
  if (rows.length === 0) return 'The cluster has no nodes.\n';
  const columns: readonly Column[] = [
    { title: 'NAME', gives: 'First' },
    { title: 'READY' },
    { title: 'FAMILIES' },
    { title: 'PRIMARY-IP', gives: 'Last' },
    { title: 'SECOND-IP', gives: 'Last' },
    { title: 'CAUSE', gives: 'First' },
    { title: 'AGE' },
    ...(options.wide ? [{ title: 'ROLE' }, { title: 'POD-CIDRS' }, { title: 'DETAIL' }] : []),
  ];
  const width = options.wide ? Number.MAX_SAFE_INTEGER : options.width;
  const lines = table(
    columns,
    rows.map((row) => cells(row, options)),
    { ...options, width },
  );
  return `${lines.join('\n')}\n`;
}

function cells(row: NodeRow, options: PrintOptions): readonly Cell[] {
  const second = row.internalIPs.find((address) => familiesOf([address])[0] !== row.families[0]);
  return [
    { text: row.name },
    { text: row.ready ? 'True' : 'False', tone: row.ready ? 'green' : 'red' },
    { text: row.families.join(',') || '<none>', tone: row.families.length === FAMILIES.length ? 'green' : 'yellow' },
    { text: row.internalIPs[0] ?? '<none>' },
    { text: second ?? '-' },
    causeCell(row),
    { text: ageText(row.createdAt, options.now) },
    ...(options.wide
      ? [
          { text: row.controlPlane ? 'control-plane' : 'worker' },
          { text: row.podCIDRs.join(',') || '-' },
          { text: row.cause?.sentence ?? '-' },
        ]
      : []),
  ];
}

function causeCell({ cause, guarded }: NodeRow): Cell {
  const text = [...(cause === null ? [] : [cause.cause]), ...(guarded ? ['(guarded)'] : [])].join(' ');
  return text === '' ? { text: '-' } : { text, tone: 'yellow' };
}

/** The rows as a document for machines. */
export const nodesDocument = (rows: readonly NodeRow[]): object => ({
  nodes: rows.map((row) => ({
    name: row.name,
    ready: row.ready,
    role: row.controlPlane ? 'control-plane' : 'worker',
    families: row.families,
    internalIPs: row.internalIPs,
    podCIDRs: row.podCIDRs,
    cause: row.cause?.cause ?? null,
    message: row.cause?.sentence ?? null,
    guarded: row.guarded,
    createdAt: row.createdAt,
  })),
});
