import type { NodeProof } from '../../../src/model/node-proof.ts';
import { before, running } from '../../support/facts.ts';
import { linkLocal, own4, own6, type Situation, V4, V6 } from './situation.ts';

const PROVIDED = 'alpha.kubernetes.io/provided-node-ip';
const UNINITIALIZED = [{ key: 'node.cloudprovider.kubernetes.io/uninitialized', effect: 'NoSchedule' }];
const proof = (is: NodeProof['is']) => ({
  proof: { is, evidence: 'Seen so.', remedy: 'Mend it so: kubectl get it.' },
});
/** What the host had before it was renumbered. */
const OLD = '2001:db8:dead::1';
const DUAL = { internalIPs: [V4, V6] };

/** From the Node object alone. */
export const NODE_SITUATIONS: readonly Situation[] = [
  {
    what: 'nothing is known of its place',
    cause: 'Unknown',
    says: /^No agent on worker-1 tells which addresses its host has\.$/,
    command: /^ip -6 address show/,
    may: /No agent runs/,
    evidence: /^no DualStackNode/,
  },
  {
    what: 'a place where IPv6 is known to come late',
    node: { providerID: 'digitalocean://123', osImage: 'Rocky Linux 9.4 (Blue Onyx)' },
    cause: 'Unknown',
    says: /DigitalOcean \+ Rocky Linux: IPv6 often arrives after the kubelet started/,
    // Not where the address is still missing.
    command: /\| grep inet6 && systemctl restart kubelet$/,
    evidence: /^https:\/\/docs\.kubermatic\.com/,
  },
  {
    what: 'Equinix Metal with Flatcar is another',
    node: { providerID: 'equinixmetal://1', osImage: 'Flatcar Container Linux by Kinvolk 3815.2.0 (Oklo)' },
    cause: 'Unknown',
    says: /Equinix Metal \+ Flatcar: IPv6 often arrives/,
  },
  {
    what: 'a place where IPv6 does not work reliably',
    node: { providerID: 'aws:///a/i-1', osImage: 'CentOS Linux 7 (Core)' },
    cause: 'Unknown',
    says: /AWS \+ CentOS 7: its IPv6 default route is not reliable/,
  },
  {
    what: 'a cloud whose controller has to be told',
    node: { providerID: 'vsphere://4217', osImage: 'Ubuntu 22.04.5 LTS' },
    cause: 'Unknown',
    says: /On vSphere perhaps: switch the dual-stack gate/,
  },
  {
    what: 'a cloud known by its labels',
    node: { labels: { 'eks.amazonaws.com/nodegroup': 'ng-1' }, osImage: 'Amazon Linux 2023.6' },
    cause: 'Unknown',
    evidence: /^it runs on AWS \+ Amazon Linux$/,
  },
  {
    what: 'Windows',
    node: { labels: { 'kubernetes.io/os': 'windows' }, osImage: 'Windows Server 2022 Datacenter' },
    cause: 'Unknown',
    says: /runs Windows/,
    command: /^Get-NetIPAddress$/,
  },
  {
    what: 'IPv4 is missing: nothing of IPv6 is told',
    node: { internalIPs: [V6], providerID: 'digitalocean://1', osImage: 'Rocky Linux 9.4' },
    outlook: { families: ['IPv6', 'IPv4'] },
    cause: 'Unknown',
    says: /^No agent on worker-1 tells which addresses its host has\.$/,
    command: /^ip -4 address show/,
  },
  {
    what: 'no address at all: the primary family is told first',
    node: { internalIPs: [] },
    cause: 'Unknown',
    command: /^ip -4/,
  },
  {
    what: 'the kubelet tells the cloud provider one address',
    node: { annotations: { [PROVIDED]: V4 }, providerID: 'openstack:///f00' },
    cause: 'KubeletNodeIPSingleFamily',
    says: /--node-ip=192\.0\.2\.11, and its cloud provider then publishes that family alone/,
    evidence: /its kubelet asks for --node-ip=192\.0\.2\.11/,
  },
  {
    what: 'the kubelet tells the cloud provider both',
    node: { annotations: { [PROVIDED]: `${V4},${V6}` }, providerID: 'aws:///a/i-1' },
    cause: 'CloudProviderDoesNotPublish',
    says: /\(AWS\)/,
    command: /NodeIPFamilies=ipv6/,
  },
  {
    what: 'a new node of a cloud',
    node: { annotations: { [PROVIDED]: `${V4},${V6}` }, createdAt: before(30) },
    cause: 'CloudProviderPending',
    command: null,
  },
  { what: 'a node that its cloud has not come to', node: { taints: UNINITIALIZED }, cause: 'CloudProviderPending' },
  {
    what: 'IPv6 as ExternalIP alone',
    node: { externalIPs: [V6], providerID: 'hcloud://1' },
    cause: 'CloudProviderDoesNotPublish',
    says: /publishes 2001:db8::11 of worker-1 as ExternalIP/,
  },
  {
    what: 'an agent that has not reported yet',
    node: { agent: { generation: 1, observedGeneration: -1, spec: {}, report: null, conditions: [] } },
    cause: 'Unknown',
    evidence: /^its agent has not reported yet$/,
  },
  {
    what: 'Calico has dropped IPv4, by its annotations',
    node: { annotations: { 'projectcalico.org/IPv4VXLANTunnelAddr': '10.244.0.1' } },
    cause: 'CNILostPrimary',
    says: /has dropped the node's IPv4 address/,
    command: /delete pod -l k8s-app=calico-node/,
    may: /needs an IPv6 address first/,
  },
  {
    what: 'Calico has dropped IPv4, and the host shows what it met',
    node: { annotations: { 'projectcalico.org/IPv4VXLANTunnelAddr': '10.244.0.1' } },
    host: { addresses: [own4, linkLocal] },
    cause: 'CNILostPrimary',
    says: /has dropped the node's IPv4 address\. worker-1 has only a link-local IPv6 address/,
    command: /delete pod -l k8s-app=calico-node/,
    evidence: /^LinkLocalOnly: Give it an IPv6 address, on the node: ip -6 address add/,
  },
  {
    what: 'Calico has kept IPv4',
    node: {
      annotations: {
        'projectcalico.org/IPv4Address': '192.0.2.11/24',
        'projectcalico.org/IPv4IPIPTunnelAddr': '10.244.0.1',
      },
    },
    cause: 'Unknown',
  },
  {
    what: 'a proof goes before annotations',
    node: { annotations: { 'projectcalico.org/IPv4VXLANTunnelAddr': '10.244.0.1' } },
    known: proof('Pending'),
    cause: 'Unknown',
  },
  { what: 'failing where a family is missing: that is told first', known: proof('Failing'), cause: 'Unknown' },
  {
    what: 'lost, by proof',
    known: proof('LostPrimary'),
    cause: 'CNILostPrimary',
    says: /^Seen so\.$/,
    command: /^kubectl get it$/,
  },
  {
    what: 'lost, by proof, though both addresses are there',
    node: DUAL,
    known: proof('LostPrimary'),
    cause: 'CNILostPrimary',
  },
];

