import { unmanaged } from '../../../src/cni/unmanaged/index.ts';
import { sceneOf } from '../cni-scene.ts';

export const scene = sceneOf(unmanaged, [null]);
