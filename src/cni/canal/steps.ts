import type { ClusterFacts, NodeFacts } from '../../model/facts.ts';
import { forgetStep, nodeAnnotations, type NodeAnnotations } from '../../model/flanneld.ts';
import { nameList } from '../../model/list-text.ts';
import { refText } from '../../model/object.ts';
import { changesIPv6 } from '../../model/second-ipv6.ts';
import type { Step, StepState } from '../../model/step.ts';
import { needNotWait, type Wanted } from '../../model/wanted.ts';
import { agentSteps } from './agents.ts';
import { CONFIG_MAP, FLANNEL_KEY, NETWORK_KEY, type CanalFacts, type ConfigFacts } from './facts.ts';
import { agentNodes, type Goal, hasIPv6, makeGoal } from './goal.ts';

/** Seconds for one write to be seen again. */
const WRITE_SECONDS = 120;

export function steps(wanted: Wanted, facts: ClusterFacts, own: CanalFacts): readonly Step[] {
  // What is not there or not readable has been told as a Finding that keeps all of these phases closed.
  if (!own.config.known || !own.agent.known || own.config.value === null || own.agent.value === null) return [];
  if (!changesIPv6(wanted)) return [];
  const [config, agent] = [own.config.value, own.agent.value];
  const goal = makeGoal(wanted, config, agent);
  const waits = wanted.direction === 'Forward' ? waitsForPodCIDRs(wanted, agentNodes(facts, agent)) : null;
  const configured = configStep(wanted, config, goal, waits);
  // A configuration that cannot be edited: the Finding about it keeps the rest from being done, so nothing of it is promised.
  if (!goal.flannel.ok || !goal.network.ok) return [configured];
  const isConfigured = configured.state.is === 'Satisfied';
  const rest = [configured, ...agentSteps({ wanted, facts, config, agent, goal, isConfigured })];
  if (wanted.direction === 'Forward') return rest;
  const annotations = nodeAnnotations(agent.flags, 'IPv6');
  return [...rest, ...facts.nodes.map((node) => annotationStep(node, annotations))];
}

function configStep(wanted: Wanted, config: ConfigFacts, goal: Goal, waits: StepState | null): Step {
  const flannel = goal.flannel.ok ? goal.flannel.value : (config.flannel ?? '');
  const network = goal.network.ok ? goal.network.value : (config.network ?? '');
  const rows = [
    { path: `data["${FLANNEL_KEY}"]`, before: config.flannel, after: flannel },
    { path: `data["${NETWORK_KEY}"]`, before: config.network, after: network },
  ];
  return {
    id: 'canal/config',
    phase: 'CNIConfig',
    group: 'canal-config',
    target: refText(CONFIG_MAP),
    why:
      wanted.direction === 'Forward'
        ? 'Pods get IPv6 addresses when host-local is told their range, and routes when flannel is told their network.'
        : 'Pods shall get no IPv6 address any more.',
    disrupts: null,
    timeoutSeconds: WRITE_SECONDS,
    kind: 'ApplyObject',
    ref: CONFIG_MAP,
    write: {
      is: 'Apply',
      force: true,
      // With its resourceVersion: a change that somebody else makes meanwhile is seen, not overwritten.
      body: {
        metadata: { name: CONFIG_MAP.name, resourceVersion: config.resourceVersion },
        data: { [FLANNEL_KEY]: flannel, [NETWORK_KEY]: network },
      },
    },
    diff: rows.filter(({ before, after }) => before !== after),
    state: configState(config, goal, waits),
  };
}

function configState(config: ConfigFacts, { flannel, network }: Goal, waits: StepState | null): StepState {
  for (const text of [flannel, network]) {
    if (!text.ok) return { is: 'Unknown', why: `${refText(CONFIG_MAP)}: ${text.error}` };
  }
  if (flannel.ok && network.ok && flannel.value === config.flannel && network.value === config.network) {
    return { is: 'Satisfied', evidence: `${FLANNEL_KEY} and ${NETWORK_KEY} are as wanted` };
  }
  return waits ?? { is: 'Pending' };
}

/**
 * Null: nothing to wait for. Before every Node has a second podCIDR flanneld would end there, and the plug-in fail every pod: "usePodCidrIPv6 found but there
 * is no IPv6 CIDR configured".
 */
function waitsForPodCIDRs(wanted: Wanted, nodes: readonly NodeFacts[]): StepState | null {
  const lacking = nodes.filter((node) => !hasIPv6(node.podCIDRs));
  if (needNotWait(wanted, lacking)) return null;
  return { is: 'InProgress', why: `waits until every Node has an IPv6 podCIDR; without: ${nameList(lacking)}` };
}

const annotationStep = (node: NodeFacts, { publicIP, data }: NodeAnnotations): Step =>
  forgetStep('canal', node, [publicIP, data], {
    why: 'IPv6 addresses that flanneld has published stay on the Node until they are removed.',
    evidence: 'it carries no IPv6 address of flannel',
  });
