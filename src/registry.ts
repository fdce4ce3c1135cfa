import type { ZodType } from 'zod';
import type { Rule } from './api/rule.ts';
import type { Vocabulary } from './api/vocabulary.ts';
import type { CNI } from './cni/contract.ts';
import type { Distribution } from './distributions/contract.ts';
import type { BoundCNI, BoundDistribution, BoundPlugin, BoundPlugins } from './model/bound.ts';
import type { Basics, ClusterFacts } from './model/facts.ts';
import { oncePer } from './model/once.ts';
import type { ChangedWorkload, Permission, Plugin } from './model/plugin.ts';
import type { Reader } from './model/reader.ts';
import type { Support } from './model/support.ts';
import { antrea } from './cni/antrea/index.ts';
import { calico } from './cni/calico/index.ts';
import { canal } from './cni/canal/index.ts';
import { cilium } from './cni/cilium/index.ts';
import { flannel } from './cni/flannel/index.ts';
import { kindnet } from './cni/kindnet/index.ts';
import { kubeRouter } from './cni/kube-router/index.ts';
import { tigera } from './cni/tigera/index.ts';
import { unmanaged as unmanagedCNI } from './cni/unmanaged/index.ts';
import { k0s } from './distributions/k0s/index.ts';
import { k3s, rke2 } from './distributions/k3s/index.ts';
import { kkp } from './distributions/kkp/index.ts';
import { kubeadm } from './distributions/kubeadm/index.ts';
import { aks, eks, gke } from './distributions/managed/index.ts';
import { openshift } from './distributions/openshift/index.ts';
import { unmanaged as unmanagedDistribution } from './distributions/unmanaged/index.ts';
import { calico as calicoFiles } from './generate/calico/index.ts';
import { canal as canalFiles } from './generate/canal/index.ts';
import { cilium as ciliumFiles } from './generate/cilium/index.ts';
import type { Generator } from './generate/contract.ts';
import { k0s as k0sFiles } from './generate/k0s/index.ts';
import { kkp as kkpFiles } from './generate/kkp/index.ts';
import { kubeadm as kubeadmFiles } from './generate/kubeadm/index.ts';
import { tigera as tigeraFiles } from './generate/tigera/index.ts';
import { err, ok, type Result } from './result.ts';

/** A distribution or CNI whose own type of facts is hidden, so that all of them fit in one list. */
interface Entry<Bound extends BoundPlugin> {
  readonly name: string;
  readonly options: { readonly key: string; readonly schema: ZodType } | null;
  readonly rules: readonly Rule[];
  readonly permissions: readonly Permission[];
  readonly workloads: readonly ChangedWorkload[];
  readonly namespaces: readonly string[];
  readonly support: Support;
  detect(basics: Basics): string | null;
  observe(reader: Reader, basics: Basics): Promise<unknown>;
  bind(own: unknown): Bound;
}

/** In the order in which they are asked whether the cluster is theirs; `Unmanaged` takes what nobody else claims. */
const DISTRIBUTIONS: readonly Entry<BoundDistribution>[] = [
  // Before kubeadm: its user clusters have a ConfigMap kubeadm-config.
  distributionEntry(kkp),
  distributionEntry(openshift),
  distributionEntry(kubeadm),
  distributionEntry(k0s),
  distributionEntry(k3s),
  distributionEntry(rke2),
  distributionEntry(eks),
  distributionEntry(gke),
  distributionEntry(aks),
  distributionEntry(unmanagedDistribution),
];
const CNIS: readonly Entry<BoundCNI>[] = [
  cniEntry(tigera),
  cniEntry(cilium),
  cniEntry(calico),
  cniEntry(canal),
  cniEntry(flannel),
  cniEntry(kindnet),
  cniEntry(antrea),
  cniEntry(kubeRouter),
  cniEntry(unmanagedCNI),
];

/** What writes files for new clusters, in the order of the help. */
export const generators: readonly Generator[] = [
  kubeadmFiles,
  k0sFiles,
  kkpFiles,
  calicoFiles,
  tigeraFiles,
  canalFiles,
  ciliumFiles,
];

export interface Chosen<Bound extends BoundPlugin> {
  readonly plugin: Entry<Bound>;
  readonly detectedBy: string;
}

export interface Registry {
  distribution(name: string, basics: Basics): Result<Chosen<BoundDistribution>, string>;
  cni(name: string, basics: Basics): Result<Chosen<BoundCNI>, string>;
  bind(facts: ClusterFacts): BoundPlugins;
}

export const registry: Registry = {
  distribution: (name, basics) => choose(DISTRIBUTIONS, 'distribution', name, basics),
  cni: (name, basics) => choose(CNIS, 'cni', name, basics),
  bind: (facts) => ({
    distribution: named(DISTRIBUTIONS, facts.distribution.name).bind(facts.distribution.own),
    cni: named(CNIS, facts.cni.name).bind(facts.cni.own),
  }),
};

