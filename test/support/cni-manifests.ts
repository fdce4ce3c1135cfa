import { CILIUM_CONFIG } from './cilium-facts.ts';
import { KUBE_ROUTER_ARGS } from './kube-router-facts.ts';

/** Network plug-ins as far as the API server is concerned: objects of the same names and shape as their manifests', with the same fields set. */

interface WorkloadOptions {
  readonly kind: 'DaemonSet' | 'Deployment';
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly containers: readonly object[];
  readonly initContainers?: readonly object[];
  readonly volumes?: readonly object[];
}

const workload = ({ kind, name, labels, containers, initContainers, volumes }: WorkloadOptions): object => ({
  apiVersion: 'apps/v1',
  kind,
  metadata: { name, namespace: 'kube-system', labels },
  spec: {
    ...(kind === 'Deployment' ? { replicas: 1 } : { updateStrategy: { rollingUpdate: { maxUnavailable: 2 } } }),
    selector: { matchLabels: labels },
    template: {
      metadata: { labels, annotations: { 'example.com/note': 'kept' } },
      spec: {
        hostNetwork: true,
        priorityClassName: 'system-node-critical',
        tolerations: [{ operator: 'Exists' }],
        terminationGracePeriodSeconds: 1,
        initContainers,
        containers,
        volumes,
      },
    },
  },
});

const fromField = (name: string, fieldPath: string) => ({ name, valueFrom: { fieldRef: { fieldPath } } });
const hostPath = (name: string, path: string) => ({ name, hostPath: { path, type: 'DirectoryOrCreate' } });

/** As loose as Cilium's own where it matters here: status is a subresource, all else is kept. */
const CILIUM_NODE_CRD = {
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: 'ciliumnodes.cilium.io' },
  spec: {
    group: 'cilium.io',
    scope: 'Cluster',
    names: { kind: 'CiliumNode', listKind: 'CiliumNodeList', plural: 'ciliumnodes', singular: 'ciliumnode' },
    versions: [
      {
        name: 'v2',
        served: true,
        storage: true,
        subresources: { status: {} },
        schema: {
          openAPIV3Schema: {
            type: 'object',
            required: ['spec'],
            properties: {
              spec: {
                type: 'object',
                'x-kubernetes-preserve-unknown-fields': true,
                properties: {
                  addresses: {
                    type: 'array',
                    items: {
                      type: 'object',
                      properties: { ip: { type: 'string' }, type: { type: 'string' } },
                    },
                  },
                  ipam: {
                    type: 'object',
                    properties: { podCIDRs: { type: 'array', items: { type: 'string' } } },
                  },
                },
              },
              status: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
            },
          },
        },
      },
    ],
  },
};

/** Labels and annotations that Helm leaves on what it installs. */
export const OF_HELM = {
  labels: { 'app.kubernetes.io/managed-by': 'Helm' },
  annotations: { 'meta.helm.sh/release-name': 'cilium', 'meta.helm.sh/release-namespace': 'kube-system' },
} as const;

const CILIUM = 'quay.io/cilium/cilium:v1.18.4';
const readsConfig = [hostPath('cilium-run', '/var/run/cilium'), hostPath('etc-cni-netd', '/etc/cni/net.d')];

/** Cilium with its own pools, as `helm template | kubectl apply` installs it: nobody owns it. */
export const CILIUM_OBJECTS: readonly object[] = [
  CILIUM_NODE_CRD,
  {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'cilium-config', namespace: 'kube-system' },
    data: { ...CILIUM_CONFIG, 'kube-proxy-replacement': 'false', 'tunnel-protocol': 'vxlan', debug: 'false' },
  },
  workload({
    kind: 'DaemonSet',
    name: 'cilium',
    labels: { 'k8s-app': 'cilium' },
    initContainers: [{ name: 'config', image: CILIUM, command: ['cilium-dbg', 'build-config'] }],
    containers: [
      {
        name: 'cilium-agent',
        image: CILIUM,
        command: ['cilium-agent'],
        args: ['--config-dir=/tmp/cilium/config-map'],
        env: [fromField('K8S_NODE_NAME', 'spec.nodeName'), { name: 'CILIUM_CLUSTERMESH_CONFIG', value: '/var/lib' }],
        volumeMounts: [{ name: 'cilium-run', mountPath: '/var/run/cilium' }],
      },
    ],
    volumes: readsConfig,
  }),
  workload({
    kind: 'Deployment',
    name: 'cilium-operator',
    labels: { 'io.cilium/app': 'operator', name: 'cilium-operator' },
    containers: [
      {
        name: 'cilium-operator',
        image: 'quay.io/cilium/operator-generic:v1.18.4',
        command: ['cilium-operator-generic'],
        args: ['--config-dir=/tmp/cilium/config-map', '--debug=false'],
      },
    ],
  }),
];

