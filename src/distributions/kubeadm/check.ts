import type { ClusterFacts } from '../../model/facts.ts';
import type { Finding } from '../../model/finding.ts';
import type { Wanted } from '../../model/wanted.ts';
import { checkConfigs, checkFeatureGates } from './check-configs.ts';
import { checkHealth } from './check-health.ts';
import { checkManifests } from './check-manifests.ts';
import { checkNetworks } from './check-networks.ts';
import { checkNodes } from './check-nodes.ts';
import { checkPatches } from './check-patches.ts';
import type { KubeadmFacts } from './facts.ts';

export const check = (wanted: Wanted, facts: ClusterFacts, own: KubeadmFacts): readonly Finding[] => [
  ...checkHealth(wanted, facts, own),
  ...checkManifests(wanted, facts, own),
  ...checkNetworks(wanted, facts, own),
  ...checkConfigs(wanted, own),
  ...checkFeatureGates(own),
  ...checkPatches(wanted, facts, own),
  ...checkNodes(wanted, facts, own),
];
