import type { ClusterFacts, NodeFacts } from '../../model/facts.ts';
import { forgetStep, nodeAnnotations, type NodeAnnotations } from '../../model/flanneld.ts';
import { nameList } from '../../model/list-text.ts';
import { refText } from '../../model/object.ts';
import type { Step, StepState } from '../../model/step.ts';
import { needNotWait, type Wanted } from '../../model/wanted.ts';
import { hasFamily } from '../../net/family.ts';
import { agentSteps } from './agents.ts';
import { CONFIG_KEY, configMapRef, daemonSetRef, type ConfigFacts, type FlannelFacts } from './facts.ts';
import { type Goal, makeGoal } from './goal.ts';

/** Seconds for one write to be seen again. */
const WRITE_SECONDS = 120;

export function steps(wanted: Wanted, facts: ClusterFacts, own: FlannelFacts): readonly Step[] {
  // What is not there or not readable has been told as a Finding that keeps all of these phases closed.
  if (!own.config.known || !own.agent.known || own.config.value === null || own.agent.value === null) return [];
  const [config, agent] = [own.config.value, own.agent.value];
  const goal = makeGoal(wanted, own, config);
  if (goal === null) return [];

  const configured = configStep(wanted, facts, own.namespace, config, goal);
  // A configuration that cannot be edited: the Finding about it keeps the rest from being done, so nothing of it is promised.
  if (!goal.text.ok) return [configured];
  const ref = daemonSetRef(own.namespace);
  const isConfigured = configured.state.is === 'Satisfied';
  const rest = [configured, ...agentSteps({ wanted, facts, ref, config, agent, goal, isConfigured })];
  if (wanted.direction === 'Forward') return rest;
  const annotations = nodeAnnotations(agent.flags, goal.family);
  return [...rest, ...facts.nodes.map((node) => annotationStep(node, annotations))];
}

function configStep(wanted: Wanted, facts: ClusterFacts, namespace: string, config: ConfigFacts, goal: Goal): Step {
  const ref = configMapRef(namespace);
  const after = goal.text.ok ? goal.text.value : (config.text ?? '');
  return {
    id: 'flannel/config',
    phase: 'CNIConfig',
    group: 'flannel-config',
    target: refText(ref),
    why:
      wanted.direction === 'Forward'
        ? `flannel gives pods ${goal.family} addresses and routes only when its configuration names a network for them.`
        : `flannel shall give pods no ${goal.family} address any more.`,
    disrupts: null,
    timeoutSeconds: WRITE_SECONDS,
    kind: 'ApplyObject',
    ref,
    write: {
      is: 'Apply',
      force: true,
      // With its resourceVersion: a change that somebody else makes meanwhile is seen, not overwritten.
      body: {
        metadata: { name: ref.name, resourceVersion: config.resourceVersion },
        data: { [CONFIG_KEY]: after },
      },
    },
    diff: after === config.text ? [] : [{ path: `data["${CONFIG_KEY}"]`, before: config.text, after }],
    state: configState(wanted, facts, namespace, config, goal),
  };
}

function configState(
  wanted: Wanted,
  { nodes }: ClusterFacts,
  namespace: string,
  config: ConfigFacts,
  goal: Goal,
): StepState {
  if (!goal.text.ok) return { is: 'Unknown', why: `${refText(configMapRef(namespace))}: ${goal.text.error}` };
  if (goal.text.value === config.text) return { is: 'Satisfied', evidence: `${CONFIG_KEY} is as wanted` };
  const lacking = wanted.direction === 'Forward' ? nodes.filter((node) => !hasFamily(node.podCIDRs, goal.family)) : [];
  // Before that flanneld would crash there: "IPv6 is enabled but the lease has no IPv6".
  if (needNotWait(wanted, lacking)) return { is: 'Pending' };
  return {
    is: 'InProgress',
    why: `waits until every Node has an ${goal.family} podCIDR; without: ${nameList(lacking)}`,
  };
}

/** Backends that are not told of IPv4 publish its empty address. */
const isSet = (value: string | undefined): boolean => value !== undefined && value !== '0.0.0.0';

const annotationStep = (node: NodeFacts, { publicIP, data }: NodeAnnotations): Step =>
  forgetStep('flannel', node, isSet(node.annotations[publicIP]) ? [publicIP, data] : [], {
    why: 'Addresses that flanneld has published for the family that leaves stay on the Node until they are removed.',
    evidence: 'it carries no address of flannel in that family',
  });