/** What the API offers because of this list: names in its enums, and options. */
export const vocabulary: Vocabulary = {
  distributions: DISTRIBUTIONS.map((entry) => entry.name),
  cnis: CNIS.map((entry) => entry.name),
  options: Object.fromEntries(
    [...DISTRIBUTIONS, ...CNIS].flatMap(({ options }) => (options === null ? [] : [[options.key, options.schema]])),
  ),
  rules: [...DISTRIBUTIONS, ...CNIS].flatMap((entry) => entry.rules),
};

/** What all of them together read and write. What several need in the same words is there once. */
export const pluginPermissions: readonly Permission[] = [
  ...new Map(
    [...DISTRIBUTIONS, ...CNIS].flatMap(({ permissions }) => permissions.map((each) => [JSON.stringify(each), each])),
  ).values(),
];

/** What all of them change of DaemonSets and Deployments. */
export const pluginWorkloads: readonly ChangedWorkload[] = [...DISTRIBUTIONS, ...CNIS].flatMap(
  (entry) => entry.workloads,
);

/** Where they are looked for beside kube-system. */
export const pluginNamespaces: readonly string[] = [
  ...new Set([...DISTRIBUTIONS, ...CNIS].flatMap((entry) => entry.namespaces)),
];

interface Supported extends Support {
  readonly name: string;
}

/** What each of them can do, in the order of the lists. */
export const supported: Readonly<Record<'distributions' | 'cnis', readonly Supported[]>> = {
  distributions: DISTRIBUTIONS.map(({ name, support }) => ({ name, ...support })),
  cnis: CNIS.map(({ name, support }) => ({ name, ...support })),
};

function choose<Bound extends BoundPlugin>(
  entries: readonly Entry<Bound>[],
  field: string,
  name: string,
  basics: Basics,
): Result<Chosen<Bound>, string> {
  if (name !== 'Auto') {
    const plugin = entries.find((entry) => entry.name === name);
    if (plugin === undefined) {
      return err(
        `spec.${field}: ${name} is not known; use Auto or one of ${entries.map((entry) => entry.name).join(', ')}`,
      );
    }
    return ok({ plugin, detectedBy: `spec.${field}` });
  }
  for (const plugin of entries) {
    const detectedBy = plugin.detect(basics);
    if (detectedBy !== null) return ok({ plugin, detectedBy });
  }
  return err(`no ${field} was recognised; name it in spec.${field}`);
}

function named<Bound extends BoundPlugin>(entries: readonly Entry<Bound>[], name: string): Entry<Bound> {
  const entry = entries.find((candidate) => candidate.name === name);
  if (entry === undefined) throw new Error(`the registry has no entry ${name}`);
  return entry;
}

function distributionEntry<Own>(plugin: Distribution<Own>): Entry<BoundDistribution> {
  return {
    ...entry(plugin),
    bind: (own) => ({
      ...bound(plugin, own as Own),
      defaultNodeMask: plugin.defaultNodeMask,
      choosesNetworks: plugin.choosesNetworks ?? false,
      network: () => plugin.network(own as Own),
      hostPods: () => plugin.hostPods?.(own as Own) ?? [],
    }),
  };
}

function cniEntry<Own>(plugin: CNI<Own>): Entry<BoundCNI> {
  return {
    ...entry(plugin),
    rules: plugin.optionRules ?? [],
    bind: (own) => ({
      ...bound(plugin, own as Own),
      usesNodeIPAM: typeof plugin.usesNodeIPAM === 'function' ? plugin.usesNodeIPAM(own as Own) : plugin.usesNodeIPAM,
      podCIDRs: () => plugin.podCIDRs(own as Own),
      nodeProofs: oncePer((wanted, facts) => plugin.nodeProofs?.(wanted, facts, own as Own) ?? null),
    }),
  };
}

function entry<Own>(plugin: Plugin<Own>): Omit<Entry<BoundPlugin>, 'bind'> {
  return {
    name: plugin.name,
    options: plugin.options ?? null,
    rules: [],
    permissions: plugin.permissions,
    workloads: plugin.workloads ?? [],
    namespaces: plugin.namespaces ?? [],
    support: plugin.support,
    detect: (basics) => plugin.detect(basics),
    observe: (reader, basics) => plugin.observe(reader, basics),
  };
}

/** The one place where the hidden type is given back: `own` came from this same plug-in's `observe`, by name. */
function bound<Own>(plugin: Plugin<Own>, own: Own): BoundPlugin {
  return {
    name: plugin.name,
    components: () => plugin.components(own),
    check: (wanted, facts) => plugin.check(wanted, facts, own),
    records: (facts) => plugin.records(facts, own),
    steps: (wanted, facts) => plugin.steps(wanted, facts, own),
  };
}
