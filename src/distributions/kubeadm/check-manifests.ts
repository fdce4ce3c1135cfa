import type { ClusterFacts } from '../../model/facts.ts';
import type { Finding } from '../../model/finding.ts';
import { fromPhase, type Phase } from '../../model/phase.ts';
import type { Wanted } from '../../model/wanted.ts';
import { mirrorPodRef } from './check-health.ts';
import type { KubeadmFacts } from './facts.ts';
import { isMet } from './flag-plan.ts';
import type { Instance } from './instances.ts';
import { planFor } from './plans.ts';

/** Static pods that run where their host's agent sees no manifest of them: it could not change them, and would say so only when it is their turn. */
export function checkManifests(wanted: Wanted, facts: ClusterFacts, own: KubeadmFacts): readonly Finding[] {
  return own.instances.flatMap((instance) => {
    const node = facts.nodes.find(({ name }) => name === instance.node);
    const agent = node?.agent;
    const report = agent?.report;
    if (node === undefined || agent === undefined || agent === null || report === undefined || report === null)
      return [];
    if (report.staticPods[instance.component] !== undefined || isMet(instance, planFor(wanted, instance, node)))
      return [];
    const unusable = agent.conditions.find(({ reason }) => reason === 'ManifestUnusable');
    return [unusable === undefined ? unseen(wanted, instance) : broken(wanted, instance, unusable.message)];
  });
}

const unseen = (wanted: Wanted, instance: Instance): Finding => ({
  ...base(wanted, instance),
  message: `${instance.component} on ${instance.node} runs, and the agent there sees no manifest of it.`,
  remedy: `The kubelet of ${instance.node} takes its manifests from a folder (staticPodPath, --pod-manifest-path) that the agent has no mount of: mount it below /host in DaemonSet dualstack-agent, as /etc/kubernetes/manifests is.`,
});

const broken = (wanted: Wanted, instance: Instance, why: string): Finding => ({
  ...base(wanted, instance),
  message: `The agent on ${instance.node} cannot use the manifest of ${instance.component}: ${why}.`,
  remedy: 'Mend that file; the agent looks again by itself.',
});

const base = (wanted: Wanted, { component, node }: Instance): Pick<Finding, 'reason' | 'object' | 'blocks'> => ({
  reason: 'ComponentUnreadable',
  object: mirrorPodRef(component, node),
  blocks: blocked(wanted, component),
});

/** What could not be finished is not begun. */
const blocked = (wanted: Wanted, component: Instance['component']): readonly Phase[] =>
  wanted.direction === 'Forward'
    ? fromPhase('NodeIPs', 'Forward')
    : [component === 'kube-apiserver' ? 'APIServer' : 'ControllerManager'];