const fromConfig = (name: string, key: string) => ({
  name,
  valueFrom: { configMapKeyRef: { name: 'canal-config', key } },
});

/** Canal: the two containers, and the texts that its ConfigMap shall have. */
export function canalObjects({
  netConf,
  network,
}: {
  readonly netConf: string;
  readonly network: string;
}): readonly object[] {
  return [
    {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'canal-config', namespace: 'kube-system' },
      data: {
        typha_service_name: 'none',
        canal_iface: '',
        masquerade: 'true',
        veth_mtu: '0',
        cni_network_config: network,
        'net-conf.json': netConf,
      },
    },
    workload({
      kind: 'DaemonSet',
      name: 'canal',
      labels: { 'k8s-app': 'canal' },
      initContainers: [
        {
          name: 'install-cni',
          image: 'quay.io/calico/cni:v3.31.7',
          env: [fromConfig('CNI_NETWORK_CONFIG', 'cni_network_config'), { name: 'SLEEP', value: 'false' }],
        },
      ],
      containers: [
        {
          name: 'calico-node',
          image: 'quay.io/calico/node:v3.31.7',
          env: [
            { name: 'DATASTORE_TYPE', value: 'kubernetes' },
            { name: 'CALICO_NETWORKING_BACKEND', value: 'none' },
            { name: 'FELIX_IPV6SUPPORT', value: 'false' },
            { name: 'FELIX_HEALTHENABLED', value: 'true' },
          ],
        },
        {
          name: 'kube-flannel',
          image: 'docker.io/flannel/flannel:v0.24.4',
          command: ['/opt/bin/flanneld', '--ip-masq', '--kube-subnet-mgr'],
          env: [fromConfig('FLANNELD_IFACE', 'canal_iface'), fromConfig('FLANNELD_IP_MASQ', 'masquerade')],
        },
      ],
      volumes: [{ name: 'flannel-cfg', configMap: { name: 'canal-config' } }],
    }),
  ];
}

export const KUBE_ROUTER_OBJECTS: readonly object[] = [
  workload({
    kind: 'DaemonSet',
    name: 'kube-router',
    labels: { 'k8s-app': 'kube-router', tier: 'node' },
    containers: [
      {
        name: 'kube-router',
        image: 'docker.io/cloudnativelabs/kube-router:v2.6.3',
        args: [...KUBE_ROUTER_ARGS],
        env: [
          fromField('NODE_NAME', 'spec.nodeName'),
          fromField('POD_NAME', 'metadata.name'),
          { name: 'KUBE_ROUTER_CNI_CONF_FILE', value: '/etc/cni/net.d/10-kuberouter.conflist' },
        ],
        volumeMounts: [{ name: 'cni-conf-dir', mountPath: '/etc/cni/net.d' }],
      },
    ],
    volumes: [hostPath('cni-conf-dir', '/etc/cni/net.d')],
  }),
];

export const ANTREA_OBJECTS: readonly object[] = [
  {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'antrea-config', namespace: 'kube-system', labels: { app: 'antrea' } },
    data: { 'antrea-agent.conf': 'trafficEncapMode: encap\n', 'antrea-controller.conf': '' },
  },
  workload({
    kind: 'DaemonSet',
    name: 'antrea-agent',
    labels: { app: 'antrea', component: 'antrea-agent' },
    containers: [
      {
        name: 'antrea-agent',
        image: 'antrea/antrea-agent-ubuntu:v2.4.0',
        env: [fromField('NODE_NAME', 'spec.nodeName')],
      },
    ],
  }),
  workload({
    kind: 'Deployment',
    name: 'antrea-controller',
    labels: { app: 'antrea', component: 'antrea-controller' },
    containers: [{ name: 'antrea-controller', image: 'antrea/antrea-controller-ubuntu:v2.4.0' }],
  }),
];