/** An address of each family. */
export const DUAL_SITUATIONS: readonly Situation[] = [
  { what: 'whole', node: DUAL, cause: null },
  { what: 'whole, with an agent that says so', node: DUAL, host: { addresses: [own4, own6()] }, cause: null },
  { what: 'one family wanted and there', outlook: { families: ['IPv4'] }, cause: null },
  { what: 'one family wanted of two that are there', node: DUAL, outlook: { families: ['IPv4'] }, cause: null },
  {
    what: 'what the host says is no matter to a node that has both',
    node: DUAL,
    host: { addresses: [own4, own6()], network: { ipv6Disabled: true } },
    cause: null,
  },
  { what: 'proven', node: DUAL, known: { ...proof('Proven'), guarded: true }, cause: null },
  {
    what: 'pending and guarded',
    node: DUAL,
    known: { ...proof('Pending'), guarded: true },
    cause: 'CNIPending',
    command: /^kubectl get it$/,
  },
  { what: 'failing, guarded or not', node: DUAL, known: proof('Failing'), cause: 'CNIPending', may: /fails there/ },
  { what: 'pending and not guarded', node: DUAL, known: proof('Pending'), cause: null },
  {
    what: 'the wrong order',
    node: { internalIPs: [V6, V4] },
    cause: 'AddressOrder',
    says: /lists 2001:db8::11 first, and the primary family of the cluster is IPv4/,
    may: /made anew/,
  },
  {
    what: 'the wrong order, in a --node-ip that can be turned round',
    node: { internalIPs: [V6, V4] },
    host: { addresses: [own4, own6()], kubelet: { running: running({ 'node-ip': `${V6},${V4}` }) } },
    cause: 'AddressOrder',
    command: /s\/--node-ip\[= \]\[\^ "\]\*\/--node-ip=192\.0\.2\.11,2001:db8::11\/.* && systemctl restart kubelet$/,
    may: /made anew/,
  },
  {
    what: 'the right order of an IPv6 cluster',
    node: { internalIPs: [V6, V4] },
    outlook: { families: ['IPv6', 'IPv4'] },
    cause: null,
  },
  {
    what: 'a host that was renumbered',
    node: { internalIPs: [V4, OLD] },
    host: { addresses: [own4, own6()] },
    cause: 'AddressGone',
    says: /shows 2001:db8:dead::1, which its host no longer has/,
    evidence: /^2001:db8::11 on eth0/,
    command: /^systemctl restart kubelet$/,
    may: /There is nothing to do but wait/,
  },
  {
    what: 'a renumbered host whose kubelet is told the old address',
    node: { internalIPs: [V4, OLD] },
    host: { addresses: [own4, own6()], kubelet: { running: running({ 'node-ip': `${V4},${OLD}` }) } },
    cause: 'AddressGone',
    command: /s\/--node-ip\[= \]\[\^ "\]\*\/--node-ip=192\.0\.2\.11,2001:db8::11\/.* && systemctl restart kubelet$/,
    may: true,
  },
  {
    what: 'renumbered, and nodeIP: Leave',
    node: { internalIPs: [V4, OLD] },
    host: { addresses: [own4, own6()], kubelet: { running: running({ 'node-ip': `${V4},${OLD}` }) } },
    outlook: { settings: { nodeIP: 'Leave', gracePeriod: 300, podCIDRs: 'Keep', remediation: 'Auto' } },
    cause: 'AddressGone',
    may: /nodes\.nodeIP is Leave/,
  },
  {
    what: 'renumbered, and remediation: None',
    node: { internalIPs: [V4, OLD] },
    host: { addresses: [own4, own6()], kubelet: { running: running({ 'node-ip': `${V4},${OLD}` }) } },
    outlook: { settings: { nodeIP: 'Manage', gracePeriod: 300, podCIDRs: 'Keep', remediation: 'None' } },
    cause: 'AddressGone',
    may: /nodes\.remediation is None/,
  },
  {
    what: 'renumbered, and all that is left is a virtual IP',
    node: { internalIPs: [V4, OLD] },
    host: {
      addresses: [own4, own6({ prefixLength: 128 })],
      kubelet: { running: running({ 'node-ip': `${V4},${OLD}` }) },
    },
    cause: 'AddressGone',
    // What the operator does not follow nobody is to be told to follow.
    command: /^ip -6 address show scope global$/,
    may: /may be another host's next/,
  },
  {
    what: 'the primary address is gone',
    node: { internalIPs: ['192.0.2.200', V6] },
    host: { addresses: [own4, own6()], kubelet: { running: running({ 'node-ip': `192.0.2.200,${V6}` }) } },
    cause: 'AddressGone',
    may: /reached first/,
  },
  {
    what: 'renumbered, where a script works --node-ip out',
    node: { internalIPs: [V4, OLD] },
    host: {
      addresses: [own4, own6({ since: before(1000) })],
      kubelet: { running: running({ 'node-ip': `${V4},${OLD}` }), nodeIPFrom: 'KUBELET_NODE_IP' },
    },
    cause: 'AddressGone',
    command: /^systemctl restart kubelet$/,
    may: true,
  },
  {
    what: 'a host whose address went away',
    node: DUAL,
    host: { addresses: [own4] },
    cause: 'AddressGone',
    evidence: /^no IPv6 address on its host$/,
  },
  {
    what: 'addresses that a cloud wrote need not be on the host',
    node: DUAL,
    host: {
      addresses: [own4],
      kubelet: { running: { startedAt: before(60), args: { 'cloud-provider': 'external' } } },
    },
    cause: null,
  },
  {
    what: 'more addresses than are told',
    node: DUAL,
    host: { addresses: Array.from({ length: 100 }, (_, i) => own6({ address: `2001:db8:1::${i + 1}` })) },
    cause: null,
  },
  {
    what: 'no IPv6 podCIDR where it is needed',
    node: DUAL,
    outlook: { usesPodCIDRs: true },
    cause: 'PodCIDRMissing',
    says: /no IPv6 podCIDR, so its pods get no IPv6 address/,
    command: /"podCIDRs":"Replace"/,
    may: /podCIDRs is Keep/,
  },
  {
    what: 'no IPv6 podCIDR, and Node objects may be replaced',
    node: DUAL,
    outlook: {
      usesPodCIDRs: true,
      settings: { nodeIP: 'Manage', gracePeriod: 300, podCIDRs: 'Replace', remediation: 'Auto' },
    },
    cause: 'PodCIDRMissing',
    may: true,
  },
  { what: 'no IPv6 podCIDR where none is needed', node: DUAL, cause: null },
  {
    what: 'both podCIDRs',
    node: { ...DUAL, podCIDRs: ['10.244.1.0/24', 'fd00:10:244:1::/64'] },
    outlook: { usesPodCIDRs: true },
    cause: null,
  },
  {
    what: 'no podCIDR at all: nobody allots them',
    node: { ...DUAL, podCIDRs: [] },
    outlook: { usesPodCIDRs: true },
    cause: null,
  },
  {
    what: 'pods on its network know one family',
    node: DUAL,
    outlook: { hostPodIPs: new Map([['worker-1', [V4]]]) },
    cause: 'HostPodsSingleFamily',
    says: /pods on its network show 192\.0\.2\.11 alone/,
  },
  {
    what: 'pods on its network know both',
    node: DUAL,
    outlook: { hostPodIPs: new Map([['worker-1', [V4, V6]]]) },
    cause: null,
  },
];
