/** Interfaces that CNIs and kube-proxy make: they carry addresses of pods and Services by design. */
const OF_PODS =
  /^(cali|tunl|vxlan|wireguard\.cali|wg-v6\.cali|egress\.calico|flannel|cni|veth|kube-|cilium|lxc|antrea|ovn-k8s|dummy|nodelocaldns)/u;

/** Other container networks, tunnels and virtual machines, and the host alone. */
const OF_OTHERS = /^(lo|docker|br-|wg|virbr|podman)/u;

export const carriesPods = (name: string): boolean => OF_PODS.test(name);

/** Whether an interface leads out of the host, as far as its name tells: one that does not has no address for a node. */
export const isVirtual = (name: string): boolean => carriesPods(name) || OF_OTHERS.test(name);
