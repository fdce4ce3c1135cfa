import type { Permission } from '../../model/plugin.ts';
import { SEE_SERVICE_NETWORKS } from '../../model/service-networks.ts';
import { OPERATORS } from './facts.ts';

/** What the folder's observations need; OpenShift's own operators do the work. */
export const permissions: readonly Permission[] = [
  {
    why: 'read the networks of an OpenShift cluster, and whether its operator has taken a change of them over',
    apiGroups: ['config.openshift.io'],
    resources: ['networks'],
    resourceNames: ['cluster'],
    verbs: ['get'],
  },
  {
    why: 'see on which platform an OpenShift cluster runs: not every one can be converted',
    apiGroups: ['config.openshift.io'],
    resources: ['infrastructures'],
    resourceNames: ['cluster'],
    verbs: ['get'],
  },
  {
    why: "see how far OpenShift's operators are with a change of the networks",
    apiGroups: ['config.openshift.io'],
    resources: ['clusteroperators'],
    resourceNames: OPERATORS,
    verbs: ['get'],
  },
  SEE_SERVICE_NETWORKS,
];
