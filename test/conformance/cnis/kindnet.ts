import { kindnet } from '../../../src/cni/kindnet/index.ts';
import { clusterFacts } from '../../support/facts.ts';
import { kindnetFacts } from '../../support/kindnet-facts.ts';
import { bare, sceneOf } from '../cni-scene.ts';

export const scene = sceneOf(
  kindnet,
  [
    kindnetFacts(clusterFacts()),
    kindnetFacts(clusterFacts(), { subnet: null }),
    kindnetFacts(clusterFacts(), { subnet: { is: 'From', source: '{}' } }),
  ],
  [bare('apps/v1', 'DaemonSet', 'kindnet')],
);
