import { describeLateIPv6 } from './support/late-suite.ts';
import { CNIS } from './support/where-it-runs.ts';

for (const cni of CNIS.guarded) describeLateIPv6(cni);
