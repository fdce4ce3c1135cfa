import { calico } from '../../../src/cni/calico/index.ts';
import { calicoFacts } from '../../support/calico-facts.ts';
import { clusterFacts } from '../../support/facts.ts';
import { bare, sceneOf } from '../cni-scene.ts';

export const scene = sceneOf(
  calico,
  [
    calicoFacts(clusterFacts()),
    calicoFacts(clusterFacts(), { config: { text: null } }),
    calicoFacts(clusterFacts(), { pools: [] }),
  ],
  [
    bare('v1', 'ConfigMap', 'calico-config'),
    bare('apps/v1', 'DaemonSet', 'calico-node'),
    bare('crd.projectcalico.org/v1', 'IPPool', 'x'),
  ],
);
