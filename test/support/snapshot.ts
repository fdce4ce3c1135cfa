import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { asArray, at } from '../../src/model/object.ts';
import type { KubeObject, TestCluster } from '../cluster/index.ts';

/** Host files whose bytes tell whether something was changed and put back. */
const HOST_FILES = [
  'etc/kubernetes/manifests/kube-apiserver.yaml',
  'etc/kubernetes/manifests/kube-controller-manager.yaml',
  'var/lib/kubelet/kubeadm-flags.env',
  'etc/default/kubelet',
] as const;

const CONFIG_MAPS = ['kubeadm-config', 'kube-proxy', 'calico-config', 'coredns'] as const;
const SYSTEM = '/api/v1/namespaces/kube-system';

/** All that a conversion changes, as it is now. Two equal snapshots: nothing is left of what was between them. */
export async function snapshotOf(cluster: TestCluster): Promise<Readonly<Record<string, unknown>>> {
  const get = async (path: string): Promise<KubeObject | undefined> => cluster.api.get(path);
  const files = cluster.nodes.flatMap((node) =>
    HOST_FILES.map((file) => [`${node.name} ${file}`, readIfThere(join(node.hostRoot, file))] as const),
  );
  const maps = await Promise.all(
    CONFIG_MAPS.map(
      async (name) => [`ConfigMap ${name}`, (await get(`${SYSTEM}/configmaps/${name}`))?.['data']] as const,
    ),
  );
  const dns = await get(`${SYSTEM}/services/kube-dns`);
  const range = await get('/apis/networking.k8s.io/v1/servicecidrs/kubernetes');
  const ranges = await get('/apis/networking.k8s.io/v1/servicecidrs');
  const calicoNode = await get('/apis/apps/v1/namespaces/kube-system/daemonsets/calico-node');
  const nodes = asArray((await get('/api/v1/nodes'))?.['items']);
  const pools = asArray((await get('/apis/crd.projectcalico.org/v1/ippools'))?.['items']);
  const container = asArray(at(calicoNode, 'spec', 'template', 'spec', 'containers')).find(
    (each) => at(each, 'name') === 'calico-node',
  );
  return Object.fromEntries([
    ...files,
    ...maps,
    ['kube-dns', [at(dns, 'spec', 'ipFamilyPolicy'), at(dns, 'spec', 'ipFamilies'), at(dns, 'spec', 'clusterIPs')]],
    ['ServiceCIDR kubernetes', at(range, 'spec', 'cidrs')],
    ['ServiceCIDRs', asArray(ranges?.['items']).length],
    ['calico-node env', at(container, 'env')],
    ['calico-node strategy', at(calicoNode, 'spec', 'updateStrategy')],
    [
      'enabled pools',
      pools.filter((pool) => at(pool, 'spec', 'disabled') !== true).map((pool) => at(pool, 'spec', 'cidr')),
    ],
    ['InternalIPs', nodes.map((node) => internalIPs(node))],
    ['Calico addresses', nodes.map((node) => at(node, 'metadata', 'annotations', 'projectcalico.org/IPv6Address'))],
  ]);
}

export const internalIPs = (node: unknown): readonly unknown[] =>
  asArray(at(node, 'status', 'addresses'))
    .filter((entry) => at(entry, 'type') === 'InternalIP')
    .map((entry) => at(entry, 'address'));

function readIfThere(file: string): string | null {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return null;
  }
}
