import { antrea } from '../../../src/cni/antrea/index.ts';
import { known, unknown } from '../../../src/model/reader.ts';
import { workloadFacts } from '../../support/facts.ts';
import { bare, sceneOf } from '../cni-scene.ts';

export const scene = sceneOf(
  antrea,
  [known(null), known(workloadFacts('antrea-agent', ['cp-1', 'worker-1'])), unknown('forbidden')],
  [bare('apps/v1', 'DaemonSet', 'antrea-agent')],
);
