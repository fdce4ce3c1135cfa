import { describeConversion } from './support/conversion-suite.ts';
import { CNIS } from './support/where-it-runs.ts';

/** A cluster that the real kubeadm made becomes dual-stack, with each network plug-in that can be had here. */
for (const cni of CNIS.converted) {
  describeConversion(`a cluster of 3 control planes and 2 workers with ${cni}`, {
    cluster: { controlPlanes: 3, workers: 2, cni },
    primary: 'IPv4',
    secondPodCIDR: /^fd00:10:244:.*\/64$/u,
  });
}
