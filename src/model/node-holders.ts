import { asArray, asString, asStrings, at, type KubeObject } from './object.ts';

/** Somebody who would act on it, or lose something, if the Node object were gone for a moment. */
export interface NodeHolder {
  readonly is: 'Machine' | 'Cloud' | 'Volumes' | 'Finalizer';
  /** Who, for people: `Cluster API`. */
  readonly who: string;
  /** What tells so: `annotation cluster.x-k8s.io/machine`. */
  readonly sign: string;
}

/**
 * Programs that make Nodes together with their machines, by the domain of the labels and annotations that they leave on them. They take a
 * Node that vanishes for a machine that is to be replaced, or, as k3s and RKE2 do, for a member that left etcd.
 */
const MACHINE_DOMAINS: Readonly<Record<string, string>> = {
  'cluster.x-k8s.io': 'Cluster API',
  'cluster.k8s.io': 'a machine controller',
  'machine.k8s.io': 'a machine controller',
  'machine.openshift.io': 'the machine API of OpenShift',
  'machineconfiguration.openshift.io': 'the machine config operator of OpenShift',
  'machine-controller': "Kubermatic's machine-controller",
  'machine-controller.kubermatic.io': "Kubermatic's machine-controller",
  'k8c.io': "Kubermatic's machine-controller",
  'karpenter.sh': 'Karpenter',
  'node.machine.sapcloud.io': 'the machine controller manager of Gardener',
  'node.gardener.cloud': 'Gardener',
  'worker.gardener.cloud': 'Gardener',
  'etcd.k3s.cattle.io': 'the etcd controller of k3s',
  'k3s.io': 'k3s',
  'etcd.rke2.cattle.io': 'the etcd controller of RKE2',
  'rke2.io': 'RKE2',
};

/** Provider ids that stand for no machine in a cloud: nobody removes routes, or the machine, when such a Node vanishes. */
const HARMLESS_PROVIDERS = /^(kind|kwok|kubemark):\/\//u;

const CLOUD_TAINTS: ReadonlySet<string> = new Set([
  'node.cloudprovider.kubernetes.io/uninitialized',
  'node.cloudprovider.kubernetes.io/shutdown',
]);

/** Empty: the Node object may be replaced by one of the same name. */
export function nodeHolders(node: KubeObject): readonly NodeHolder[] {
  return [...machineHolders(node), ...cloudHolders(node), ...volumeHolders(node), ...finalizerHolders(node)];
}

function machineHolders({ metadata }: KubeObject): readonly NodeHolder[] {
  const [owner] = metadata.ownerReferences ?? [];
  if (owner !== undefined) {
    const who = `${asString(owner['kind']) ?? ''} ${asString(owner['name']) ?? ''}`.trim();
    return [{ is: 'Machine', who, sign: `owner reference to ${who}` }];
  }
  for (const kind of ['annotations', 'labels'] as const) {
    for (const key of Object.keys(metadata[kind] ?? {})) {
      const domain = key.split('/')[0] ?? '';
      const who = MACHINE_DOMAINS[domain] ?? (domain.endsWith('.karpenter.sh') ? 'Karpenter' : undefined);
      if (who !== undefined) return [{ is: 'Machine', who, sign: `${kind.slice(0, -1)} ${key}` }];
    }
  }
  return [];
}

function cloudHolders(node: KubeObject): readonly NodeHolder[] {
  const providerID = asString(at(node, 'spec', 'providerID')) ?? '';
  const who = 'the cloud provider';
  if (providerID !== '' && !HARMLESS_PROVIDERS.test(providerID)) {
    return [{ is: 'Cloud', who, sign: `spec.providerID ${providerID}` }];
  }
  const keys = asArray(at(node, 'spec', 'taints')).flatMap((taint) => asString(at(taint, 'key')) ?? []);
  const taint = keys.find((key) => CLOUD_TAINTS.has(key));
  return taint === undefined ? [] : [{ is: 'Cloud', who, sign: `taint ${taint}` }];
}

/** What the attach-detach controller would take for a node that is gone with its volumes. */
function volumeHolders(node: KubeObject): readonly NodeHolder[] {
  const attached = asArray(at(node, 'status', 'volumesAttached')).flatMap(
    (volume) => asString(at(volume, 'name')) ?? [],
  );
  const used = asStrings(at(node, 'status', 'volumesInUse'));
  const [first] = [...attached, ...used];
  return first === undefined ? [] : [{ is: 'Volumes', who: 'attached volumes', sign: `volume ${first}` }];
}

/** Deleting would hang until its owner lets go, with the owner's clean-up done in between. */
function finalizerHolders({ metadata }: KubeObject): readonly NodeHolder[] {
  const [first] = metadata.finalizers ?? [];
  return first === undefined ? [] : [{ is: 'Finalizer', who: 'the owner of a finalizer', sign: `finalizer ${first}` }];
}
