import type { KubeObject } from '../model/object.ts';

/** Of several DualStackClusters the oldest governs; of equally old ones the first by name. Null: there is none. */
export const governing = (resources: readonly KubeObject[]): KubeObject | null =>
  [...resources].sort(
    (a, b) =>
      (a.metadata.creationTimestamp ?? '').localeCompare(b.metadata.creationTimestamp ?? '') ||
      a.metadata.name.localeCompare(b.metadata.name),
  )[0] ?? null;
