import { flannel } from '../../../src/cni/flannel/index.ts';
import { clusterFacts } from '../../support/facts.ts';
import { DUAL_NET_CONF, flannelFacts } from '../../support/flannel-facts.ts';
import { bare, sceneOf } from '../cni-scene.ts';

export const scene = sceneOf(
  flannel,
  [
    flannelFacts(clusterFacts()),
    flannelFacts(clusterFacts(), { config: { text: null } }),
    flannelFacts(clusterFacts(), { config: { text: DUAL_NET_CONF } }),
  ],
  [bare('v1', 'ConfigMap', 'kube-flannel-cfg'), bare('apps/v1', 'DaemonSet', 'kube-flannel-ds')],
);
