import type { ClusterFacts } from '../../model/facts.ts';
import type { Finding } from '../../model/finding.ts';
import { nameList } from '../../model/list-text.ts';
import { addressOfFamily, bestOnHost } from '../../model/node-address.ts';
import { fromPhase } from '../../model/phase.ts';
import type { Wanted } from '../../model/wanted.ts';

/**
 * OpenShift asks that the hosts have addresses of both families before, and does not look: a node without one comes back from its reboot with one family.
 * Of hosts that no agent looks at nothing can be told.
 */
export function checkHosts(wanted: Wanted, { nodes }: ClusterFacts): readonly Finding[] {
  return wanted.families.flatMap((family): readonly Finding[] => {
    const lacking = nodes.filter(
      (node) =>
        node.ready &&
        (node.agent?.report ?? null) !== null &&
        addressOfFamily(node.internalIPs, family) === undefined &&
        bestOnHost(node, family) === null,
    );
    const [first] = lacking;
    if (first === undefined) return [];
    return [
      {
        reason: 'NodesWithoutFamily',
        object: { apiVersion: 'v1', kind: 'Node', name: first.name },
        message: `Hosts have no ${family} address that lasts: ${nameList(lacking)}; OpenShift does not look, and these nodes would stay with one family.`,
        remedy: `Give these hosts ${family}, and an ${family} router (kubectl dualstack nodes tells what each has).`,
        blocks: fromPhase('NodeIPs', wanted.direction),
      },
    ];
  });
}
