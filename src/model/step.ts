import type { Family } from '../net/family.ts';
import type { JsonObject, ObjectRef } from './object.ts';
import type { Phase } from './phase.ts';
import type { HostSettings } from './host.ts';
import type { ProbeImage } from './probe.ts';
import type { AskedService } from './service-packets.ts';

/**
 * A Step is data: the dry run, the command line, the status, the Events and the executor all read the same value, so there
 * is no second description of what will happen.
 */
export type Step = StepBase & Action;

export interface StepBase {
  /** Stable from pass to pass and unique in a plan: `api-server/cp-1`, `calico/pool-ipv6`. */
  readonly id: string;
  readonly phase: Phase;
  /** Steps that do the same to many nodes share a group (`node-ips`) and are shown as one line with counts. */
  readonly group: string;
  /** What is changed, for people: `kube-apiserver on cp-1`. */
  readonly target: string;
  /** Why it is needed. One sentence. */
  readonly why: string;
  readonly diff: readonly Change[];
  readonly state: StepState;
  readonly disrupts: Disruption | null;
  /** Seconds after which a step that was begun and is not satisfied counts as failed. */
  readonly timeoutSeconds: number;
}

export type StepState =
  /** Seen on the real component, not just written. */
  | { readonly is: 'Satisfied'; readonly evidence: string }
  | { readonly is: 'Pending' }
  /** Begun and not yet proven: nothing to do but look again. */
  | { readonly is: 'InProgress'; readonly why: string }
  | { readonly is: 'Failed'; readonly why: string; readonly remedy: string }
  /** Its node is away and that is tolerated: done when the node comes back, the rest goes on. */
  | { readonly is: 'Deferred'; readonly why: string }
  /** What decides it could not be read. */
  | { readonly is: 'Unknown'; readonly why: string };

/** One value before and after; null: not there. Texts of many lines are allowed, readers make a diff of them. */
export interface Change {
  readonly path: string;
  readonly before: string | null;
  readonly after: string | null;
}

export interface Disruption {
  readonly text: string;
  /** Seconds that it lasts on real kubelets, from and to. */
  readonly seconds: readonly [number, number];
}

type Action =
  | ApplyObject
  | RolloutWorkload
  | EditHost
  | ReplaceNode
  | TransferLease
  | MigrateService
  | MigrateServices
  | Verify
  | VerifyPackets
  | AskServices
  | WaitFor
  | Handoff;

export interface ApplyObject {
  readonly kind: 'ApplyObject';
  readonly ref: ObjectRef;
  readonly write: /** Server-side apply. `force` only on what is ours: otherwise a conflict is told, not won. */
    | { readonly is: 'Apply'; readonly body: JsonObject; readonly force: boolean }
    /**
     * For what server-side apply cannot say (removing a field another manager owns). `resourceVersion` null: right whatever
     * else has changed in the object meanwhile.
     */
    | { readonly is: 'MergePatch'; readonly body: JsonObject; readonly resourceVersion: string | null }
    | { readonly is: 'JsonPatch'; readonly body: readonly JsonObject[] }
    /** Fails when it exists: never overwrites. */
    | { readonly is: 'Create'; readonly body: JsonObject }
    | { readonly is: 'Delete'; readonly uid: string };
  /** Puts an end to what an earlier step of this program began: that it is open is no sign of another hand. */
  readonly ends?: true;
  /**
   * Helps or protects a single node whose state is its own: no blocker of the rest keeps it from being done, it is in nobody's way, and it
   * is no part of what an approval is about.
   */
  readonly remedy?: true;
}

/** Gives a DaemonSet, Deployment or StatefulSet new pods. The planner says which pods are next; the executor only does it. */
export interface RolloutWorkload {
  readonly kind: 'RolloutWorkload';
  readonly ref: ObjectRef;
  readonly next: /** Sets (null: removes) this annotation of the pod template; the workload's own strategy paces the rest. */
    | { readonly is: 'Annotate'; readonly annotation: string; readonly value: string | null }
    /**
     * As `kubectl rollout restart` does, and by the same annotation of the template. The mark goes on the workload itself, where it makes no
     * new pods: it tells that this was done, and for what. Only of the very version that was looked at.
     */
    | { readonly is: 'Restart'; readonly mark: string; readonly value: string; readonly resourceVersion: string }
    | { readonly is: 'DeletePods'; readonly pods: readonly { readonly name: string; readonly uid: string }[] };
}

/** Typed settings for one node, merged into its DualStackNode by the executor; the agent there carries them out. */
export interface EditHost {
  readonly kind: 'EditHost';
  readonly node: string;
  readonly settings: HostSettings;
  /** The agent has carried this out before, and somebody changed the host since: it is to be asked once more. */
  readonly again: boolean;
  /** As with `ApplyObject`; while it is under way, the rest goes on. */
  readonly remedy?: true;
}

/**
 * Deletes a Node object and creates the same one again at once, with other podCIDRs: they cannot be changed in place. The whole object is
 * stored before, so that whatever happens in between, the Node comes back. No pod is touched by that; where it is asked for, they are evicted before.
 */
export interface ReplaceNode {
  readonly kind: 'ReplaceNode';
  readonly node: string;
  /** Only this very object. */
  readonly uid: string;
  /** What the Node shall have, primary first. The first one is what it has now: running pods live in it. */
  readonly podCIDRs: readonly string[];
  /** What comes before; absent: it is replaced now. */
  readonly drain?: Drain;
}

