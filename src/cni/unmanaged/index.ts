import type { FindingReason } from '../../api/reasons.ts';
import { isUniqueLocal } from '../../model/egress.ts';
import type { Finding } from '../../model/finding.ts';
import { everyWay } from '../../model/support.ts';
import type { Wanted } from '../../model/wanted.ts';
import type { CNI } from '../contract.ts';

/** A network plug-in that is left to the user, because nobody else claims it or because the resource says so. */
export const unmanaged: CNI<null> = {
  name: 'Unmanaged',
  support: {
    page: 'unmanaged',
    ways: {
      ...everyWay({ is: 'HandedOver', test: 'test/unit/cni/unmanaged.test.ts' }),
      IPv4ToDual: { is: 'HandedOver', test: 'test/e2e/control-plane/told-cnis.test.ts' },
    },
  },
  permissions: [],
  usesNodeIPAM: false,
  detect: () => 'no other network plug-in was recognised',
  observe: () => Promise.resolve(null),
  components: () => [],
  check: (wanted) => [leftToUser(wanted)],
  records: () => [],
  steps: () => [],
  podCIDRs: () => [],
};

/** Nobody sees whether something translates for them (see `checkEgress`). */
const egress = (ipv6: string | undefined): string =>
  ipv6 === undefined || !isUniqueLocal(ipv6)
    ? ''
    : ` What pods send out of the cluster from ${ipv6} gets answers only where it is given the address of their node.`;

function leftToUser({ direction, pods, families }: Wanted): Finding {
  const reason: FindingReason = 'Unmanaged';
  const networks = families.flatMap((family) => pods[family] ?? []).join(', ');
  return {
    reason,
    object: null,
    message:
      'The network plug-in is left to you: its address pools, its configuration and its agents are neither looked at nor changed.',
    remedy:
      direction === 'Forward'
        ? `Let it give pods addresses of ${families.join(' and ')} (${networks}) before Services and workloads follow.${egress(families.includes('IPv6') ? pods.IPv6 : undefined)}`
        : `Let it give pods addresses of ${families.join(' and ')} alone (${networks}).`,
    blocks: [],
  };
}
