import type { WorkloadFacts } from '../../model/facts.ts';
import { listText } from '../../model/list-text.ts';
import { type ObjectRef, refText } from '../../model/object.ts';
import { crashText, nextOfRollout, progressOf, rolloutState } from '../../model/rollout.ts';
import type { Step, StepState } from '../../model/step.ts';
import { isRolledOut } from '../../model/workload.ts';
import { isIPv6 } from '../../net/family.ts';
import { DAEMON_SET, MARKS, OPERATOR, ROLLOUT_ANNOTATION } from './facts.ts';
import { agentNodes, markOf, runsIPv6, type Scene, staleNodes } from './scene.ts';

/** A roll-out as it stands, and what the template shall be marked with. */
interface Rolling {
  readonly state: StepState;
  readonly mark: string | null;
}

/** @param mayStart What comes before is done. */
export function agentStep(scene: Scene, mayStart: boolean): Step {
  const { workload } = scene.agent;
  const rolling = scene.wanted.direction === 'Forward' ? agentsForward(scene) : agentsBack(scene);
  return rollout(scene, DAEMON_SET, workload, {
    id: 'cilium/agents',
    phase: 'CNIAgents',
    why: 'cilium-agent reads its configuration only when it starts.',
    disrupts: {
      text: 'cilium-agent restarts node by node; pods keep running and keep their connections, new pods wait for it',
      seconds: [5, 60],
    },
    timeoutSeconds: 300 + 60 * workload.desired,
    mark: rolling.mark,
    state: scene.isConfigured && mayStart ? rolling.state : { is: 'Pending' },
  });
}

/** None: there is no operator, as where every node takes its pod CIDRs from Kubernetes. */
export function operatorStep(scene: Scene): readonly Step[] {
  const { operator, wanted } = scene;
  if (operator === null) return [];
  const rolling = wanted.direction === 'Forward' ? operatorForward(scene, operator) : operatorBack(scene, operator);
  return [
    rollout(scene, OPERATOR, operator, {
      id: 'cilium/operator',
      phase: wanted.direction === 'Forward' ? 'CNIAgents' : 'Pools',
      why: 'cilium-operator reads its configuration only when it starts.',
      disrupts: {
        text: 'new nodes wait for their pod CIDRs while cilium-operator restarts; pods notice nothing',
        seconds: [5, 60],
      },
      timeoutSeconds: 300,
      mark: rolling.mark,
      state: scene.isConfigured ? rolling.state : { is: 'Pending' },
    }),
  ];
}

interface Parts {
  readonly id: string;
  readonly phase: Step['phase'];
  readonly why: string;
  readonly disrupts: Step['disrupts'];
  readonly timeoutSeconds: number;
  readonly mark: string | null;
  readonly state: StepState;
}

function rollout({ facts }: Scene, ref: ObjectRef, workload: WorkloadFacts, { mark, ...parts }: Parts): Step {
  const live = markOf(workload);
  const progress = progressOf(workload, facts.nodes, facts.at);
  const path = `spec.template.metadata.annotations[${ROLLOUT_ANNOTATION}]`;
  return {
    ...parts,
    kind: 'RolloutWorkload',
    group: parts.id.replace('/', '-'),
    target: refText(ref),
    diff: mark === live || parts.state.is === 'Satisfied' ? [] : [{ path, before: live, after: mark }],
    ref,
    next: nextOfRollout(progress, ROLLOUT_ANNOTATION, live, mark),
  };
}

/** What each agent shows of itself decides: restarted by whomever, an agent that has its IPv6 address runs with IPv6. */
function agentsForward(scene: Scene): Rolling {
  const { agent } = scene;
  const live = markOf(agent.workload);
  const unproven = agentNodes(scene)
    .map(({ name }) => name)
    .filter((name) => !runsIPv6(scene.nodes[name]));
  const told = (): StepState =>
    toldState(scene, agent.workload, {
      waits:
        unproven.length === 0
          ? null
          : `waits until cilium-agent has an IPv6 address of its own on ${listText(unproven)}`,
      evidence: `all ${agent.workload.pods.length} pods are ready, and their CiliumNodes have an IPv6 CiliumInternalIP`,
    });
  if (live === MARKS.with) return { state: told(), mark: live };
  const stale = staleNodes(scene, agent.workload, unproven);
  return stale.length > 0 ? { state: { is: 'Pending' }, mark: MARKS.with } : { state: told(), mark: live };
}

