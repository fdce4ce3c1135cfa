import { asArray, at } from '../../src/model/object.ts';
import type { EditHost, ReplaceNode, Step } from '../../src/model/step.ts';
import { PODS, SERVICES } from '../support/facts.ts';
import type { SimCluster } from './cluster.ts';
import type { PassResult } from './operator.ts';

/** What must never be, looked at right before a step is carried out. Throws with the rule that is broken. */
export function checkBefore(cluster: SimCluster, step: Step): void {
  const { nodes } = cluster;
  const lacking = nodes.filter((node) => !node.internalIPs.some((ip) => ip.includes(':')));
  const must = (holds: boolean, words: string): void => rule(holds, `${words} (${step.id})`);

  if (step.kind === 'EditHost') {
    must(
      cluster.busy.every((node) => node === step.node),
      `two nodes at once, while ${cluster.busy.join()} is not back`,
    );
    const isStaticPod = step.settings.staticPods !== undefined || step.settings.absent?.['kube-controller-manager'];
    const others = cluster.kubeadm.instances.filter((instance) => instance.node !== step.node);
    must(
      isStaticPod === undefined || others.every((instance) => instance.ailment === null),
      'a restart while another instance is away',
    );
    const cidr = step.settings.staticPods?.['kube-controller-manager']?.['cluster-cidr'];
    const isOne = cidr !== undefined && !cidr.includes(',');
    const isDualNow = nodes.some((node) => node.podCIDRs.length > 1);
    must(!(isOne && isDualNow), 'a controller manager of one family while a Node has two podCIDRs');
  }
  if (step.kind === 'EditHost') checkLeaving(cluster, step, must);
  if (step.kind === 'ReplaceNode') checkReplacing(cluster, step, must);
  if (step.id === 'dns/pods' && step.kind === 'RolloutWorkload' && step.next.is === 'Annotate') {
    const assigns =
      cluster.cni === 'Unmanaged'
        ? nodes.every((node) => !node.ready || node.podCIDRs.length === 2)
        : cluster.calicoText.includes('"assign_ipv6": "true"') && looksForIPv6(cluster);
    must(step.next.value === null || assigns, 'new CoreDNS pods before the network plug-in gives both families');
  }
  if (step.phase === 'Workloads' && step.kind === 'RolloutWorkload') {
    const gives = cluster.calicoText.includes('"assign_ipv6": "true"') && looksForIPv6(cluster);
    must(gives, 'a workload is restarted before the network plug-in gives both families');
    must(
      cluster.workloads.rolling.length === 0,
      `two workloads at once, while ${cluster.workloads.rolling.join()} rolls`,
    );
  }
  if (step.kind === 'ApplyObject' && step.remedy === true && step.diff.some(({ before }) => before === null)) {
    must(looksForIPv6(cluster), 'a taint before the network plug-in looks for both families');
    const free = nodes.filter((node) => node.ready && node.internalIPs.length === 2 && node.taints.length === 0);
    must(free.length > 0, 'a taint though no whole node is left that takes pods');
  }
  if (step.phase !== 'Record') {
    must(Object.keys(cluster.records).length > 0, 'a change before its record');
  }
  if (step.id === 'calico/env') {
    const env = asArray(at(step, 'write', 'body', 'spec', 'template', 'spec', 'containers', 0, 'env'));
    const looks = env.some((entry) => at(entry, 'name') === 'IP6' && at(entry, 'value') === 'autodetect');
    must(!looks || lacking.length === 0, `IP6=autodetect while ${lacking.map((node) => node.name).join()} has no IPv6`);
  }
  if (step.id === 'calico/rollout' && step.kind === 'RolloutWorkload' && step.next.is === 'DeletePods') {
    must(step.next.pods.length > 0, 'a roll-out of no pods');
    const unready = nodes.filter((node) => !node.ready).map((node) => node.name);
    must(
      !step.next.pods.some((pod) => unready.some((name) => pod.name.endsWith(name))),
      'a pod on a node that is away',
    );
  }
}

const isPair = (text: string | undefined): boolean => text?.includes(',') ?? false;

/** What takes a family away must come after what uses it. */
function checkLeaving(
  cluster: SimCluster,
  { settings, node }: EditHost,
  must: (holds: boolean, words: string) => void,
): void {
  const args = cluster.nodes.find(({ name }) => name === node)?.agent?.report;
  const range = settings.staticPods?.['kube-apiserver']?.['service-cluster-ip-range'];
  const live = args?.staticPods['kube-apiserver']?.running?.args['service-cluster-ip-range'];
  const services = cluster.observe().services;
  const users = services.known ? services.value.filter(({ clusterIPs }) => clusterIPs.length > 1) : [];
  must(
    range === undefined || isPair(range) || !isPair(live) || users.length === 0,
    'an API server of one family while a Service has two addresses',
  );
  const nodeIPs = settings.kubelet?.nodeIPs;
  const leaves = nodeIPs?.length === 1 || settings.absent?.kubelet !== undefined;
  must(!leaves || !looksForIPv6(cluster), 'a Node without IPv6 while calico-node looks for it');
}

