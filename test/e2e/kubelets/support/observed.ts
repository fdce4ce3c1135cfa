import { asArray, asString, at } from '../../../../src/model/object.ts';
import type { RealCluster, RealNode } from '../../cluster/index.ts';

/** Another one than before: it was restarted. */
export const kubeletPid = async (node: RealNode): Promise<string> =>
  (await node.run(['systemctl', 'show', '--property=MainPID', 'kubelet'])).trim();

/** What a JSONPath such as `{.spec.podCIDRs}` gives of one object. */
export const fieldOf = async (cluster: RealCluster, kind: string, name: string, path: string): Promise<string> =>
  (await cluster.kubectl(['get', kind, name, '-o', `jsonpath=${path}`])).stdout;

export async function eventReasons(cluster: RealCluster): Promise<readonly string[]> {
  const { stdout } = await cluster.kubectl(['get', 'events.events.k8s.io', '-A', '-o', 'json']);
  return asArray(at(JSON.parse(stdout) as unknown, 'items')).flatMap((event) => asString(at(event, 'reason')) ?? []);
}
