import type { Basics, ComponentFacts } from '../../model/facts.ts';
import { everyWay } from '../../model/support.ts';
import type { CNI } from '../contract.ts';
import { check } from './checks.ts';
import { GROUP, networksOf, observe, type TigeraFacts } from './facts.ts';
import { steps } from './steps.ts';

/**
 * Calico kept by the tigera operator. It puts back whatever others change in calico-node, so this program changes nothing
 * there, says what to change in the Installation instead, and waits until the operator has made that so.
 */
export const tigera: CNI<TigeraFacts> = {
  name: 'TigeraOperator',
  namespaces: ['calico-system', 'tigera-operator'],
  support: {
    page: 'tigera',
    ways: {
      ...everyWay({ is: 'HandedOver', test: 'test/e2e/control-plane/tigera.test.ts' }),
      IPv6ToDual: { is: 'HandedOver', test: 'test/unit/cni/tigera.test.ts' },
    },
  },
  permissions: [
    {
      why: 'see the pools of an Installation of the tigera operator',
      apiGroups: [GROUP],
      resources: ['installations'],
      verbs: ['get'],
    },
    {
      why: 'see whether the tigera operator has made of its Installation what it says',
      apiGroups: [GROUP],
      resources: ['tigerastatuses'],
      verbs: ['get', 'list'],
    },
  ],
  usesNodeIPAM: false,
  detect,
  observe: (reader) => observe(reader),
  components,
  check,
  records: () => [],
  steps,
  podCIDRs: (own) => networksOf(own).map(({ text }) => text),
};

/** A calico-node in kube-system is of a manifest, whatever CRDs are there. */
function detect({ groupVersions, objects }: Basics): string | null {
  if (objects.DaemonSet.includes('calico-system/calico-node')) return 'DaemonSet calico-system/calico-node';
  const isServed = groupVersions.some((each) => each.startsWith(`${GROUP}/`));
  const runs = objects.Deployment.includes('tigera-operator/tigera-operator');
  if (!isServed || !runs || objects.DaemonSet.includes('kube-system/calico-node')) return null;
  return 'Deployment tigera-operator/tigera-operator';
}

function components(own: TigeraFacts): readonly ComponentFacts[] {
  return networksOf(own).map(({ text }) => ({
    component: 'IPPool',
    where: 'Installation default',
    source: 'spec.calicoNetwork.ipPools',
    settings: { cidr: text },
  }));
}
