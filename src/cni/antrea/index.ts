import type { NodeFacts, WorkloadFacts } from '../../model/facts.ts';
import { type Finding, finding, unreadable } from '../../model/finding.ts';
import { nameList } from '../../model/list-text.ts';
import { type ObjectRef, refText } from '../../model/object.ts';
import type { Phase } from '../../model/phase.ts';
import type { Known } from '../../model/reader.ts';
import { everyWay } from '../../model/support.ts';
import type { Wanted } from '../../model/wanted.ts';
import { readWorkload, signOf, type WorkloadRef } from '../../model/workload.ts';
import type { CNI } from '../contract.ts';
import { FAMILIES, hasFamily } from '../../net/family.ts';

const AGENT: WorkloadRef = { apiVersion: 'apps/v1', kind: 'DaemonSet', namespace: 'kube-system', name: 'antrea-agent' };
const CONFIG_MAP: ObjectRef = { apiVersion: 'v1', kind: 'ConfigMap', namespace: 'kube-system', name: 'antrea-config' };
const ANTREA_PHASES: readonly Phase[] = ['CNIAgents'];

/** DaemonSet antrea-agent. Known null: it does not exist. */
type AntreaFacts = Known<WorkloadFacts | null>;

/**
 * Antrea has no switch of families: its agent takes them from the podCIDRs of its Node when it starts (`Node.Spec.PodCIDRs`, since 0.10). Nobody has seen it
 * converted here, so it is recognised, told what is left to do, and let through as soon as that shows.
 */
export const antrea: CNI<AntreaFacts> = {
  name: 'Antrea',
  support: {
    page: 'antrea',
    ways: {
      ...everyWay({ is: 'HandedOver', test: 'test/e2e/control-plane/told-cnis.test.ts' }),
      IPv6ToDual: { is: 'HandedOver', test: 'test/unit/cni/antrea.test.ts' },
    },
  },
  permissions: [
    {
      why: 'see whether the agents of Antrea have been restarted',
      namespace: 'kube-system',
      apiGroups: ['apps'],
      resources: ['daemonsets'],
      resourceNames: [AGENT.name],
      verbs: ['get'],
    },
  ],
  usesNodeIPAM: true,
  detect: (basics) => signOf(basics, AGENT),
  observe: (reader) => readWorkload(reader, 'DaemonSet', 'kube-system', AGENT.name),
  components: () => [],
  check: (wanted, { nodes }, own) => check(wanted, nodes, own),
  records: () => [],
  steps: () => [],
  podCIDRs: () => [],
};

function check(wanted: Wanted, nodes: readonly NodeFacts[], own: AntreaFacts): readonly Finding[] {
  if (wanted.direction === 'Forward' && wanted.families.length === 1) return [];
  if (!own.known) return [unreadable(AGENT, own.why, ANTREA_PHASES)];
  const stale = own.value === null ? [] : staleNodes(wanted, nodes, own.value);
  if (own.value !== null && stale.length === 0) return [];
  const where = stale.length === 0 ? '' : `; not yet on ${nameList(stale)}`;
  const families = wanted.families.join(' and ');
  return [
    // On the way back the podCIDRs go only after the agents' turn.
    finding('Unmanaged', AGENT, wanted.direction === 'Forward' ? ANTREA_PHASES : [], {
      message: `Antrea is recognised and left to you: its agents take up ${families} from the podCIDRs of their Nodes when they start anew${where}`,
      remedy:
        `When every Node has podCIDRs of ${families}: where AntreaProxy is switched off, set serviceCIDRv6 of antrea-agent.conf in ${refText(CONFIG_MAP)} to ${wanted.services.IPv6 ?? 'nothing'}; ` +
        'then kubectl -n kube-system rollout restart daemonset/antrea-agent deployment/antrea-controller.',
    }),
  ];
}

/** Nodes whose agent cannot know the families: they lack a podCIDR of one, or their agent is older than their Node object, which got its podCIDRs when it was made. */
function staleNodes({ families }: Wanted, nodes: readonly NodeFacts[], { pods }: WorkloadFacts): readonly NodeFacts[] {
  return nodes.filter((node) => {
    const pod = pods.find((each) => each.node === node.name && !each.terminating);
    if (pod === undefined) return false;
    const held = FAMILIES.filter((family) => hasFamily(node.podCIDRs, family));
    const isSame = held.length === families.length && families.every((family) => held.includes(family));
    return !isSame || !pod.ready || Date.parse(pod.startedAt) < Date.parse(node.createdAt);
  });
}
