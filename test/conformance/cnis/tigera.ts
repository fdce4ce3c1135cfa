import { tigera } from '../../../src/cni/tigera/index.ts';
import { bare, sceneOf } from '../cni-scene.ts';

export const scene = sceneOf(
  tigera,
  [
    { known: true, value: null },
    { known: true, value: { pools: [{ cidr: '10.244.0.0/16' }] } },
    { known: false, why: 'x' },
  ],
  [bare('operator.tigera.io/v1', 'Installation', 'default')],
);
