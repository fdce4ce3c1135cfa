import { NET_CONF } from './flannel-facts.ts';

/** flannel and kindnet as far as the API server is concerned: objects of the same names and shape as their manifests', with the same fields set. */

interface AgentOptions {
  readonly namespace: string;
  readonly name: string;
  readonly app: string;
  readonly container: Readonly<Record<string, unknown>>;
  readonly volumes: readonly unknown[];
}

function daemonSet({ namespace, name, app, container, volumes }: AgentOptions): object {
  return {
    apiVersion: 'apps/v1',
    kind: 'DaemonSet',
    metadata: { name, namespace, labels: { tier: 'node', app, 'k8s-app': app } },
    spec: {
      selector: { matchLabels: { app } },
      template: {
        metadata: { labels: { tier: 'node', app } },
        spec: {
          hostNetwork: true,
          priorityClassName: 'system-node-critical',
          tolerations: [{ operator: 'Exists', effect: 'NoSchedule' }],
          containers: [container],
          volumes,
        },
      },
    },
  };
}

const fromField = (name: string, fieldPath: string) => ({ name, valueFrom: { fieldRef: { fieldPath } } });

export const FLANNEL_OBJECTS: readonly object[] = [
  { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'kube-flannel' } },
  {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'kube-flannel-cfg', namespace: 'kube-flannel', labels: { tier: 'node', app: 'flannel' } },
    data: {
      'cni-conf.json':
        '{"name": "cbr0", "cniVersion": "0.3.1", "plugins": [{"type": "flannel"}, {"type": "portmap"}]}\n',
      'net-conf.json': NET_CONF,
    },
  },
  daemonSet({
    namespace: 'kube-flannel',
    name: 'kube-flannel-ds',
    app: 'flannel',
    container: {
      name: 'kube-flannel',
      image: 'ghcr.io/flannel-io/flannel:v0.28.4',
      command: ['/opt/bin/flanneld'],
      args: ['--ip-masq', '--kube-subnet-mgr'],
      env: [
        fromField('POD_NAME', 'metadata.name'),
        fromField('POD_NAMESPACE', 'metadata.namespace'),
        { name: 'EVENT_QUEUE_DEPTH', value: '5000' },
      ],
      volumeMounts: [{ name: 'flannel-cfg', mountPath: '/etc/kube-flannel/' }],
    },
    volumes: [{ name: 'flannel-cfg', configMap: { name: 'kube-flannel-cfg' } }],
  }),
];

export const KINDNET_OBJECTS: readonly object[] = [
  daemonSet({
    namespace: 'kube-system',
    name: 'kindnet',
    app: 'kindnet',
    container: {
      name: 'kindnet-cni',
      image: 'docker.io/kindest/kindnetd:v20260213-ea8e5717',
      env: [
        fromField('HOST_IP', 'status.hostIP'),
        fromField('POD_IP', 'status.podIP'),
        { name: 'POD_SUBNET', value: '10.244.0.0/16' },
        { name: 'CONTROL_PLANE_ENDPOINT', value: 'kind-control-plane:6443' },
      ],
      volumeMounts: [{ name: 'cni-cfg', mountPath: '/etc/cni/net.d' }],
    },
    volumes: [{ name: 'cni-cfg', hostPath: { path: '/etc/cni/net.d' } }],
  }),
];
