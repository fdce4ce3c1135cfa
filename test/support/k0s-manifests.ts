import { kubeRouterArgs } from './k0s-rules.ts';

interface Kind {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  readonly plural: string;
  readonly namespaced: boolean;
}

/** A kind whose objects are kept as they are written. */
export const looseCRD = ({ group, version, kind, plural, namespaced }: Kind): object => ({
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: `${plural}.${group}` },
  spec: {
    group,
    scope: namespaced ? 'Namespaced' : 'Cluster',
    names: { kind, listKind: `${kind}List`, plural, singular: kind.toLowerCase() },
    versions: [
      {
        name: version,
        served: true,
        storage: true,
        schema: { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } },
      },
    ],
  },
});

const labels = { 'k8s-app': 'kube-router', tier: 'node' };

/** As k0s applies it where dual-stack is off. */
export const KUBE_ROUTER_OF_K0S: object = {
  apiVersion: 'apps/v1',
  kind: 'DaemonSet',
  metadata: {
    name: 'kube-router',
    namespace: 'kube-system',
    labels: { ...labels, 'k0s.k0sproject.io/stack': 'kuberouter' },
  },
  spec: {
    selector: { matchLabels: labels },
    template: {
      metadata: { labels, annotations: { 'prometheus.io/scrape': 'true', 'prometheus.io/port': '8080' } },
      spec: {
        hostNetwork: true,
        priorityClassName: 'system-node-critical',
        tolerations: [{ operator: 'Exists' }],
        terminationGracePeriodSeconds: 1,
        containers: [
          {
            name: 'kube-router',
            image: 'quay.io/k0sproject/kube-router:v2.6.3-iptables1.8.11-0',
            args: kubeRouterArgs({ 'spec.network.serviceCIDR': '10.96.0.0/16' }),
          },
        ],
      },
    },
  },
};
