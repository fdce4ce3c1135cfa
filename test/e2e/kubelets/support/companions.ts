import type { RealCluster } from '../../cluster/index.ts';

interface Item {
  readonly metadata: { readonly name: string; readonly uid: string };
}

/** Static pods whose manifests no conversion changes. */
const UNTOUCHED = /^(?:etcd|kube-scheduler)-/u;

/** Uids of what hangs on the Nodes and must outlive their replacement: Leases, CSINodes and the mirror Pods of untouched static pods. */
export async function companionsOf(cluster: RealCluster): Promise<Readonly<Record<string, string>>> {
  const list = async (...args: readonly string[]): Promise<readonly (readonly [string, string])[]> => {
    const { stdout } = await cluster.kubectl(['get', ...args, '-o', 'json']);
    const { items } = JSON.parse(stdout) as { items: readonly Item[] };
    return items.map(({ metadata }) => [`${args[0] ?? ''} ${metadata.name}`, metadata.uid] as const);
  };
  const [leases, csiNodes, pods] = await Promise.all([
    list('leases', '-n', 'kube-node-lease'),
    list('csinodes'),
    list('pods', '-n', 'kube-system', '-l', 'tier=control-plane'),
  ]);
  const mirrors = pods.filter(([name]) => UNTOUCHED.test(name.slice('pods '.length)));
  return Object.fromEntries([...leases, ...csiNodes, ...mirrors]);
}
