import type { ClusterFacts, NodeFacts } from '../../model/facts.ts';
import type { Finding } from '../../model/finding.ts';
import type { PatchReport } from '../../model/host.ts';
import type { Wanted } from '../../model/wanted.ts';
import type { KubeadmFacts } from './facts.ts';
import type { FlagPlan } from './flag-plan.ts';
import { planFor } from './plans.ts';
import { sameRange } from './ranges.ts';

/** `kubeadm upgrade` makes manifests of ConfigMap kubeadm-config and lays the patches of the host over them, so both have to say the same. */
export function checkPatches(wanted: Wanted, facts: ClusterFacts, own: KubeadmFacts): readonly Finding[] {
  return facts.nodes.flatMap((node) =>
    (node.agent?.report?.kubeadmPatches ?? []).flatMap((patch) => {
      const instance = own.instances.find((each) => each.node === node.name && each.component === patch.component);
      if (instance === undefined) return [];
      const changes = changesOf(patch, planFor(wanted, instance, node));
      return changes.length === 0 ? [] : [finding(node, patch, changes)];
    }),
  );
}

/** One flag of a patch, and what is to stand there; null: it has to go. */
interface Change {
  readonly flag: string;
  readonly is: string;
  readonly shall: string | null;
}

const changesOf = ({ args }: PatchReport, plan: FlagPlan): readonly Change[] =>
  Object.entries(args).flatMap(([flag, is]): readonly Change[] => {
    const shall = plan.set[flag];
    if (shall !== undefined) return sameRange(is, shall) ? [] : [{ flag, is, shall }];
    return plan.absent.includes(flag) ? [{ flag, is, shall: null }] : [];
  });

const finding = (node: NodeFacts, { file, component }: PatchReport, changes: readonly Change[]): Finding => ({
  reason: 'KubeadmPatch',
  object: { apiVersion: 'v1', kind: 'Node', name: node.name },
  message: `${file} on ${node.name} has ${changes.map(({ flag, is }) => `--${flag}=${is}`).join(' and ')} for ${component}: the next "kubeadm upgrade" with this folder would put that back.`,
  remedy: `In that file ${changes.map(changeText).join(', and ')}.`,
  // Nothing that runs is changed by it before that upgrade.
  blocks: [],
});

const changeText = ({ flag, shall }: Change): string =>
  shall === null ? `take --${flag} out` : `write --${flag}=${shall}`;
