import type { ClusterFacts } from '../../model/facts.ts';
import type { Finding } from '../../model/finding.ts';
import { phaseOrder } from '../../model/phase.ts';
import { cidrList, type Wanted } from '../../model/wanted.ts';
import { adviceForNew } from './advice.ts';
import type { KKPFacts } from './facts.ts';
import { network } from './network.ts';
import { changesAsked, listOf, liveFamilies, refusal } from './refusal.ts';
import { brokenRules, type Networks } from './rules.ts';

/** A cluster that is as it is asked for goes on to its Services; anything else is refused, with what a new cluster would meet. */
export function check(wanted: Wanted, facts: ClusterFacts, own: KKPFacts): readonly Finding[] {
  const families = liveFamilies(own);
  if (families === null) return [untold(wanted, own)];
  const changes = changesAsked(wanted, own);
  if (changes.length === 0) return [...liveRules(own), ...networkPlugin(wanted, facts)];
  return [
    refusal(wanted, facts, own, changes),
    ...rulesForNew(wanted, own),
    ...(wanted.families.length > families.length ? adviceForNew(facts) : []),
  ];
}

function untold({ direction }: Wanted, own: KKPFacts): Finding {
  const { pods, services } = network(own);
  const why = [services, pods].flatMap((told) => (told.known ? [] : [told.why]));
  return {
    reason: 'ComponentUnreadable',
    object: null,
    message: `Which families this user cluster of KKP has cannot be told: ${why.join('; ')}.`,
    remedy:
      'Let the operator read the ConfigMaps kube-proxy, canal-config and cilium-config in kube-system, and ServiceCIDR kubernetes; the Cluster on the Seed says it in spec.clusterNetwork.',
    blocks: phaseOrder(direction),
  };
}

/** KKP lets no such Cluster through; who finds one sees facts that do not fit, or something that was changed past KKP. */
const liveRules = (own: KKPFacts): readonly Finding[] => {
  const { pods, services, nodeMask } = network(own);
  return findings('This cluster breaks a rule of KKP', {
    pods: listOf(pods),
    services: listOf(services),
    nodeMask,
    canalVersion: canalVersion(own),
  });
};

/**
 * KKP made it with both families. What this program would do to it by itself (a roll-out, for proof that each agent has taken them up) KKP's
 * addons would undo, so nothing would ever come after it.
 */
function networkPlugin({ families }: Wanted, { cni }: ClusterFacts): readonly Finding[] {
  if (families.length < 2 || cni.name === 'Unmanaged') return [];
  return [
    {
      reason: 'AnotherOwner',
      object: null,
      message: `KKP keeps the network plug-in of its user clusters (${cni.name}), and has given it both families.`,
      remedy: 'Set spec.cni: Unmanaged, so that nothing waits for changes that KKP would undo.',
      blocks: [],
    },
  ];
}

const rulesForNew = ({ families, pods, services, nodeMask }: Wanted, own: KKPFacts): readonly Finding[] =>
  findings('A new Cluster with what is asked for would be refused', {
    pods: complete(cidrList(families, pods), families.length),
    services: complete(cidrList(families, services), families.length),
    nodeMask,
    canalVersion: canalVersion(own),
  });

/** A network that was left out is KKP's to choose. */
const complete = (networks: readonly string[], count: number): readonly string[] | null =>
  networks.length === count ? networks : null;

const canalVersion = (own: KKPFacts): string | null => (own.canalVersion.known ? own.canalVersion.value : null);

const findings = (what: string, networks: Networks): readonly Finding[] =>
  brokenRules(networks).map(({ reason, says, remedy }) => ({
    reason,
    object: null,
    message: `${what}: ${says}.`,
    remedy,
    blocks: [],
  }));
