import { NET_CONF } from './flannel-facts.ts';

/** flannel and kindnet as far as the API server is concerned: objects of the same names and shape as their manifests', with the same fields set. */

interface AgentOptions {
  readonly namespace: string;
  readonly name: string;
  readonly app: string;
  readonly account?: string | undefined;
  readonly initContainers?: readonly unknown[];
  readonly container: Readonly<Record<string, unknown>>;
  readonly volumes: readonly unknown[];
}

function daemonSet({ namespace, name, app, account, initContainers, container, volumes }: AgentOptions): object {
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
          serviceAccountName: account,
          initContainers,
          containers: [container],
          volumes,
        },
      },
    },
  };
}

const fromField = (name: string, fieldPath: string) => ({ name, valueFrom: { fieldRef: { fieldPath } } });

const account = { kind: 'ServiceAccount', name: 'flannel', namespace: 'kube-flannel' } as const;
const rules = [
  { apiGroups: [''], resources: ['pods'], verbs: ['get'] },
  { apiGroups: [''], resources: ['nodes'], verbs: ['get', 'list', 'watch'] },
  { apiGroups: [''], resources: ['nodes/status'], verbs: ['patch'] },
];
const FLANNEL = 'ghcr.io/flannel-io/flannel:v0.28.4';
const hostPath = (name: string, path: string, type = '') => ({ name, hostPath: { path, type } });

/** Complete enough to run, with one network for pods. */
export const FLANNEL_OBJECTS: readonly object[] = [
  { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'kube-flannel' } },
  { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: account.name, namespace: account.namespace } },
  { apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'ClusterRole', metadata: { name: 'flannel' }, rules },
  {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'ClusterRoleBinding',
    metadata: { name: 'flannel' },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'flannel' },
    subjects: [account],
  },
  {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'kube-flannel-cfg', namespace: 'kube-flannel', labels: { tier: 'node', app: 'flannel' } },
    data: {
      'cni-conf.json': `${JSON.stringify({
        name: 'cbr0',
        cniVersion: '0.3.1',
        plugins: [
          { type: 'flannel', delegate: { hairpinMode: true, isDefaultGateway: true } },
          { type: 'portmap', capabilities: { portMappings: true } },
        ],
      })}\n`,
      'net-conf.json': NET_CONF,
    },
  },
  daemonSet({
    namespace: 'kube-flannel',
    name: 'kube-flannel-ds',
    app: 'flannel',
    account: account.name,
    initContainers: [
      {
        name: 'install-cni-plugin',
        image: 'ghcr.io/flannel-io/flannel-cni-plugin:v1.9.1-flannel1',
        command: ['cp'],
        args: ['-f', '/flannel', '/opt/cni/bin/flannel'],
        volumeMounts: [{ name: 'cni-plugin', mountPath: '/opt/cni/bin' }],
      },
      {
        name: 'install-cni',
        image: FLANNEL,
        command: ['cp'],
        args: ['-f', '/etc/kube-flannel/cni-conf.json', '/etc/cni/net.d/10-flannel.conflist'],
        volumeMounts: [
          { name: 'cni', mountPath: '/etc/cni/net.d' },
          { name: 'flannel-cfg', mountPath: '/etc/kube-flannel/' },
        ],
      },
    ],
    container: {
      name: 'kube-flannel',
      image: FLANNEL,
      command: ['/opt/bin/flanneld'],
      args: ['--ip-masq', '--kube-subnet-mgr'],
      securityContext: { privileged: false, capabilities: { add: ['NET_ADMIN', 'NET_RAW'] } },
      env: [
        fromField('POD_NAME', 'metadata.name'),
        fromField('POD_NAMESPACE', 'metadata.namespace'),
        { name: 'EVENT_QUEUE_DEPTH', value: '5000' },
      ],
      volumeMounts: [
        { name: 'run', mountPath: '/run/flannel' },
        { name: 'flannel-cfg', mountPath: '/etc/kube-flannel/' },
        { name: 'xtables-lock', mountPath: '/run/xtables.lock' },
      ],
    },
    volumes: [
      hostPath('run', '/run/flannel'),
      hostPath('cni-plugin', '/opt/cni/bin'),
      hostPath('cni', '/etc/cni/net.d'),
      { name: 'flannel-cfg', configMap: { name: 'kube-flannel-cfg' } },
      hostPath('xtables-lock', '/run/xtables.lock', 'FileOrCreate'),
    ],
  }),
];

/** kindnet as kind installs it. `subnet`: the network of pods. */
export const kindnetObjects = (subnet: string): readonly object[] => [
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
        { name: 'POD_SUBNET', value: subnet },
        { name: 'CONTROL_PLANE_ENDPOINT', value: 'kind-control-plane:6443' },
      ],
      volumeMounts: [{ name: 'cni-cfg', mountPath: '/etc/cni/net.d' }],
    },
    volumes: [{ name: 'cni-cfg', hostPath: { path: '/etc/cni/net.d' } }],
  }),
];
