import { canal } from '../../../src/cni/canal/index.ts';
import { CANAL_DUAL_NET_CONF, CANAL_DUAL_NETWORK, canalFacts } from '../../support/canal-facts.ts';
import { clusterFacts } from '../../support/facts.ts';
import { bare, sceneOf } from '../cni-scene.ts';

export const scene = sceneOf(
  canal,
  [
    canalFacts(clusterFacts()),
    canalFacts(clusterFacts(), { config: { network: null } }),
    canalFacts(clusterFacts(), { config: { flannel: CANAL_DUAL_NET_CONF, network: CANAL_DUAL_NETWORK } }),
  ],
  [bare('v1', 'ConfigMap', 'canal-config'), bare('apps/v1', 'DaemonSet', 'canal')],
);
