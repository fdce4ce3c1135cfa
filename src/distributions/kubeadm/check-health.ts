import type { ClusterFacts } from '../../model/facts.ts';
import type { StaticPod } from '../../model/host.ts';
import type { Finding } from '../../model/finding.ts';
import { type ObjectRef, refText } from '../../model/object.ts';
import { fromPhase, type Phase } from '../../model/phase.ts';
import type { Step } from '../../model/step.ts';
import type { Wanted } from '../../model/wanted.ts';
import { apiServerSteps } from './api-server.ts';
import { controllerManagerSteps } from './controller-manager.ts';
import type { KubeadmFacts } from './facts.ts';
import { instancesOf } from './instances.ts';

const PHASE: Readonly<Record<StaticPod, Phase>> = {
  'kube-apiserver': 'APIServer',
  'kube-controller-manager': 'ControllerManager',
};

export const mirrorPodRef = (component: string, node: string): ObjectRef => ({
  apiVersion: 'v1',
  kind: 'Pod',
  namespace: 'kube-system',
  name: `${component}-${node}`,
});

/** The control plane is well and can be read. One more restart on a limping control plane could take the API away. */
export function checkHealth(wanted: Wanted, facts: ClusterFacts, own: KubeadmFacts): readonly Finding[] {
  const steps = [...apiServerSteps(wanted, facts, own), ...controllerManagerSteps(wanted, facts, own)];
  return [
    ...noInstances(wanted, own),
    ...unreadable(own),
    ...unhealthy(wanted, own, steps),
    ...withoutTransfer(facts, own, steps),
  ];
}

function noInstances(wanted: Wanted, own: KubeadmFacts): readonly Finding[] {
  if (instancesOf(own.instances, 'kube-apiserver').length > 0) return [];
  return [
    {
      reason: 'ComponentUnreadable',
      object: null,
      message:
        'No kube-apiserver was found: no Node has the label node-role.kubernetes.io/control-plane and there is no mirror Pod of one in kube-system.',
      remedy:
        'Check `kubectl get pods -n kube-system -l component=kube-apiserver`; if the control plane runs elsewhere, set spec.distribution: Unmanaged.',
      blocks: fromPhase('NodeIPs', wanted.direction),
    },
  ];
}

const unreadable = (own: KubeadmFacts): readonly Finding[] =>
  own.instances.flatMap((instance): readonly Finding[] =>
    instance.flags.known
      ? []
      : [
          {
            reason: 'ComponentUnreadable',
            object: mirrorPodRef(instance.component, instance.node),
            message: `The flags of ${instance.component} on ${instance.node} cannot be told: ${instance.flags.why}.`,
            remedy: `Check \`kubectl get pod -n kube-system ${instance.component}-${instance.node}\` and the kubelet on ${instance.node}, or take the label node-role.kubernetes.io/control-plane off a Node that is none.`,
            blocks: [PHASE[instance.component]],
          },
        ],
  );

/** An instance in the middle of its own edit is away for good reason; on the way back, one that is ill may be ill of what is undone. */
function unhealthy(wanted: Wanted, own: KubeadmFacts, steps: readonly Step[]): readonly Finding[] {
  const blocks: readonly Phase[] =
    wanted.direction === 'Forward' ? ['NodeIPs', 'APIServer', 'ControllerManager'] : ['APIServer', 'ControllerManager'];
  const isExcused = (component: StaticPod, node: string): boolean => {
    const step = steps.find(
      (candidate) => candidate.kind === 'EditHost' && candidate.node === node && candidate.phase === PHASE[component],
    );
    if (step === undefined) return false;
    return isUnderEdit(step) || (wanted.direction === 'Back' && step.state.is !== 'Satisfied');
  };
  const ill = own.instances.filter(
    (instance) => instance.ailment !== null && instance.flags.known && !isExcused(instance.component, instance.node),
  );
  return [
    ...ill.map((instance) => finding(instance.component, instance.node, instance.ailment ?? '', blocks)),
    ...own.etcdNotReady.map((pod) => finding('etcd', pod.replace(/^etcd-/, ''), 'its mirror Pod is not ready', blocks)),
  ];
}

/** Begun by this program and not yet proven. */
const isUnderEdit = (step: Step): boolean =>
  step.kind === 'EditHost' && step.diff.length > 0 && (step.state.is === 'InProgress' || step.state.is === 'Failed');

function finding(component: string, node: string, ailment: string, blocks: readonly Phase[]): Finding {
  const object = mirrorPodRef(component, node);
  return {
    reason: 'UnhealthyControlPlane',
    object,
    message: `${component} on ${node} is not healthy: ${ailment}.`,
    remedy: `Get ${refText(object)} ready first: \`kubectl describe pod -n kube-system ${object.name}\`, and its log on ${node}.`,
    blocks,
  };
}

function withoutTransfer(facts: ClusterFacts, own: KubeadmFacts, steps: readonly Step[]): readonly Finding[] {
  const isHA = instancesOf(own.instances, 'kube-controller-manager').length > 1;
  const isToDo = steps.some((step) => step.phase === 'ControllerManager' && step.state.is !== 'Satisfied');
  if (!isHA || facts.leaseTransfer || !isToDo) return [];
  return [
    {
      reason: 'LeaseTransferMissing',
      object: {
        apiVersion: 'admissionregistration.k8s.io/v1',
        kind: 'ValidatingAdmissionPolicyBinding',
        name: 'dualstack-lease-transfer',
      },
      message:
        'ValidatingAdmissionPolicyBinding dualstack-lease-transfer is not installed, so a controller-manager flag that fails only in the leader shows only when all instances have it.',
      remedy: 'Install it with `kubectl apply -k config/default`.',
      blocks: [],
    },
  ];
}
