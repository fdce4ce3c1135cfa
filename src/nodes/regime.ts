import type { NodeFacts } from '../model/facts.ts';
import { type Family, familyAtSight } from '../net/family.ts';

/**
 * Who decides on a Node's addresses, and so what a remedy looks like. Rules of the kubelet (k8s.io/kubernetes pkg/kubelet/nodestatus):
 * without a cloud provider one InternalIP at most, unless `--node-ip` is a pair; with an external one the cloud controller manager writes them,
 * and a single `--node-ip` hides the other family (kubernetes#111695).
 */
export type Regime =
  /** `--node-ip=a,b`: the kubelet looks for both every 10 s, so it heals by itself. Or one address, or `0.0.0.0` or `::` for "any of that family". */
  | { readonly is: 'Literal'; readonly nodeIPs: readonly string[] }
  | { readonly is: 'Unset' }
  /** A script at boot works `--node-ip` out, as on hosts of machine-controller (KKP); it runs anew when the kubelet is restarted. */
  | { readonly is: 'BootScript'; readonly nodeIPs: readonly string[]; readonly from: string }
  /** The cloud controller manager; `nodeIPs`: what the kubelet asks of it. */
  | { readonly is: 'Cloud'; readonly nodeIPs: readonly string[] }
  /** There is an agent, and no kubelet process. */
  | { readonly is: 'NotRunning' }
  /** Nobody looks at the host. */
  | { readonly is: 'NotSeen' };

/** Set by a kubelet that has an external cloud provider: what its `--node-ip` is. */
const PROVIDED_NODE_IP = 'alpha.kubernetes.io/provided-node-ip';

export function regimeOf({ agent, annotations }: NodeFacts): Regime {
  const report = agent?.report;
  if (report == null) {
    const provided = annotations[PROVIDED_NODE_IP];
    return provided === undefined ? { is: 'NotSeen' } : { is: 'Cloud', nodeIPs: listOf(provided) };
  }
  const { running, nodeIPFrom } = report.kubelet;
  if (running === null) return { is: 'NotRunning' };
  const nodeIPs = listOf(running.args['node-ip'] ?? '');
  if ((running.args['cloud-provider'] ?? '') !== '') return { is: 'Cloud', nodeIPs };
  if (nodeIPFrom !== undefined) return { is: 'BootScript', nodeIPs, from: nodeIPFrom };
  return nodeIPs.length === 0 ? { is: 'Unset' } : { is: 'Literal', nodeIPs };
}

const listOf = (nodeIP: string): readonly string[] => nodeIP.split(',').filter((text) => text !== '');

/** True for `0.0.0.0` and `::`: any address of that family. */
export const isAny = (nodeIP: string): boolean => nodeIP === '0.0.0.0' || nodeIP === '::';

/** The one family that these `--node-ip` values leave a Node, or null when they leave it both. */
export function onlyFamilyOf(nodeIPs: readonly string[]): Family | null {
  const families = new Set(nodeIPs.map(familyAtSight));
  const [only] = families;
  return families.size === 1 && only !== undefined ? only : null;
}
