import { kubeRouter } from '../../../src/cni/kube-router/index.ts';
import { clusterFacts } from '../../support/facts.ts';
import { KUBE_ROUTER_DUAL, kubeRouterFacts } from '../../support/kube-router-facts.ts';
import { bare, sceneOf } from '../cni-scene.ts';

export const scene = sceneOf(
  kubeRouter,
  [
    kubeRouterFacts(clusterFacts()),
    kubeRouterFacts(clusterFacts(), { args: KUBE_ROUTER_DUAL }),
    kubeRouterFacts(clusterFacts(), { flagsInCommand: true }),
  ],
  [bare('apps/v1', 'DaemonSet', 'kube-router')],
);
