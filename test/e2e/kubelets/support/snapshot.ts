import type { RealCluster } from '../../cluster/index.ts';

const HOST_FILES = [
  '/etc/kubernetes/manifests/kube-apiserver.yaml',
  '/etc/kubernetes/manifests/kube-controller-manager.yaml',
  '/etc/default/kubelet',
  '/var/lib/kubelet/kubeadm-flags.env',
] as const;
const SYSCTLS = ['/proc/sys/net/ipv4/ip_forward', '/proc/sys/net/ipv6/conf/all/forwarding'] as const;
const OWN = /^dualstack\.dev\//u;

/** All that a conversion changes on hosts and in the API, as it is now. Two equal snapshots: nothing is left of what was between them. */
export async function snapshotOf(cluster: RealCluster): Promise<Readonly<Record<string, unknown>>> {
  const files = await Promise.all(
    cluster.nodes.flatMap((node) =>
      [...HOST_FILES, ...SYSCTLS].map(async (file) => {
        const { code, stdout } = await node.exec(['cat', file]);
        return [`${node.name} ${file}`, code === 0 ? stdout : null] as const;
      }),
    ),
  );
  return Object.fromEntries([...files, ...(await objects(cluster))]);
}

interface Item {
  readonly metadata: {
    readonly name: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  readonly data?: unknown;
  readonly spec: Readonly<Record<string, unknown>>;
  readonly status: { readonly addresses?: readonly { readonly type: string; readonly address: string }[] };
}

async function objects(cluster: RealCluster): Promise<readonly (readonly [string, unknown])[]> {
  const list = async (kind: string, namespace = 'kube-system'): Promise<readonly Item[]> => {
    const { stdout } = await cluster.kubectl(['-n', namespace, 'get', kind, '-o', 'json']);
    return (JSON.parse(stdout) as { items: readonly Item[] }).items;
  };
  const [maps, nodes, services, ranges, flannel] = await Promise.all([
    list('configmaps'),
    list('nodes'),
    list('services'),
    list('servicecidrs'),
    list('configmaps', 'kube-flannel'),
  ]);
  return [
    ...[...maps, ...flannel].map(({ metadata, data }) => [`ConfigMap ${metadata.name}`, data] as const),
    ...ranges.map(({ metadata, spec }) => [`ServiceCIDR ${metadata.name}`, spec] as const),
    ...services.map(({ metadata, spec }) => [`Service ${metadata.name}`, familiesOf(spec)] as const),
    ...nodes.map(
      ({ metadata, spec, status }) =>
        [
          `Node ${metadata.name}`,
          {
            spec,
            labels: metadata.labels,
            annotations: withoutOwn(metadata.annotations ?? {}),
            addresses: status.addresses,
          },
        ] as const,
    ),
  ];
}

const familiesOf = ({ ipFamilyPolicy, ipFamilies, clusterIPs }: Item['spec']): unknown => ({
  ipFamilyPolicy,
  ipFamilies,
  clusterIPs,
});

const withoutOwn = (annotations: Readonly<Record<string, string>>): unknown =>
  Object.fromEntries(Object.entries(annotations).filter(([key]) => !OWN.test(key)));
