import type { ComponentFacts } from '../../model/facts.ts';
import type { K0sSettings } from '../../model/k0s.ts';
import { PROXY } from '../../model/kube-proxy.ts';
import { isSatisfied } from '../../model/step.ts';
import { everyWay } from '../../model/support.ts';
import type { Distribution } from '../contract.ts';
import { check } from './check.ts';
import { clusterConfigSteps, orderSteps } from './cluster-config.ts';
import { controllerSteps } from './controllers.ts';
import { type K0sFacts, observe } from './facts.ts';
import { managerSteps } from './lease.ts';
import { clusterSettings, controllersOf, network } from './network.ts';
import { nodeSteps } from './nodes.ts';
import { permissions } from './permissions.ts';
import { CONFIG_HASH, proxySteps } from './proxy.ts';
import { records } from './records.ts';
import { serviceCIDRSteps } from './service-cidr.ts';
import { DEFAULT_MASKS } from './target.ts';

/** Control planes that k0s runs: processes of one service on hosts that need have no Node, configured by a file and, if so started, by an object. */
export const k0s: Distribution<K0sFacts> = {
  name: 'K0s',
  support: {
    page: 'k0s',
    ways: {
      ...everyWay({ is: 'HandedOver', test: 'test/e2e/control-plane/k0s.test.ts' }),
      IPv6ToDual: { is: 'HandedOver', test: 'test/unit/distributions/k0s-target.test.ts' },
      RollBack: { is: 'HandedOver', test: 'test/unit/distributions/k0s-conversion.test.ts' },
    },
  },
  defaultNodeMask: DEFAULT_MASKS,
  permissions,
  workloads: [{ ref: PROXY, annotation: CONFIG_HASH }],
  detect: ({ kubernetesVersion, groupVersions }) => {
    // Every k0s marks the version of the components that it builds; the groups are there only with some of its features.
    if (/\+k0s(?:\.|$)/u.test(kubernetesVersion)) return `Kubernetes version ${kubernetesVersion}`;
    const group = groupVersions.find((name) => /(?:^|\.)k0sproject\.io\//u.test(name));
    return group === undefined ? null : `API group ${group}`;
  },
  observe,
  network,
  hostPods: ({ proxy }) => (proxy.known ? (proxy.value?.pods ?? []) : []),
  components,
  check,
  records: (_facts, own) => records(own),
  steps: (wanted, facts, own) => {
    const controllers = controllerSteps(wanted, facts, own);
    const areDone = controllers.length > 0 && controllers.every(isSatisfied);
    const cluster = clusterConfigSteps(wanted, facts, own);
    return [
      ...orderSteps(wanted, facts, own),
      ...nodeSteps(wanted, facts),
      ...controllers,
      ...serviceCIDRSteps(wanted, own, areDone),
      ...cluster,
      // On the way back the controllers come last, and only static files are what it waits for.
      ...managerSteps(wanted, facts, own, cluster.length > 0 ? cluster.every(isSatisfied) : areDone),
      ...proxySteps(wanted, facts, own),
    ];
  },
};

function components(own: K0sFacts): readonly ComponentFacts[] {
  const cluster = clusterSettings(own);
  const proxy = own.proxyConfig.known ? own.proxyConfig.value : null;
  return [
    ...controllersOf(own).flatMap(({ name, report }): readonly ComponentFacts[] => {
      if (report === null) {
        return [
          { component: 'k0s', where: name, source: 'Lease of its API server; no agent sees its file', settings: {} },
        ];
      }
      const running = (['kube-apiserver', 'kube-controller-manager'] as const).flatMap((component) => {
        const args = report.running[component]?.args;
        return args === undefined
          ? []
          : [{ component, where: name, source: `process on ${name}`, settings: shown(args) }];
      });
      return [{ component: 'k0s', where: name, source: report.file, settings: networkOf(report.settings) }, ...running];
    }),
    ...(cluster === null
      ? []
      : [
          {
            component: 'k0s',
            where: 'ClusterConfig kube-system/k0s',
            source: 'dynamic configuration',
            settings: networkOf(cluster),
          },
        ]),
    ...(proxy === null
      ? []
      : [
          {
            component: 'kube-proxy',
            where: 'ConfigMap kube-system/kube-proxy',
            source: 'config.conf',
            settings: { clusterCIDR: proxy.clusterCIDR },
          },
        ]),
  ];
}

/** Without the API server's addresses, which are no setting of networks. */
const networkOf = (settings: K0sSettings): K0sSettings =>
  Object.fromEntries(Object.entries(settings).filter(([path]) => !path.startsWith('spec.api.')));

const shown = (args: Readonly<Record<string, string>>): Readonly<Record<string, string>> =>
  Object.fromEntries(
    Object.entries(args).filter(
      ([flag]) =>
        flag === 'cluster-cidr' || flag === 'service-cluster-ip-range' || flag.startsWith('node-cidr-mask-size'),
    ),
  );
