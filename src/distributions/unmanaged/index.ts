import { unknown } from '../../model/reader.ts';
import { phaseOrder } from '../../model/phase.ts';
import { everyWay } from '../../model/support.ts';
import type { Distribution } from '../contract.ts';

/** A control plane that no other folder knows. It is looked at as far as that goes, and never changed. */
export const unmanaged: Distribution<null> = {
  name: 'Unmanaged',
  support: { page: 'unmanaged', ways: everyWay({ is: 'Refused', reason: 'Unmanaged' }) },
  defaultNodeMask: { IPv4: 24, IPv6: 64 },
  permissions: [],
  detect: () => 'no distribution that this program knows was recognised',
  observe: () => Promise.resolve(null),
  network: () => ({ pods: NOT_TOLD, services: NOT_TOLD, nodeMask: {} }),
  components: () => [],
  check: ({ direction }) => [
    {
      reason: 'Unmanaged',
      object: null,
      message:
        'The distribution was not recognised, or spec.distribution is Unmanaged: how this control plane is configured is not known, so nothing in the cluster is changed.',
      remedy:
        'Use this program to check: Nodes, Services and address ranges are looked at. To convert, give the ranges of both families to kube-apiserver, kube-controller-manager and kube-proxy in the way of your distribution, or set spec.distribution if it is a known one.',
      blocks: phaseOrder(direction),
    },
  ],
  records: () => [],
  steps: () => [],
};

const NOT_TOLD = unknown('the distribution is not known; write the live ranges in spec.clusterNetwork');
