/** One life of one component's process. Times are `Date.now()`. */
export interface ProcessRecord {
  readonly node: string;
  readonly component: string;
  readonly pid: number;
  /** As the manifest gave them. */
  readonly args: readonly string[];
  readonly startedAt: number;
  exitedAt?: number;
  exit?: { readonly code: number | null; readonly signal: string | null };
}

/** Every process that the runners started, oldest first. */
export class History {
  readonly records: ProcessRecord[] = [];

  of(component: string, node?: string): ProcessRecord[] {
    return this.records.filter(
      (record) => record.component === component && (node === undefined || record.node === node),
    );
  }

  running(component: string, node: string): ProcessRecord | undefined {
    return this.of(component, node).findLast((record) => record.exitedAt === undefined);
  }
}
