import type { Family } from '../net/family.ts';

/**
 * What keeps pods, by its topmost controller that Kubernetes itself knows: a Deployment rather than its ReplicaSet; a pod that nobody keeps stands
 * for itself. Pods on the host's network are not counted, their addresses are the node's; nor are those that have ended or have no address yet.
 */
export interface PodOwner {
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  readonly pods: number;
  /** How many of them have no address of that family. */
  readonly without: Readonly<Record<Family, number>>;
  /** Null: of a kind that is not restarted by its pod template. */
  readonly restart: RestartFacts | null;
}

export const RESTARTABLE_KINDS = ['DaemonSet', 'Deployment', 'StatefulSet'] as const;

/** What a restart of a Deployment, StatefulSet or DaemonSet depends on. */
export interface RestartFacts {
  /** Of the workload when all this was read. */
  readonly resourceVersion: string;
  /** What its label `dualstack.dev/restart` says; null: it has none. */
  readonly label: string | null;
  /** What it was marked with when it was last restarted for a second family; null: it was not. */
  readonly mark: string | null;
  /** `Kind name` of a controller that keeps the workload itself; null: nobody does. */
  readonly keeper: string | null;
  readonly desired: number;
  /** Its controller has seen the newest template, and all wanted pods are of it and ready. */
  readonly rolledOut: boolean;
  /** Why new pods do not follow from a new template; null: they do. */
  readonly obstacle: 'Paused' | 'OnDelete' | 'Partition' | null;
  /** Its old pods end before the first new one starts. */
  readonly allAtOnce: boolean;
  /** A PodDisruptionBudget that allows no disruption of its pods now; null: none does so. */
  readonly budget: string | null;
  /** The pod that has been there longest without being ready, and since when (RFC 3339); null: all are ready. */
  readonly notReady: { readonly pod: string; readonly since: string } | null;
  /** When its youngest pod was made (RFC 3339); null: it has none. */
  readonly youngestPod: string | null;
}

/** `Deployment shop/web`, as people say it. */
export const ownerText = ({ kind, namespace, name }: PodOwner): string => `${kind} ${namespace}/${name}`;

/** Pods that lack at least one of the families. A pod has an address of one family at least, so of two only one can be missing. */
export const podsLacking = ({ without }: PodOwner, families: readonly Family[]): number =>
  families.reduce((sum, family) => sum + without[family], 0);
