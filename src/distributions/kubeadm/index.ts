import type { ComponentFacts } from '../../model/facts.ts';
import { PROXY } from '../../model/kube-proxy.ts';
import type { Evidence } from '../../model/support.ts';
import type { Distribution } from '../contract.ts';
import { apiServerSteps } from './api-server.ts';
import { check } from './check.ts';
import { readClusterConfig } from './cluster-config.ts';
import { controllerManagerSteps, DEFAULT_MASKS } from './controller-manager.ts';
import { type KubeadmFacts, observe } from './facts.ts';
import { clusterConfigSteps } from './kubeadm-config.ts';
import { nodeIPSteps } from './node-ips.ts';
import { permissions } from './permissions.ts';
import { proxySteps } from './proxy.ts';
import { readProxyCIDR } from './proxy-config.ts';
import { network } from './ranges.ts';
import { CONFIG_HASH, records } from './records.ts';

const real = (test: string): Evidence => ({ is: 'Converted', on: 'RealComponent', test });

/** Control planes that kubeadm made: static pods, and a ConfigMap that says what they were made from. */
export const kubeadm: Distribution<KubeadmFacts> = {
  name: 'Kubeadm',
  support: {
    page: 'kubeadm',
    ways: {
      IPv4ToDual: real('test/e2e/kubelets/conversion.test.ts'),
      IPv6ToDual: real('test/e2e/kubelets-more/conversion-ipv6.test.ts'),
      DualToSingle: real('test/e2e/kubelets-more/rollback.test.ts'),
      RollBack: real('test/e2e/kubelets-more/rollback.test.ts'),
    },
  },
  defaultNodeMask: DEFAULT_MASKS,
  permissions,
  workloads: [{ ref: PROXY, annotation: CONFIG_HASH }],
  detect: (basics) =>
    basics.objects.ConfigMap.includes('kube-system/kubeadm-config') ? 'ConfigMap kube-system/kubeadm-config' : null,
  observe,
  network,
  hostPods: ({ proxy }) => (proxy.known ? (proxy.value?.pods ?? []) : []),
  components,
  check,
  records: (_facts, own) => records(own),
  steps: (wanted, facts, own) => [
    ...nodeIPSteps(wanted, facts),
    ...apiServerSteps(wanted, facts, own),
    ...controllerManagerSteps(wanted, facts, own),
    ...clusterConfigSteps(wanted, own),
    ...proxySteps(wanted, facts, own),
  ],
};

const SHOWN_FLAGS = {
  'kube-apiserver': ['service-cluster-ip-range'],
  'kube-controller-manager': [
    'cluster-cidr',
    'service-cluster-ip-range',
    'node-cidr-mask-size',
    'node-cidr-mask-size-ipv4',
    'node-cidr-mask-size-ipv6',
  ],
} as const;

function components(own: KubeadmFacts): readonly ComponentFacts[] {
  const staticPods = own.instances.map((instance) => ({
    component: instance.component,
    where: instance.node,
    source: instance.source,
    settings: pick(instance.flags.known ? instance.flags.value : {}, SHOWN_FLAGS[instance.component]),
  }));
  return [...staticPods, ...kubeadmConfigFacts(own), ...proxyFacts(own)];
}

function kubeadmConfigFacts(own: KubeadmFacts): readonly ComponentFacts[] {
  if (!own.clusterConfig.known || own.clusterConfig.value === null) return [];
  const config = readClusterConfig(own.clusterConfig.value.text);
  if (config === null) return [];
  const { podSubnet, serviceSubnet } = config;
  return [
    {
      component: 'kubeadm',
      where: 'ConfigMap kube-system/kubeadm-config',
      source: 'ClusterConfiguration',
      settings: { ...(podSubnet ? { podSubnet } : {}), ...(serviceSubnet ? { serviceSubnet } : {}) },
    },
  ];
}

function proxyFacts(own: KubeadmFacts): readonly ComponentFacts[] {
  if (!own.proxyConfig.known || own.proxyConfig.value === null) return [];
  return [
    {
      component: 'kube-proxy',
      where: 'ConfigMap kube-system/kube-proxy',
      source: 'config.conf',
      settings: { clusterCIDR: readProxyCIDR(own.proxyConfig.value.text) ?? '' },
    },
  ];
}

const pick = (flags: Readonly<Record<string, string>>, names: readonly string[]): Readonly<Record<string, string>> =>
  Object.fromEntries(names.flatMap((name) => (flags[name] === undefined ? [] : [[name, flags[name]]])));
