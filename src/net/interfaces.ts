/**
 * The host's end of one pod's link: it comes and goes with the pod. The CNI plug-in `ptp` (kindnet has it) gives each of them the gateway's address; `eni`,
 * `gke` and `azv` are `FELIX_INTERFACEPREFIX` on EKS, GKE and AKS.
 */
const POD_LINK = /^(cali|veth|lxc|eni|gke|azv)/u;

/** Other interfaces that CNIs and kube-proxy make: they carry addresses of pods and Services by design. */
const OF_PODS =
  /^(tunl|vxlan|wireguard\.cali|wg-v6\.cali|egress\.calico|flannel|cni|kube-|cilium|antrea|ovn-k8s|dummy|nodelocaldns)/u;

/** Other container networks, tunnels and virtual machines, and the host alone. */
const OF_OTHERS = /^(lo|docker|br-|wg|virbr|podman)/u;

export const isPodLink = (name: string): boolean => POD_LINK.test(name);

export const carriesPods = (name: string): boolean => isPodLink(name) || OF_PODS.test(name);

/** Whether an interface leads out of the host, as far as its name tells: one that does not has no address for a node. */
export const isVirtual = (name: string): boolean => carriesPods(name) || OF_OTHERS.test(name);
