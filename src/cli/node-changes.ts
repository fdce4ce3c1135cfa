import { nodeDocument, type NodeRow } from './print-nodes.ts';

/** In kubectl's words. */
export interface NodeChange {
  readonly event: 'ADDED' | 'MODIFIED' | 'DELETED';
  readonly row: NodeRow;
}

interface NodeChangesOptions {
  /** Nodes that are as wanted are left out; one that becomes so is told once more. */
  readonly onlyMissing: boolean;
  /** Evidence is told, so that a change of it is one. */
  readonly inFull: boolean;
}

/** What is new in the rows since they were given last; the first time, all of them. */
export function nodeChanges(options: NodeChangesOptions): (rows: readonly NodeRow[]) => readonly NodeChange[] {
  const told = new Map<string, { readonly row: NodeRow; readonly print: string }>();

  const changeOf = (row: NodeRow): NodeChange | null => {
    const before = told.get(row.name);
    const isLeftOut = options.onlyMissing && row.diagnosis === null;
    const print = printOf(row, options.inFull);
    if (isLeftOut) told.delete(row.name);
    else told.set(row.name, { row, print });
    if (before === undefined) return isLeftOut ? null : { event: 'ADDED', row };
    return before.print === print ? null : { event: 'MODIFIED', row };
  };

  return (rows) => {
    const names = new Set(rows.map(({ name }) => name));
    const gone = [...told.values()].filter(({ row }) => !names.has(row.name));
    for (const { row } of gone) told.delete(row.name);
    return [
      ...gone.map(({ row }): NodeChange => ({ event: 'DELETED', row: { ...row, deleted: true } })),
      ...rows.flatMap((row) => changeOf(row) ?? []),
    ];
  };
}

/** Since when it has been so is left out: where nobody has noted it, each look tells another time. */
function printOf(row: NodeRow, inFull: boolean): string {
  const { diagnosis } = row;
  const shown = diagnosis === null ? null : { ...diagnosis, since: null, ...(inFull ? {} : { evidence: [] }) };
  return JSON.stringify(nodeDocument({ ...row, diagnosis: shown }));
}
