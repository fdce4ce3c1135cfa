import type { ComponentFacts } from '../../model/facts.ts';
import { everyWay } from '../../model/support.ts';
import type { Distribution } from '../contract.ts';
import { check } from './check.ts';
import { observe, type OpenShiftFacts } from './facts.ts';
import { DEFAULT_MASKS, network, networkFacts } from './network.ts';
import { permissions } from './permissions.ts';
import { steps } from './steps.ts';

/** OpenShift and OKD: operators of their own make all of the cluster from a few objects, and one of them converts it. */
export const openshift: Distribution<OpenShiftFacts> = {
  name: 'OpenShift',
  support: {
    page: 'openshift',
    ways: everyWay({ is: 'HandedOver', test: 'test/unit/distributions/openshift.test.ts' }),
  },
  defaultNodeMask: DEFAULT_MASKS,
  permissions,
  // The two go together; the first alone is also found where single parts of OpenShift were installed.
  detect: ({ groupVersions }) =>
    groupVersions.includes('config.openshift.io/v1') && groupVersions.includes('operator.openshift.io/v1')
      ? 'API groups config.openshift.io and operator.openshift.io'
      : null,
  observe,
  network,
  components,
  check,
  // The spec of Network cluster keeps what is of the family that stays, so the way back needs no record.
  records: () => [],
  steps,
};

function components(own: OpenShiftFacts): readonly ComponentFacts[] {
  const live = networkFacts(own);
  if (live === null) return [];
  const platform = own.infrastructure.known ? own.infrastructure.value?.platform : undefined;
  return (['spec', 'status'] as const).map((part) => ({
    component: live.networkType === '' ? 'network' : live.networkType,
    where: 'Network cluster',
    source: part,
    settings: {
      clusterNetwork: live[part].clusterNetwork
        .map(({ cidr, hostPrefix }) => `${cidr}${hostPrefix === undefined ? '' : ` (hostPrefix ${hostPrefix})`}`)
        .join(', '),
      serviceNetwork: live[part].serviceNetwork.join(', '),
      ...(part === 'status' && platform ? { platform } : {}),
    },
  }));
}
