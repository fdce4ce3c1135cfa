import type { ClusterFacts, NodeFacts } from '../../model/facts.ts';
import { nameList } from '../../model/list-text.ts';
import { asString, at, refText } from '../../model/object.ts';
import type { Recordable } from '../../model/record.ts';
import { nextOfRollout, progressOf, rolloutState } from '../../model/rollout.ts';
import type { Step, StepState } from '../../model/step.ts';
import { cidrList, needNotWait, type Wanted } from '../../model/wanted.ts';
import { parseCidr } from '../../net/cidr.ts';
import { hasFamily } from '../../net/family.ts';
import { type AgentFacts, DAEMON_SET, type KindnetFacts, ROLLOUT_ANNOTATION, SUBNET_ENV } from './facts.ts';

const WRITE_SECONDS = 120;
const RECORD = 'DaemonSet/kube-system/kindnet';

/** First states of what the steps change. */
export function records(own: KindnetFacts): readonly Recordable[] {
  if (!own.known || own.value === null) return [];
  const { subnet } = own.value;
  return [
    {
      key: RECORD,
      value: {
        [SUBNET_ENV]: subnet?.is === 'Value' ? subnet.value : null,
        [ROLLOUT_ANNOTATION]: markOf(own.value),
      },
    },
  ];
}

const markOf = ({ workload }: AgentFacts): string | null => workload.templateAnnotations[ROLLOUT_ANNOTATION] ?? null;

/**
 * kindnetd writes the CNI configuration from its Node's podCIDRs by itself; routes to the other nodes and masquerading of a family
 * come with POD_SUBNET, which it reads when it starts.
 */
export function steps(wanted: Wanted, facts: ClusterFacts, own: KindnetFacts): readonly Step[] {
  if (!own.known || own.value === null) return [];
  if (wanted.direction === 'Forward' && wanted.families.length === 1) return [];
  const agent = own.value;
  if (agent.subnet?.is === 'From') return [];
  if (agent.subnet === null) return [rolloutStep(facts, agent, markedState(wanted, facts, agent), wanted)];

  const env = envStep(wanted, facts, agent, agent.subnet.value);
  const rolling = env.state.is === 'Satisfied' ? toldState(facts, agent) : ({ is: 'Pending' } as const);
  return [env, rolloutStep(facts, agent, rolling, wanted)];
}

function envStep(wanted: Wanted, facts: ClusterFacts, agent: AgentFacts, live: string): Step {
  const value = wantedSubnet(wanted, live);
  return {
    id: 'kindnet/env',
    phase: 'CNIAgents',
    group: 'kindnet-env',
    target: refText(DAEMON_SET),
    why: 'kindnetd makes routes to the pods of other nodes only in the families whose networks it is told.',
    // The template changes with it, so the DaemonSet begins to replace its pods.
    disrupts: {
      text: 'kindnetd restarts node by node; pods keep running and keep their connections',
      seconds: [2, 10],
    },
    timeoutSeconds: WRITE_SECONDS,
    kind: 'ApplyObject',
    ref: DAEMON_SET,
    write: {
      is: 'Apply',
      force: true,
      body: {
        spec: { template: { spec: { containers: [{ name: agent.container, env: [{ name: SUBNET_ENV, value }] }] } } },
      },
    },
    diff:
      value === live
        ? []
        : [
            {
              path: `spec.template.spec.containers[${agent.container}].env[${SUBNET_ENV}]`,
              before: live,
              after: value,
            },
          ],
    state: envState(wanted, facts, live, value),
  };
}

function envState(wanted: Wanted, { nodes }: ClusterFacts, live: string, value: string): StepState {
  if (value === live) return { is: 'Satisfied', evidence: `${SUBNET_ENV} is ${live}` };
  return waitsForPodCIDRs(wanted, nodes) ?? { is: 'Pending' };
}

/** Null: nothing to wait for. */
function waitsForPodCIDRs(wanted: Wanted, nodes: readonly NodeFacts[]): StepState | null {
  const { direction, families } = wanted;
  if (direction === 'Back') return null;
  const lacking = nodes.filter((node) => !families.every((family) => hasFamily(node.podCIDRs, family)));
  if (needNotWait(wanted, lacking)) return null;
  return {
    is: 'InProgress',
    why: `waits until every Node has a podCIDR of each family; not yet: ${nameList(lacking)}`,
  };
}

/** The first text again on the way back, where it was recorded. The same networks in another spelling count as equal. */
function wantedSubnet(wanted: Wanted, live: string): string {
  const value = cidrList(wanted.families, wanted.pods).join(',');
  const first = wanted.direction === 'Back' ? asString(at(wanted.restore[RECORD], SUBNET_ENV)) : undefined;
  if (first !== undefined && canonical(first) === canonical(value)) return first;
  return canonical(live) === canonical(value) ? live : value;
}

const canonical = (list: string): string =>
  list
    .split(',')
    .map((text) => {
      const cidr = parseCidr(text.trim());
      return cidr.ok ? cidr.value.text : text.trim();
    })
    .join(',');

/** Without POD_SUBNET nothing of the template has to change: new pods are made so that each reads its Nodes as they are now. */
function markedState(wanted: Wanted, facts: ClusterFacts, agent: AgentFacts): StepState {
  const live = markOf(agent);
  if (live === targetMark(wanted)) return toldState(facts, agent);
  return waitsForPodCIDRs(wanted, facts.nodes) ?? { is: 'Pending' };
}

const targetMark = (wanted: Wanted): string | null =>
  wanted.direction === 'Back'
    ? (asString(at(wanted.restore[RECORD], ROLLOUT_ANNOTATION)) ?? null)
    : wanted.families.join(',');

function rolloutStep(facts: ClusterFacts, agent: AgentFacts, state: StepState, wanted: Wanted): Step {
  const live = markOf(agent);
  const mark = agent.subnet === null ? targetMark(wanted) : live;
  const progress = progressOf(agent.workload, facts.nodes, facts.at);
  return {
    kind: 'RolloutWorkload',
    id: 'kindnet/rollout',
    phase: 'CNIAgents',
    group: 'kindnet-rollout',
    target: refText(DAEMON_SET),
    why: 'kindnetd reads what it is told only when it starts.',
    diff:
      mark === live
        ? []
        : [{ path: `spec.template.metadata.annotations[${ROLLOUT_ANNOTATION}]`, before: live, after: mark }],
    state,
    disrupts: {
      text: 'kindnetd restarts node by node; pods keep running and keep their connections',
      seconds: [2, 10],
    },
    timeoutSeconds: 180 + 60 * agent.workload.desired,
    ref: DAEMON_SET,
    next: nextOfRollout(progress, ROLLOUT_ANNOTATION, live, mark),
  };
}

const toldState = (facts: ClusterFacts, { workload }: AgentFacts): StepState =>
  rolloutState(progressOf(workload, facts.nodes, facts.at), {
    done: { is: 'Satisfied', evidence: `all ${workload.desired} pods are of the newest template and ready` },
    stuck: () => ({ is: 'Pending' }),
    crashing: (pod) => ({
      why: `kindnetd on ${pod.node} does not start (${pod.waiting ?? ''}); pods there keep the network that they have`,
      remedy: `See why: kubectl -n kube-system logs ${pod.name} --previous; mend it on that host.`,
    }),
  });
