import type { Case } from './crd-corpus.ts';

/** A spec of a DualStackNode; each part is checked by itself. */
export const NODE_CASES: readonly Case[] = [
  {
    name: 'all settings',
    good: true,
    spec: {
      kubelet: { nodeIPs: ['10.0.0.4', 'fd00::4'] },
      staticPods: {
        'kube-apiserver': { 'service-cluster-ip-range': '10.96.0.0/16,fd00:10:96::/112' },
        'kube-controller-manager': {
          'cluster-cidr': '10.244.0.0/16,fd00:10:244::/56',
          'service-cluster-ip-range': '10.96.0.0/16,fd00:10:96::/112',
          'node-cidr-mask-size-ipv4': '24',
          'node-cidr-mask-size-ipv6': '64',
        },
      },
      k0s: {
        set: {
          'spec.network.podCIDR': '10.244.0.0/16',
          'spec.network.serviceCIDR': '10.96.0.0/12',
          'spec.network.dualStack.enabled': 'true',
          'spec.network.dualStack.IPv6podCIDR': 'fd00:10:244::/108',
          'spec.network.dualStack.IPv6serviceCIDR': 'fd00:10:96::/108',
          'spec.network.primaryAddressFamily': 'IPv4',
          'spec.api.extraArgs.service-cluster-ip-range': '10.96.0.0/12,fd00:10:96::/108',
          'spec.controllerManager.extraArgs.cluster-cidr': 'fd00:10:244::/108,10.244.0.0/16',
          'spec.controllerManager.extraArgs.node-cidr-mask-size-ipv6': '117',
        },
        absent: ['spec.controllerManager.extraArgs.node-cidr-mask-size'],
        shows: {
          'kube-apiserver': { 'service-cluster-ip-range': '10.96.0.0/12,fd00:10:96::/108' },
          'kube-controller-manager': { 'cluster-cidr': '10.244.0.0/16,fd00:10:244::/108' },
        },
      },
      absent: { 'kube-controller-manager': ['node-cidr-mask-size'] },
      sysctls: { 'net.ipv6.conf.all.forwarding': '1', 'net.ipv4.ip_forward': '0', 'net.ipv6.conf.eth0.accept_ra': '2' },
      restart: { kubelet: '7' },
    },
  },
  { name: 'nothing', good: true, spec: {} },
  ...nodeCases(
    ['kubelet', 'nodeIPs'],
    [['10.0.0.4'], ['fd00::4'], ['fd00::4', '10.0.0.4']],
    [
      [],
      ['10.0.0.4', '10.0.0.5'],
      ['0.0.0.0'],
      ['10.0.0.4', '::'],
      ['127.0.0.1'],
      ['10.0.0.4', 'fe80::1'],
      ['10.0.0.4', 'FD00::4'],
      ['10.0.0.4', 'fd00:0::4'],
      ['010.0.0.4'],
      ['10.0.0.4/24'],
      ['10.0.0.4', '::ffff:10.0.0.4'],
      ['10.0.0.4,fd00::4'],
      ['node-1'],
      ['$(reboot)'],
      ['10.0.0.4', 'fd00::4', 'fd00::5'],
    ],
  ),
  ...nodeCases(
    ['k0s'],
    [{ set: {}, absent: [], shows: {} }],
    [
      {},
      { set: {}, absent: [] },
      { set: { 'spec.network.dualStack.enabled': true }, absent: [], shows: {} },
      { set: { 'spec.network.dualStack.enabled': 'yes' }, absent: [], shows: {} },
      { set: { 'spec.network.primaryAddressFamily': 'IPv5' }, absent: [], shows: {} },
      { set: { 'spec.network.podCIDR': '10.0.0.0/33' }, absent: [], shows: {} },
      { set: { 'spec.network.podCIDR': '10.0.0.0/16,fd00::/64' }, absent: [], shows: {} },
      { set: { 'spec.network.dualStack.IPv6podCIDR': '10.0.0.0/16' }, absent: [], shows: {} },
      {
        set: { 'spec.controllerManager.extraArgs.cluster-cidr': '10.0.0.0/16,10.1.0.0/16' },
        absent: [],
        shows: {},
      },
      { set: { 'spec.api.address': '10.0.0.4' }, absent: [], shows: {} },
      { set: { 'spec.network.podCIDR': '10.0.0.0/16\nx: y' }, absent: [], shows: {} },
      { set: {}, absent: ['spec.storage.type'], shows: {} },
      { set: { 'spec.network.podCIDR': '10.0.0.0/16' }, absent: ['spec.network.podCIDR'], shows: {} },
      { set: {}, absent: [], shows: { 'kube-apiserver': { 'cluster-cidr': '10.0.0.0/16' } } },
      { set: {}, absent: [], shows: { 'kube-apiserver': { 'service-cluster-ip-range': '10.0.0.0/16,' } } },
      { set: {}, absent: [], shows: { 'kube-scheduler': {} } },
      { set: {}, absent: [], shows: {}, command: 'reboot' },
    ],
  ),
  ...nodeCases(
    ['staticPods', 'kube-apiserver'],
    [
      {},
      { 'service-cluster-ip-range': '10.96.0.0/16' },
      { 'service-cluster-ip-range': 'FD00:10:96::/112,10.96.0.0/16' },
    ],
    [
      { 'service-cluster-ip-range': '' },
      { 'service-cluster-ip-range': '10.96.0.0/16, fd00::/112' },
      { 'service-cluster-ip-range': '10.96.0.0/16,' },
      { 'service-cluster-ip-range': '10.96.0.0/16,10.97.0.0/16' },
      { 'service-cluster-ip-range': '10.96.0.0/33' },
      { 'service-cluster-ip-range': '10.96.0.0/16 --anonymous-auth=true' },
      { 'service-cluster-ip-range': 'x' },
      { 'service-cluster-ip-range': '10.96.0.0/16,fd00::/112,fd01::/112' },
      { 'anonymous-auth': 'true' },
      { 'cluster-cidr': '10.244.0.0/16' },
    ],
  ),
  ...nodeCases(
    ['staticPods', 'kube-controller-manager'],
    [{ 'cluster-cidr': '10.244.0.0/16,fd00::/56' }, { 'node-cidr-mask-size': '24' }],
    [
      { 'cluster-cidr': '10.244.0.0/16;fd00::/56' },
      { 'node-cidr-mask-size': '' },
      { 'node-cidr-mask-size-ipv6': '-1' },
      { 'node-cidr-mask-size-ipv6': '1000' },
      { 'node-cidr-mask-size-ipv6': 64 },
    ],
  ),
  ...nodeCases(['staticPods', 'etcd'], [], [{}, { 'listen-client-urls': 'http://0.0.0.0:1' }]),
  ...nodeCases(['absent', 'kubelet'], [['node-ip'], []], [['node-labels'], 'node-ip', ['node-ip', 'node-ip']]),
  ...nodeCases(['absent', 'kube-apiserver'], [['service-cluster-ip-range']], [['advertise-address']]),
  ...nodeCases(
    ['sysctls'],
    [
      {},
      { 'net.ipv6.conf.eth0.accept_ra': '0' },
      { 'net.ipv6.conf.bond0.100.accept_ra': '2' },
      { 'net.ipv6.conf.abcdefghijklmno.accept_ra': '1' },
    ],
    [
      { 'net.ipv6.conf.abcdefghijklmnop.accept_ra': '1' },
      { 'net.ipv6.conf.eth0.accept_ra': '3' },
      { 'net.ipv6.conf.all.forwarding': '2' },
      { 'net.ipv6.conf.eth0.forwarding': '1' },
      { 'net.ipv6.conf..accept_ra': '1' },
      { 'net.ipv6.conf.eth0/../../x.accept_ra': '1' },
      { 'net.ipv6.conf.all.disable_ipv6': '0' },
      { 'kernel.panic': '1' },
      { 'net.ipv4.ip_forward': '1\n' },
      { 'net.ipv4.ip_forward': 1 },
    ],
  ),
  ...nodeCases(['restart', 'kubelet'], ['7', '2026-11-21T12:00:00Z'], ['', '7; reboot', 'x'.repeat(65), 7]),
  ...nodeCases(['restart', 'containerd'], [], ['1']),
  ...nodeCases(['command'], [], ['reboot']),
  {
    name: 'a flag both set and absent',
    good: false,
    spec: {
      staticPods: { 'kube-controller-manager': { 'node-cidr-mask-size': '24' } },
      absent: { 'kube-controller-manager': ['node-cidr-mask-size'] },
    },
  },
  {
    name: 'node addresses both set and absent',
    good: false,
    spec: { kubelet: { nodeIPs: ['10.0.0.4'] }, absent: { kubelet: ['node-ip'] } },
  },
  {
    name: 'a flag set and another absent',
    good: true,
    spec: {
      staticPods: { 'kube-controller-manager': { 'node-cidr-mask-size-ipv4': '24' } },
      absent: { 'kube-controller-manager': ['node-cidr-mask-size'], 'kube-apiserver': [] },
    },
  },
];

function nodeCases(path: readonly string[], good: readonly unknown[], bad: readonly unknown[]): readonly Case[] {
  const make = (value: unknown, verdict: boolean): Case => ({
    name: `${path.join('.')} = ${JSON.stringify(value)}`,
    spec: path.reduceRight<unknown>((inner, key) => ({ [key]: inner }), value),
    good: verdict,
  });
  return [...good.map((value) => make(value, true)), ...bad.map((value) => make(value, false))];
}