/** A Node is replaced only when it is sure to come back as it was, with one pod CIDR more or less. */
function checkReplacing(
  cluster: SimCluster,
  { node: name, uid, podCIDRs }: ReplaceNode,
  must: (holds: boolean, words: string) => void,
): void {
  const node = cluster.nodes.find((each) => each.name === name);
  const others = cluster.nodes.filter((each) => each.name !== name).flatMap((each) => each.podCIDRs);
  const isDualNow = cluster.kubeadm.instances
    .filter(({ component }) => component === 'kube-controller-manager')
    .every(({ flags }) => flags.known && isPair(flags.value['cluster-cidr']));
  must(node?.uid === uid, 'another Node than the one that was planned for is replaced');
  must(node?.ready === true, 'a Node that is not ready is replaced');
  must(node?.podCIDRs[0] === podCIDRs[0], 'a Node loses its primary pod CIDR');
  must(!podCIDRs.some((cidr) => others.includes(cidr)), 'two Nodes of one pod CIDR');
  must(isDualNow, 'a Node is replaced while a controller manager knows one family only');
  must(cluster.busy.length === 0, `a Node is replaced while ${cluster.busy.join()} is not back`);
  must(node?.holders.length === 0, 'a Node is replaced that somebody holds');
}

function looksForIPv6({ calico }: SimCluster): boolean {
  const ip6 = calico.agent.known ? calico.agent.value?.env['IP6'] : undefined;
  return ip6?.is === 'Value' && ip6.value === 'autodetect';
}

function rule(holds: boolean, text: string): void {
  if (!holds) throw new Error(`never: ${text}`);
}

/** What must hold after every pass, whatever happened. */
export function checkAfter(cluster: SimCluster, { plan }: PassResult): void {
  for (const { component, node, flags } of cluster.kubeadm.instances) {
    if (!flags.known) continue;
    const where = `${component} on ${node}`;
    const services = flags.value['service-cluster-ip-range'];
    rule(services === undefined || services.split(',')[0] === SERVICES.IPv4, `${where} changed its primary range`);
    const pods = flags.value['cluster-cidr'];
    rule(pods === undefined || pods.split(',')[0] === PODS.IPv4, `${where} changed its primary pod network`);
  }
  for (const node of cluster.nodes) {
    rule(node.internalIPs[0]?.includes(':') === false, `${node.name} lost its primary address`);
    rule(node.podCIDRs[0]?.includes(':') === false, `${node.name} lost its primary pod CIDR`);
  }
  const ids = plan.steps.map((step) => step.id);
  rule(new Set(ids).size === ids.length, `two steps of one name: ${ids.join()}`);
}

/** Whether everything that shows families shows both. */
export function isDual(cluster: SimCluster): boolean {
  const { nodes, kubeadm } = cluster;
  const facts = cluster.observe();
  const service = facts.services.known ? facts.services.value.find(({ name }) => name === 'kube-dns') : undefined;
  return (
    nodes.every((node) => node.internalIPs.length === 2) &&
    kubeadm.instances.every(
      ({ flags }) => flags.known && flags.value['service-cluster-ip-range'] === Object.values(SERVICES).join(),
    ) &&
    facts.serviceCIDR.known &&
    facts.serviceCIDR.value.length === 2 &&
    (cluster.cni === 'Unmanaged'
      ? nodes.every((node) => node.podCIDRs.length === 2)
      : cluster.calicoText.includes('"assign_ipv6": "true"') &&
        nodes.every((node) => node.annotations['projectcalico.org/IPv6Address'] !== undefined)) &&
    service?.clusterIPs.length === 2
  );
}

const text = (value: unknown): unknown => at(value, 'value', 'text');

/** All that a conversion changes, to compare a first state with a last one. */
export function stateOf(cluster: SimCluster): unknown {
  const { kubeadm, calico, nodes } = cluster;
  const facts = cluster.observe();
  const agent = calico.agent.known ? calico.agent.value : null;
  return {
    flags: kubeadm.instances.map(({ component, node, flags }) => ({ component, node, flags })),
    clusterConfig: text(kubeadm.clusterConfig),
    proxyConfig: text(kubeadm.proxyConfig),
    addresses: nodes.map((node) => node.internalIPs),
    podCIDRs: nodes.map((node) => node.podCIDRs),
    forwarding: nodes.map((node) => node.agent?.report?.network.forwarding),
    serviceCIDR: facts.serviceCIDR,
    calicoText: cluster.calicoText,
    calicoEnv: agent?.env,
    calicoStrategy: agent?.updateStrategy,
    calicoAnnotations: agent?.workload.templateAnnotations,
    calicoOnNodes: nodes.map((node) => node.annotations),
    services: facts.services.known
      ? facts.services.value.map(({ name, policy, families, clusterIPs }) => ({ name, policy, families, clusterIPs }))
      : null,
    coreDNS: facts.coreDNS.known ? facts.coreDNS.value?.templateAnnotations : null,
  };
}
