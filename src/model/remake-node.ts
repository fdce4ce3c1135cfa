/** Which of its pod CIDRs are left in a Node that is created anew. `None`: it is given others; `First`: it keeps that and is given no second one. */
type KeptPodCIDRs = 'None' | 'First';

const CUT = {
  None: 'metadata.uid, metadata.resourceVersion, spec.podCIDR, spec.podCIDRs and status',
  First: 'metadata.uid, metadata.resourceVersion, all but the first of spec.podCIDRs, and status',
} as const satisfies Readonly<Record<KeptPodCIDRs, string>>;

/**
 * How people make a Node anew so that nothing but its pod CIDRs changes. A kubelet that registers itself brings only the labels and taints of its own
 * options, and a control-plane node without its taint takes workloads: so the object is stored first, and created from that. It is stored before the
 * drain, so that it is not cordoned afterwards; its status is old by then, and its kubelet writes another.
 *
 * @param start What is to be done on the host in the end: `restart its kubelet`. Without a full stop, as is the answer.
 */
export const remakeNode = (node: string, kept: KeptPodCIDRs, start: string): string =>
  [
    `kubectl get node ${node} -o json > ${node}.json`,
    `kubectl drain ${node} --ignore-daemonsets (pods with emptyDir volumes also need --delete-emptydir-data, those without a controller --force: the data, and these pods, are lost)`,
    `kubectl delete node ${node} --cascade=orphan`,
    `take ${CUT[kept]} out of ${node}.json`,
    `kubectl create -f ${node}.json, which brings labels, annotations and taints back`,
    start,
  ].join('; ');

/** To restart what works with the pod CIDRs of its Node. */
export const RESTART_KUBELET = "restart its kubelet and the network plug-in's pods there";
