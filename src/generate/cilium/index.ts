import { ok } from '../../result.ts';
import type { Flag, Generator, NewCluster } from '../contract.ts';
import { asked, first } from '../flags.ts';
import { isUniqueLocal, maskProblems, USUAL_NETWORKS } from '../networks.ts';
import { note, type Tree, yamlText } from '../yaml.ts';

const IPAM: Flag = {
  name: 'ipam',
  value: 'mode',
  description:
    "where pods' addresses come from: kubernetes (its default; the pod CIDRs of Nodes) or cluster-pool (Cilium's own)",
  choices: ['kubernetes', 'cluster-pool'],
};

/** Values for the Helm chart of Cilium. */
export const cilium: Generator = {
  name: 'cilium',
  summary: 'Values for the Helm chart of Cilium.',
  flags: [IPAM],
  defaults: () => USUAL_NETWORKS,
  generate(cluster, values) {
    const own = first(values, IPAM) === 'cluster-pool';
    // Both allocators are the same code, with the same limit.
    const problems = maskProblems(cluster, NODE_MASKS);
    if (problems.length > 0) return asked(...problems);
    return ok({
      files: [{ name: 'cilium-values.yaml', text: valuesText(cluster, own) }],
      notes: [
        'Then: helm install cilium cilium --repo https://helm.cilium.io --namespace kube-system --values cilium-values.yaml',
      ],
    });
  },
};

/** kube-controller-manager's, and for both modes: the chart's own /120 would not fit networks that it fits. */
const NODE_MASKS = { IPv4: 24, IPv6: 64 } as const;

function valuesText(cluster: NewCluster, own: boolean): string {
  const { families, pods } = cluster;
  const ipv6Only = !families.includes('IPv4');
  return yamlText([
    {
      about:
        'Values for the Helm chart of Cilium. See that each Node has an InternalIP of each family first: its agents wait for them.',
      value: {
        ipv4: { enabled: families.includes('IPv4') },
        ipv6: { enabled: families.includes('IPv6') },
        ipam: own
          ? ownPools(cluster)
          : { mode: note('kubernetes', 'Agents wait for a pod CIDR of each family in their Node.') },
        enableIPv4Masquerade: families.includes('IPv4'),
        enableIPv6Masquerade:
          pods.IPv6 === undefined
            ? false
            : note(
                isUniqueLocal(pods.IPv6),
                isUniqueLocal(pods.IPv6)
                  ? "Pods have private addresses: what leaves the cluster gets its node's."
                  : 'Pods have global addresses: routers have to know them.',
              ),
        underlayProtocol: ipv6Only
          ? note(
              'ipv6',
              'Tunnels between nodes that have IPv6 alone, in releases that know this value (https://github.com/cilium/cilium/issues/17240).',
            )
          : undefined,
      },
    },
  ]);
}

function ownPools({ families, pods, nodeMask }: NewCluster): Tree {
  const fields = families.flatMap((family): [string, Tree][] => [
    [`clusterPool${family}PodCIDRList`, [pods[family] ?? '']],
    [`clusterPool${family}MaskSize`, nodeMask[family] ?? NODE_MASKS[family]],
  ]);
  return {
    mode: note('cluster-pool', 'It cannot be changed later without new addresses for all pods.'),
    operator: Object.fromEntries(fields),
  };
}
