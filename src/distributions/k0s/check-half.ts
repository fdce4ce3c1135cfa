import type { ClusterFacts } from '../../model/facts.ts';
import type { Finding } from '../../model/finding.ts';
import { MANAGER_LEASE } from '../../model/manager-lease.ts';
import { fromPhase } from '../../model/phase.ts';
import { cidrList, type Wanted } from '../../model/wanted.ts';
import { CLUSTER_CONFIG, type K0sFacts } from './facts.ts';
import { managerIsDown } from './lease.ts';
import { clusterSettings, controllersOf, flagOf, serviceMentions } from './network.ts';
import { orderOfK0s, orderOfNodes } from './order.ts';

/** States in which k0s stops half-way and says that all is well. The plan completes them; here is told why. */
export const checkHalf = (wanted: Wanted, facts: ClusterFacts, own: K0sFacts): readonly Finding[] => [
  ...halfConverted(wanted, own),
  ...managerDown(wanted, facts, own),
];

function halfConverted(wanted: Wanted, own: K0sFacts): readonly Finding[] {
  const cluster = clusterSettings(own);
  const mentions = serviceMentions(own);
  if (wanted.direction === 'Back' || cluster === null || mentions.length === 0) return [];
  const isOn = cluster['spec.network.dualStack.enabled'] === 'true';
  const single = mentions.find(({ text }) => !text.includes(','));
  if (!isOn || single === undefined) return [];
  return [
    {
      reason: 'InconsistentControlPlane',
      object: CLUSTER_CONFIG,
      message: `ClusterConfig kube-system/k0s has dual-stack on, but ${single.where} is still ${single.text}: k0s takes the Service networks from the file of each controller alone, and reports success all the same.`,
      remedy: 'Follow the steps of the plan for each k0s controller: its file, then a restart.',
      blocks: [],
    },
  ];
}

/** It must not stand in the way of the step that mends it, but nothing of what comes after may begin. */
function managerDown(wanted: Wanted, facts: ClusterFacts, own: K0sFacts): readonly Finding[] {
  if (!managerIsDown(own, facts.at)) return [];
  return [
    {
      reason: 'UnhealthyControlPlane',
      object: MANAGER_LEASE,
      message: `No kube-controller-manager leads any more: its Lease was renewed last at ${renewedAt(own)}${orderText(wanted, facts, own)}.`,
      remedy:
        'See `journalctl -u k0scontroller | grep kube-controller-manager` on a controller; "failed to mark cidr … as occupied" means that the order or the range of --cluster-cidr does not fit the Nodes, which the plan corrects.',
      blocks: fromPhase(wanted.direction === 'Forward' ? 'PodCIDRs' : 'NodeIPs', wanted.direction),
    },
  ];
}

const renewedAt = (own: K0sFacts): string => (own.lease.known ? (own.lease.value?.renewedAt ?? '') : '') || 'no time';

/** k0s' order against that of the Nodes, where that is the likely cause. */
function orderText(wanted: Wanted, facts: ClusterFacts, own: K0sFacts): string {
  const [primary = 'IPv4'] = wanted.families;
  const needed = orderOfNodes(facts.nodes, primary);
  if (!needed.known || wanted.families.length === 1) return '';
  const flag = controllersOf(own)
    .map((controller) => flagOf(controller, 'kube-controller-manager', 'cluster-cidr'))
    .find((value) => value?.includes(','));
  const byItself = cidrList(orderOfK0s(facts.basics.kubernetesVersion, primary), wanted.pods).join(',');
  const right = cidrList(needed.value, wanted.pods).join(',');
  if ((flag ?? byItself) === right) return '';
  return `; k0s ${facts.basics.kubernetesVersion} runs it with --cluster-cidr=${flag ?? byItself} once dual-stack is on, and the Nodes need ${right}`;
}
