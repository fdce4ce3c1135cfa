import type { ClusterFacts } from '../../model/facts.ts';
import type { Finding } from '../../model/finding.ts';
import { fromPhase } from '../../model/phase.ts';
import type { Wanted } from '../../model/wanted.ts';
import { checkHalf } from './check-half.ts';
import { checkNodes } from './check-nodes.ts';
import { CLUSTER_CONFIG, type K0sFacts } from './facts.ts';
import { checkRules } from './check-rules.ts';
import { checkUnseen } from './check-unseen.ts';

export const check = (wanted: Wanted, facts: ClusterFacts, own: K0sFacts): readonly Finding[] => [
  ...checkReadable(wanted, own),
  ...(wanted.direction === 'Forward' ? checkRules(wanted, own) : []),
  ...checkNodes(wanted, facts),
  ...checkHalf(wanted, facts, own),
  ...checkUnseen(wanted, facts, own),
];

/** What could not be seen is not begun. */
function checkReadable(wanted: Wanted, own: K0sFacts): readonly Finding[] {
  const blocks = fromPhase('NodeIPs', wanted.direction);
  const unreadable: Finding[] = [];
  if (!own.controllers.known || own.controllers.value.length === 0) {
    unreadable.push({
      reason: 'ComponentUnreadable',
      object: null,
      message: own.controllers.known
        ? 'No k0s controller was found: no API server has a Lease in kube-system, and no agent sees a controller on its host.'
        : `The k0s controllers cannot be told: the Leases of the API servers cannot be read: ${own.controllers.why}.`,
      remedy: 'Check `kubectl get leases -n kube-system -l apiserver.kubernetes.io/identity=kube-apiserver`.',
      blocks,
    });
  }
  if (!own.clusterConfig.known) {
    unreadable.push({
      reason: 'ComponentUnreadable',
      object: CLUSTER_CONFIG,
      message: `ClusterConfig kube-system/k0s cannot be read, so whether the configuration of k0s is dynamic is not known: ${own.clusterConfig.why}.`,
      remedy: 'Let the operator read clusterconfigs.k0s.k0sproject.io in kube-system.',
      blocks,
    });
  }
  return unreadable;
}
