import { describeConversion } from '../kubelets/support/conversion-suite.ts';

/** The same where kubeadm and flannel were given IPv6 alone. */
describeConversion('an IPv6 cluster of 3 control planes and 2 workers', {
  cluster: { controlPlanes: 3, workers: 2, families: 'IPv6', cni: 'flannel' },
  primary: 'IPv6',
  secondPodCIDR: /^10\.244\.\d+\.0\/24$/u,
});
