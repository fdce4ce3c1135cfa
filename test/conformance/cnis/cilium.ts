import { cilium } from '../../../src/cni/cilium/index.ts';
import { CILIUM_DUAL, ciliumFacts, HELM } from '../../support/cilium-facts.ts';
import { clusterFacts } from '../../support/facts.ts';
import { bare, sceneOf } from '../cni-scene.ts';

export const scene = sceneOf(
  cilium,
  [
    ciliumFacts(clusterFacts()),
    ciliumFacts(clusterFacts(), { config: { data: CILIUM_DUAL } }),
    ciliumFacts(clusterFacts(), { config: { owner: HELM } }),
    ciliumFacts(clusterFacts(), { operator: null }),
  ],
  [
    bare('v1', 'ConfigMap', 'cilium-config'),
    bare('apps/v1', 'DaemonSet', 'cilium'),
    bare('apps/v1', 'Deployment', 'cilium-operator'),
    bare('cilium.io/v2', 'CiliumNode', 'x'),
  ],
);