/** What is next on the way to a Node without pods. */
export type Drain =
  | { readonly is: 'Cordon' }
  | { readonly is: 'Evict'; readonly pods: readonly PodRef[] }
  /** Nothing to do but look; the state of the step says for what. */
  | { readonly is: 'Await' };

/** Only this very pod. */
export interface PodRef {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
}

/**
 * Lets the Lease of a component pass to one node by keeping the others from renewing it for a while (an admission policy reads
 * who may, and until when). Needed because Node IPAM checks its flags only in the leader: so the first changed instance
 * must lead before the second is touched.
 */
export interface TransferLease {
  readonly kind: 'TransferLease';
  readonly lease: ObjectRef;
  readonly holderPrefix: string;
  /** Seconds after which everybody may renew again, whatever happened. */
  readonly forSeconds: number;
}

export interface MigrateService {
  readonly kind: 'MigrateService';
  readonly ref: ObjectRef;
  readonly policy: 'SingleStack' | 'PreferDualStack' | 'RequireDualStack';
  readonly families: readonly Family[];
}

/** Changes the families of Services one after another, each only of the very version that was looked at. */
export interface MigrateServices {
  readonly kind: 'MigrateServices';
  /** Those that are next; the step is done when there are no more. */
  readonly services: readonly ServiceMigration[];
}

export interface ServiceMigration {
  readonly namespace: string;
  readonly name: string;
  readonly resourceVersion: string;
  readonly policy: MigrateService['policy'];
  readonly families: readonly Family[];
  /** Text of the annotation that keeps its first state; null: it is taken away; absent: it stays as it is. */
  readonly firstState?: string | null;
  /** Somebody has asked for this very Service: who has set its families before loses them. Absent: that is told, and it stays. */
  readonly force?: true;
}

/** Prove the result through the API. The proof is stored with the fingerprint of what it proves. */
export interface Verify {
  readonly kind: 'Verify';
  readonly families: readonly Family[];
  readonly fingerprint: string;
}

/** Prove the result with packets between pods of a moment; which nodes and pairs is decided here, so that a dry run can tell. */
export interface VerifyPackets {
  readonly kind: 'VerifyPackets';
  readonly fingerprint: string;
  /** Proofs in a row that failed before this one. */
  readonly failedBefore: number;
  readonly probe: ProbePlan;
}

/** Asks some of the migrated Services for a connection, from pods of a moment on these nodes. */
export interface AskServices {
  readonly kind: 'AskServices';
  readonly fingerprint: string;
  /** Times in a row that some were silent before. */
  readonly failedBefore: number;
  readonly image: ProbeImage;
  readonly from: readonly string[];
  readonly services: readonly AskedService[];
  /** See `ServicePackets`. */
  readonly newest: string;
}

export interface ProbePlan {
  readonly families: readonly Family[];
  readonly image: ProbeImage;
  readonly nodes: readonly ProbeNode[];
  /** Ordered pairs of different names among `nodes`. */
  readonly pairs: readonly (readonly [source: string, target: string])[];
  readonly dns: readonly DNSServer[];
  /** Counts and names for the report; see `Connectivity.nodes`. */
  readonly ready: number;
  readonly newest: string;
  readonly leftOut: readonly string[];
}

export interface ProbeNode {
  readonly name: string;
  readonly internalIPs: readonly string[];
}

/** An address of the cluster's DNS Service. */
export interface DNSServer {
  readonly address: string;
  /** False: the DNS pods have no address of its family, so nobody can answer there. */
  readonly hasEndpoint: boolean;
}

interface WaitFor {
  readonly kind: 'WaitFor';
  readonly what: string;
}

/** Something only the user can do. */
export interface Handoff {
  readonly kind: 'Handoff';
  readonly command: string;
  readonly watches: string;
  /** Parts of files as they shall be, ready to be copied. */
  readonly snippets?: readonly Snippet[];
  /** The Node that it is about, where it is about one. */
  readonly node?: string;
  /** Nothing that comes after it is begun before it is done. Otherwise the rest goes on meanwhile. */
  readonly holdsUp?: true;
}

export interface Snippet {
  /** Which file it is for. */
  readonly file: string;
  readonly text: string;
}

export const isRemedy = (step: Step): boolean =>
  (step.kind === 'ApplyObject' || step.kind === 'EditHost') && step.remedy === true;

/** Steps that are of one phase, group and kind, by these. Thousands of nodes have one of a kind each, one after the other. */
export function byKind(steps: readonly Step[]): ReadonlyMap<string, readonly Step[]> {
  let last: Step | undefined;
  let key = '';
  return Map.groupBy(steps, (step) => {
    const { phase, group, kind } = step;
    if (phase !== last?.phase || group !== last.group || kind !== last.kind) key = `${phase}/${group}/${kind}`;
    last = step;
    return key;
  });
}

/** Nodes get their addresses by agents, which can restart a kubelet: only there can single nodes be helped in the same way. */
export const editsKubelet = ({ kind, phase }: Step): boolean => kind === 'EditHost' && phase === 'NodeIPs';

export const isSatisfied = (step: Step): boolean => step.state.is === 'Satisfied';
