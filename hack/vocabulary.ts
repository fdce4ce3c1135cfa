import { calicoOptions, OPTIONS_KEY } from '../src/cni/calico/options.ts';
import { poolBlockSizeRule } from '../src/api/pool-rule.ts';
import type { Vocabulary } from '../src/api/vocabulary.ts';

export const vocabulary: Vocabulary = {
  distributions: ['Kubeadm', 'Unmanaged'],
  cnis: ['TigeraOperator', 'Calico', 'Unmanaged'],
  options: { [OPTIONS_KEY]: calicoOptions },
  rules: [poolBlockSizeRule(OPTIONS_KEY)],
};
