import { ownerText, type PodOwner, podsLacking } from '../model/pod-owner.ts';
import type { Plan } from '../model/plan.ts';
import { noteOn, worstFirst } from '../report/workloads.ts';
import { type Column, type PrintOptions, table } from './text.ts';

/** What keeps pods, as people ask about it. */
interface WorkloadRow {
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  readonly pods: number;
  /** Pods that lack a wanted family. */
  readonly singleStack: number;
  /** What becomes of it, or what to do; empty: all its pods are as wanted. */
  readonly note: string;
}

/** Those with pods that lack a wanted family first, the most pods first; then by name. */
export function workloadRows(owners: readonly PodOwner[], plan: Plan): readonly WorkloadRow[] {
  const counted = owners.filter((owner) => owner.pods > 0);
  const single = worstFirst(counted, plan.wanted);
  const rest = counted.filter((owner) => !single.includes(owner));
  return [
    ...single.map((owner) => rowOf(owner, plan, noteOn(plan.wanted, owner, plan.steps))),
    ...rest.toSorted((a, b) => ownerText(a).localeCompare(ownerText(b))).map((owner) => rowOf(owner, plan, '')),
  ];
}

const rowOf = (owner: PodOwner, { wanted }: Plan, note: string): WorkloadRow => {
  const { kind, namespace, name, pods } = owner;
  return { kind, namespace, name, pods, singleStack: podsLacking(owner, wanted.families), note };
};

const COLUMNS: readonly Column[] = [
  { title: 'NAMESPACE' },
  { title: 'KIND' },
  { title: 'NAME', gives: 'Last' },
  { title: 'PODS' },
  { title: 'SINGLE' },
  { title: 'NOTE', gives: 'First' },
];

/** The table of `kubectl dualstack workloads`. `wide` tells notes in full. */
export function printWorkloads(rows: readonly WorkloadRow[], options: PrintOptions): string {
  if (rows.length === 0) return 'No workload has pods of one family.\n';
  const lines = table(
    COLUMNS,
    rows.map((row) => [
      { text: row.namespace },
      { text: row.kind },
      { text: row.name },
      { text: String(row.pods) },
      { text: String(row.singleStack), tone: row.singleStack === 0 ? 'green' : 'yellow' },
      { text: row.note === '' ? '-' : row.note },
    ]),
    { ...options, width: options.wide ? Number.MAX_SAFE_INTEGER : options.width },
  );
  return `${lines.join('\n')}\n`;
}

/** The rows as a document for machines. */
export const workloadsDocument = (rows: readonly WorkloadRow[]): object => ({ workloads: rows });
