import type { JoinFacts } from '../generate/kubeadm/node-join.ts';
import type { KubeClient } from '../kube/client.ts';
import type { Connectivity } from '../model/connectivity.ts';
import type { ClusterFacts } from '../model/facts.ts';
import type { KubeObject } from '../model/object.ts';
import type { Plan } from '../model/plan.ts';
import type { ProbeProgress } from '../model/probe.ts';
import type { ProbePlan } from '../model/step.ts';
import type { Family } from '../net/family.ts';
import type { Result } from '../result.ts';
import type { Diagnose } from './print-nodes.ts';

/** Which cluster, in kubectl's words. */
export interface Connection {
  readonly kubeconfig?: string;
  readonly context?: string;
}

/** Opens a session; the error is one sentence that says what to do. */
export type Connect = (connection: Connection) => Promise<Result<ClusterSession, string>>;

/** What the commands need of a cluster. It only reads, and needs nothing installed there but what it is asked for. */
export interface ClusterSession {
  /** The little that is needed to propose a request where none was given. The error is one sentence. */
  live(): Promise<Result<LiveCluster, string>>;

  /** One look at the cluster and the plan from there to what the resource asks for. Nothing is changed. */
  observe(resource: KubeObject): Promise<Result<Observation, ObserveError>>;

  /** The governing DualStackCluster, or the one of that name; null: there is none, or the cluster does not know the kind. */
  getResource(name?: string): Promise<Result<KubeObject | null, string>>;

  /**
   * The resource each time it changes, beginning with how it is now; null while there is none. Outlives lost connections:
   * the iterable ends only with the signal.
   */
  watchResource(name: string, signal: AbortSignal): AsyncIterable<KubeObject | null>;

  /**
   * All nodes as they are now, and again whenever something may have changed about them. Where the cluster cannot be looked at, the error comes first and
   * alone. After that it outlives lost connections, and ends only with the signal.
   */
  watchNodes(options: WatchNodesOptions, signal: AbortSignal): AsyncIterable<Result<Observation, ObserveError>>;

  /**
   * Proves the cluster with packets now, with the user's own rights: makes pods and Services and removes them. The error is one sentence.
   */
  probe(options: ProbeOptions): Promise<Result<Connectivity, string>>;

  /** What nodes that join a cluster of kubeadm have to know. The error is one sentence. */
  joinFacts(): Promise<Result<JoinFacts, string>>;

  close(): Promise<void>;
}

export interface WatchNodesOptions {
  /** Whose wanted state the nodes are compared with. */
  readonly resource: KubeObject;
  /** It is in the cluster, so it is followed as well. */
  readonly inCluster: boolean;
  readonly onContact: (contact: Contact) => void;
}

/** Whether the API server answers. Told when that changes. */
export type Contact =
  | { readonly is: 'Lost'; readonly why: string }
  /** After it was lost. */
  | { readonly is: 'Back' };

export interface ProbeOptions {
  /** Families to prove; absent: those that the resource asks for, or else those of the Service network. */
  readonly families?: readonly Family[];
  /** Absent: that of the operator in the cluster. */
  readonly image?: string;
  readonly onProgress: (progress: ProbeProgress) => void;
}

/** Carries out such a proof; handed in, because commands by themselves change nothing. */
export type ProvePackets = (
  client: KubeClient,
  plan: ProbePlan,
  onProgress: ProbeOptions['onProgress'],
) => Promise<Result<Connectivity, string>>;

export interface LiveCluster {
  /** The uid of namespace kube-system: it names the cluster. */
  readonly uid: string;
  readonly primaryFamily: Family;
}

export interface Observation {
  readonly facts: ClusterFacts;
  readonly plan: Plan;
  /** Why a node is not as wanted, by the operator's own rules; null: it is. */
  readonly diagnose: Diagnose;
}

export type ObserveError =
  /** The resource breaks a rule: the user mends it. */
  | { readonly kind: 'Invalid'; readonly problems: readonly Problem[] }
  /** The cluster cannot be looked at. */
  | { readonly kind: 'Unreadable'; readonly message: string };

/** One thing wrong with a resource. */
interface Problem {
  /** Such as `spec.clusterNetwork.pods.cidrBlocks[1]`. */
  readonly path: string;
  /** What is wrong and what to do. */
  readonly message: string;
}
