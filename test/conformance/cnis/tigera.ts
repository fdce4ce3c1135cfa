import type { TigeraFacts } from '../../../src/cni/tigera/facts.ts';
import { tigera } from '../../../src/cni/tigera/index.ts';
import { known, unknown } from '../../../src/model/reader.ts';
import { workloadFacts } from '../../support/facts.ts';
import { bare, sceneOf } from '../cni-scene.ts';

const given = (pools: readonly unknown[]): TigeraFacts => ({
  installation: known({ generation: 1, pools }),
  statuses: known([]),
  agent: known(workloadFacts('calico-node', ['worker-1'])),
});
const IPV4 = { cidr: '10.244.0.0/16' };

export const scene = sceneOf(
  tigera,
  [
    given([IPV4]),
    given([IPV4, { cidr: 'fd00:10:244::/56' }]),
    given([{ cidr: 'fd00:10:244::/56' }]),
    given([]),
    { installation: known(null), statuses: known([]), agent: known(null) },
    { installation: unknown('x'), statuses: unknown('x'), agent: unknown('x') },
  ],
  [
    bare('operator.tigera.io/v1', 'Installation', 'default'),
    bare('operator.tigera.io/v1', 'TigeraStatus', 'calico'),
    bare('apps/v1', 'DaemonSet', 'calico-node', 'calico-system'),
  ],
);
