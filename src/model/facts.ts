import type { Family } from '../net/family.ts';
import type { MasqueradeAgentFacts } from './egress.ts';
import type { AgentFacts } from './host.ts';
import type { KubeDNSFacts } from './kube-dns.ts';
import type { NodeHolder } from './node-holders.ts';
import type { NodeLoad } from './node-load.ts';
import type { JsonObject } from './object.ts';
import type { Owner } from './owner.ts';
import type { PodOwner } from './pod-owner.ts';
import type { ProbeImage } from './probe.ts';
import type { Known } from './reader.ts';
import type { Recorded } from './record.ts';
import type { BackendsByService, Refusals } from './service.ts';
import type { TrafficRules } from './traffic-rules.ts';

/** All that one pass knows of the cluster. A plain value: a test can write it down. */
export interface ClusterFacts {
  /** When it was read (milliseconds since the epoch). Pure rooms take the time from here. */
  readonly at: number;
  readonly basics: Basics;
  readonly nodes: readonly NodeFacts[];
  readonly serviceCIDR: Known<readonly string[]>;
  readonly services: Known<readonly ServiceFacts[]>;
  /** What is behind them. It may be some seconds older than the rest; absent: nobody looked. */
  readonly backends?: Known<BackendsByService>;
  /** Changes of Services that API servers did not take; absent: nobody remembers any. */
  readonly refusals?: Refusals;
  /** Policies, and what is in front of Services. It may be some minutes older than the rest; absent: nobody looked. */
  readonly trafficRules?: TrafficRules;
  readonly records: Known<Recorded>;
  readonly distribution: Observed;
  readonly cni: Observed;
  readonly coreDNS: Known<WorkloadFacts | null>;
  /** Absent: nobody looked. Known null: it is not there. */
  readonly kubeDNS?: Known<KubeDNSFacts | null>;
  /** Likewise. */
  readonly masqueradeAgent?: Known<MasqueradeAgentFacts | null>;
  /** What keeps pods, in all namespaces. It may be some seconds older than the rest. */
  readonly workloads: Known<readonly PodOwner[]>;
  /** What is on Nodes that are to be drained, by their names; absent: nobody looked. */
  readonly loads?: Readonly<Record<string, Known<NodeLoad>>>;
  /** The admission policy by which a Lease can be passed on is installed. */
  readonly leaseTransfer: boolean;
  /** What probe pods are made of; absent: not known, so nothing can be proven with packets. */
  readonly probeImage?: ProbeImage;
  /** The proof with packets that this process has under way, and how far it is. */
  readonly proving?: { readonly fingerprint: string; readonly text: string };
}

/** Common facts, read first: enough for a distribution or CNI to recognise itself. */
export interface Basics {
  readonly kubernetesVersion: string;
  /** `group/version` of all that is served. */
  readonly groupVersions: readonly string[];
  /** Names in kube-system (and in a CNI's usual namespaces) by kind, as `namespace/name`. */
  readonly objects: Readonly<Record<'ConfigMap' | 'DaemonSet' | 'Deployment' | 'Pod', readonly string[]>>;
  readonly nodes: readonly NodeFacts[];
}

export interface NodeFacts {
  readonly name: string;
  readonly uid: string;
  readonly resourceVersion: string;
  readonly createdAt: string;
  readonly ready: boolean;
  readonly controlPlane: boolean;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly internalIPs: readonly string[];
  readonly externalIPs: readonly string[];
  readonly podCIDRs: readonly string[];
  readonly providerID: string;
  readonly osImage: string;
  readonly kubeletVersion: string;
  readonly unschedulable: boolean;
  /** Who stands in the way of replacing the Node object. */
  readonly holders: readonly NodeHolder[];
  /** Whole, as they are written: what is put back must lose nothing. */
  readonly taints: readonly JsonObject[];
  /** Null: no DualStackNode of that name. */
  readonly agent: AgentFacts | null;
  /**
   * Set for as long as it took the place of an older object only a moment ago, or its kubelet has written no status since: when that renewed
   * its Lease last (RFC 3339; null: there is no Lease).
   */
  readonly renewedAt?: Known<string | null>;
}

export interface ServiceFacts {
  readonly namespace: string;
  readonly name: string;
  readonly type: string;
  readonly policy: string;
  readonly families: readonly Family[];
  readonly clusterIPs: readonly string[];
  readonly headless: boolean;
  readonly selector: boolean;
  /** Labels that its selector names. */
  readonly selects: Readonly<Record<string, string>>;
  readonly labels: Readonly<Record<string, string>>;
  readonly resourceVersion: string;
  /** Those alone that something is told by: this program's own, and those that load balancers go by. */
  readonly annotations: Readonly<Record<string, string>>;
  /** What else keeps it; null: nobody that can be told. */
  readonly owner: Owner | null;
  /** Who has applied it by server-side apply, this program left out. */
  readonly appliedBy: readonly string[];
  readonly loadBalancerClass: string;
  /** Empty: it asks for none there. */
  readonly loadBalancerIP: string;
  readonly sourceRanges: readonly string[];
  /** `Local` or `Cluster`; empty: it is not set. */
  readonly externalTrafficPolicy: string;
  readonly internalTrafficPolicy: string;
  /** `ClientIP` or `None`. */
  readonly sessionAffinity: string;
  readonly externalIPs: readonly string[];
  /** The first of its ports that speaks TCP; null: none does. */
  readonly tcpPort: number | null;
  /** When this program gave it its families (RFC 3339, by the API server's clock); empty: it did not. */
  readonly changedAt: string;
}

/** A DaemonSet or Deployment with its pods, as far as roll-outs need it. */
export interface WorkloadFacts {
  readonly kind: 'DaemonSet' | 'Deployment';
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly resourceVersion: string;
  readonly generation: number;
  readonly observedGeneration: number;
  readonly templateAnnotations: Readonly<Record<string, string>>;
  readonly desired: number;
  /** DaemonSet: the update strategy's type; Deployment: the strategy's type. */
  readonly strategy: string;
  /** `controller-revision-hash` or `pod-template-hash` of the newest template, where it can be told. */
  readonly newestHash: string | null;
  readonly pods: readonly PodFacts[];
}

export interface PodFacts {
  readonly name: string;
  readonly uid: string;
  readonly node: string;
  readonly hash: string;
  readonly ready: boolean;
  readonly podIPs: readonly string[];
  readonly hostNetwork: boolean;
  readonly restarts: number;
  readonly startedAt: string;
  readonly terminating: boolean;
  /** Waiting reason of its first container that waits, such as CrashLoopBackOff: also of one that has ended again and is to be started anew. */
  readonly waiting: string | null;
  /** How that container ended the last time, where the kubelet tells. */
  readonly ended?: EndedContainer;
}

export interface EndedContainer {
  readonly exitCode: number;
  /** Such as `Error` or `OOMKilled`. */
  readonly reason: string;
  /** Its termination message, or where its policy says so the end of its log; empty: it left none. */
  readonly message: string;
}

/** A distribution's or CNI's own part. Only the folder that made `own` looks into it. */
interface Observed {
  readonly name: string;
  /** What told that the cluster is of this kind. */
  readonly detectedBy: string;
  readonly own: unknown;
}

/** One component for status and screens. */
export interface ComponentFacts {
  readonly component: string;
  /** Node or object where it was found. */
  readonly where: string;
  readonly source: string;
  readonly settings: Readonly<Record<string, string>>;
}