function agentsBack(scene: Scene): Rolling {
  const { agent, first } = scene;
  const live = markOf(agent.workload);
  const still = agentNodes(scene)
    .map(({ name }) => name)
    .filter((name) => runsIPv6(scene.nodes[name]));
  const told = (): StepState =>
    toldState(scene, agent.workload, {
      waits: still.length === 0 ? null : `waits until cilium-agent has given up its IPv6 address on ${listText(still)}`,
      evidence: `all ${agent.workload.pods.length} pods are ready, and no CiliumNode has an IPv6 CiliumInternalIP`,
    });
  // A mark of ours goes, and with that come new pods. One that is to stay, because nobody could tell it from a first state, is turned round.
  if (live === MARKS.with)
    return { state: { is: 'Pending' }, mark: first.agent === live ? MARKS.without : first.agent };
  const stale = staleNodes(scene, agent.workload, still);
  return stale.length > 0 && live !== MARKS.without
    ? { state: { is: 'Pending' }, mark: MARKS.without }
    : { state: told(), mark: live };
}

/** In mode `cluster-pool` the CiliumNodes show that it runs with IPv6; in the others, as soon as the agents do, nobody restarts it in vain. */
function operatorForward(scene: Scene, operator: WorkloadFacts): Rolling {
  const { mode, nodes } = scene;
  const live = markOf(operator);
  const running = agentNodes(scene).map(({ name }) => name);
  const lacking = mode === 'cluster-pool' ? running.filter((name) => nodes[name]?.podCIDRs.some(isIPv6) !== true) : [];
  const isProven = mode === 'cluster-pool' ? lacking.length === 0 : running.every((name) => runsIPv6(nodes[name]));
  const refused = lacking.find((name) => (nodes[name]?.operatorError ?? '') !== '');
  const told = (): StepState => {
    if (refused !== undefined && isRolledOut(operator))
      return refusedState(refused, nodes[refused]?.operatorError ?? '');
    return toldState(scene, operator, {
      waits:
        lacking.length === 0 ? null : `waits until cilium-operator has given an IPv6 pod CIDR to ${listText(lacking)}`,
      evidence: mode === 'cluster-pool' ? 'every CiliumNode has an IPv6 pod CIDR' : 'its pods are new and ready',
    });
  };
  if (live === MARKS.with) return { state: told(), mark: live };
  if (isProven) return { state: { is: 'Satisfied', evidence: 'it has run with IPv6 before' }, mark: live };
  const stale = staleNodes(
    scene,
    operator,
    operator.pods.map((pod) => pod.node),
  );
  return stale.length > 0 ? { state: { is: 'Pending' }, mark: MARKS.with } : { state: told(), mark: live };
}

function operatorBack(scene: Scene, operator: WorkloadFacts): Rolling {
  const { first } = scene;
  const live = markOf(operator);
  const told = (): StepState =>
    toldState(scene, operator, { waits: null, evidence: 'its pods have read the configuration without IPv6' });
  if (live === MARKS.with) {
    return { state: { is: 'Pending' }, mark: first.operator === live ? MARKS.without : first.operator };
  }
  const stale = staleNodes(
    scene,
    operator,
    operator.pods.map((pod) => pod.node),
  );
  return stale.length > 0 && live !== MARKS.without
    ? { state: { is: 'Pending' }, mark: MARKS.without }
    : { state: told(), mark: live };
}

const refusedState = (node: string, error: string): StepState => ({
  is: 'Failed',
  why: `cilium-operator gave CiliumNode ${node} no IPv6 pod CIDR: ${error}`,
  remedy: `Mend what it names (kubectl get ciliumnode ${node} -o yaml shows it); it goes on by itself.`,
});

interface Told {
  /** Null: there is nothing to wait for beyond the pods. */
  readonly waits: string | null;
  readonly evidence: string;
}

function toldState({ facts }: Scene, workload: WorkloadFacts, { waits, evidence }: Told): StepState {
  return rolloutState(progressOf(workload, facts.nodes, facts.at), {
    done: waits === null ? { is: 'Satisfied', evidence } : { is: 'InProgress', why: waits },
    stuck: (why) => (workload.kind === 'DaemonSet' ? { is: 'Pending' } : { is: 'InProgress', why }),
    crashing: (pod) => ({
      why: `${workload.name} on ${pod.node} does not start (${crashText(pod)}); pods there keep the network that they have`,
      remedy: `See why: kubectl -n kube-system logs ${pod.name} --previous; mend it, then the pod starts by itself.`,
    }),
  });
}
