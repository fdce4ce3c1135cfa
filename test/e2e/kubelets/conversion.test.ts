import { describeConversion } from './support/conversion-suite.ts';

describeConversion('a cluster of 3 control planes and 2 workers with flannel', {
  cluster: { controlPlanes: 3, workers: 2, cni: 'flannel' },
  primary: 'IPv4',
  secondPodCIDR: /^fd00:10:244:.*\/64$/u,
});
