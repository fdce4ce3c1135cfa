import type { Evidence, Support } from '../../model/support.ts';

/** calico-node itself runs in `test/e2e/kubelets/conversion.test.ts`, and only where its images are given. */
const played = (test: string, note: string): Evidence => ({ is: 'Converted', on: 'RecordedFacts', test, note });

const applied = played(
  'test/e2e/control-plane/calico-apply.test.ts',
  'its released manifest on a real control plane, calico-node played',
);

export const support: Support = {
  page: 'calico',
  ways: {
    IPv4ToDual: applied,
    IPv6ToDual: played('test/e2e/control-plane/from-ipv6-calico.test.ts', 'a real control plane, calico-node played'),
    DualToSingle: applied,
    RollBack: played('test/unit/cni/calico-conversion.test.ts', 'calico-node played'),
  },
};
