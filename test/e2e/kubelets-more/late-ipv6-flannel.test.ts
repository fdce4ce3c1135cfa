import { describeLateIPv6 } from '../kubelets/support/late-suite.ts';

// flanneld ends where its Node lacks an address of a family that it is to serve, and then pods there have no network at all.
describeLateIPv6('flannel', 'CNILostPrimary');
