import type { ZodType } from 'zod';
import type { Basics, ClusterFacts, ComponentFacts } from './facts.ts';
import type { Finding } from './finding.ts';
import type { ObjectRef } from './object.ts';
import type { Reader } from './reader.ts';
import type { Recordable } from './record.ts';
import type { Step } from './step.ts';
import type { Support } from './support.ts';
import type { Wanted } from './wanted.ts';

/**
 * What a distribution and a CNI have in common. `Own` is the folder's part of the facts: it makes it in `observe` and is the
 * only one to look into it. All but `observe` are pure.
 */
export interface Plugin<Own> {
  /** Its name in the API, such as `Calico`. */
  readonly name: string;
  /** What it can do, and which tests show it. */
  readonly support: Support;
  /** Namespaces of its own, where it can be recognised by what is in them; kube-system need not be named. */
  readonly namespaces?: readonly string[];
  /** Schema of `spec.<key>`, where it has options. */
  readonly options?: { readonly key: string; readonly schema: ZodType };
  /** What it reads and writes in the cluster: RBAC is made of it. */
  readonly permissions: readonly Permission[];
  /** What its steps change of DaemonSets and Deployments: an admission policy is made of it, and refuses all else. */
  readonly workloads?: readonly ChangedWorkload[];
  /** Null: not mine. Otherwise what told me so. */
  detect(basics: Basics): string | null;
  observe(reader: Reader, basics: Basics): Promise<Own>;
  components(own: Own): readonly ComponentFacts[];
  check(wanted: Wanted, facts: ClusterFacts, own: Own): readonly Finding[];
  /** First states of what `steps` would change. */
  records(facts: ClusterFacts, own: Own): readonly Recordable[];
  steps(wanted: Wanted, facts: ClusterFacts, own: Own): readonly Step[];
}

/** A rule of a Role or ClusterRole, with the reason why it is needed. */
export interface Permission {
  readonly why: string;
  /** What of the resource alone needs it. Such rules have a ClusterRole of their own, which may be left out where nobody asks for that. */
  readonly onlyFor?: 'node-drain' | 'node-replacement' | 'service-migration' | 'workload-restart';
  readonly namespace?: string;
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly resourceNames?: readonly string[];
  /** Paths of the API server that are no resources; groups and resources are then empty. */
  readonly nonResourceURLs?: readonly string[];
  readonly verbs: readonly string[];
}

/** For a roll-out that is helped along. @param program Whose pods these are. */
export const replacePods = (program: string, namespace: string): Permission => ({
  why: `replace a pod of ${program} where its DaemonSet does not go on by itself`,
  namespace,
  apiGroups: [''],
  resources: ['pods'],
  verbs: ['list', 'delete'],
});

/** The few fields of a DaemonSet or Deployment that steps set. */
export interface ChangedWorkload {
  readonly ref: ObjectRef;
  /** Annotation of the pod template whose change begins a roll-out. */
  readonly annotation?: string;
  /** Variables of its containers. */
  readonly env?: readonly string[];
  /** How the arguments of its containers begin that are set: `--enable-ipv6`. */
  readonly args?: readonly string[];
  /** Whether the DaemonSet replaces its pods by itself is changed too, and put back. */
  readonly strategy?: true;
}
