import type { ClusterFacts } from '../../model/facts.ts';
import { imageVersion } from '../../model/image.ts';
import { nameList } from '../../model/list-text.ts';
import { refText } from '../../model/object.ts';
import type { Step, StepState } from '../../model/step.ts';
import { needNotWait, type Wanted } from '../../model/wanted.ts';
import { isIPv6 } from '../../net/family.ts';
import { CONFIG_MAP, NODE_API, type CiliumFacts, type CiliumNodeFacts } from './facts.ts';
import { agentStep, operatorStep } from './rollouts.ts';
import { agentNodes, type Scene, sceneOf } from './scene.ts';
import { changesOf, commandFor, patchOf } from './settings.ts';

/** Seconds for one write to be seen again. */
const WRITE_SECONDS = 120;

/**
 * Forward: configuration, operator, agents, because an agent that starts with IPv6 waits for the pod CIDR that the operator gives its node. Back:
 * configuration, agents, what the CiliumNodes hold, operator, because one that starts without IPv6 refuses a node with an IPv6 pod CIDR and then
 * takes that node's IPv4 one for free (`reuseIPNets` in Cilium's `pkg/ipam/allocator/podcidr/podcidr.go`).
 */
export function steps(wanted: Wanted, facts: ClusterFacts, own: CiliumFacts): readonly Step[] {
  const scene = sceneOf(wanted, facts, own);
  if (scene === null) return [];
  const operator = operatorStep(scene);
  if (wanted.direction === 'Forward') {
    const mayStart = operator.every(({ state }) => state.is === 'Satisfied' || state.is === 'Deferred');
    return [configStep(scene), ...operator, agentStep(scene, mayStart)];
  }
  const cidrs = scene.mode === 'cluster-pool' ? Object.entries(scene.nodes) : [];
  return [
    configStep(scene),
    agentStep(scene, true),
    ...cidrs.map(([name, node]) => podCIDRStep(name, node)),
    ...operator,
  ];
}

function configStep(scene: Scene): Step {
  const { wanted, config, goal } = scene;
  const base = {
    id: 'cilium/config',
    phase: 'CNIConfig',
    group: 'cilium-config',
    target: refText(CONFIG_MAP),
    why:
      wanted.direction === 'Forward'
        ? 'Agents and operator of Cilium give pods IPv6 addresses only when their configuration says so.'
        : 'Cilium shall give pods no IPv6 address any more.',
    disrupts: null,
    timeoutSeconds: WRITE_SECONDS,
    diff: scene.isConfigured ? [] : changesOf(config, goal),
    state: configState(scene),
  } as const;
  if (config.owner !== null) {
    const command = commandFor(config, goal, imageVersion(scene.agent.image));
    return { ...base, kind: 'Handoff', command, watches: refText(CONFIG_MAP) };
  }
  return {
    ...base,
    kind: 'ApplyObject',
    ref: CONFIG_MAP,
    // A merge patch, because keys are removed on the way back. With its resourceVersion: it is decided on what was read.
    write: { is: 'MergePatch', body: { data: patchOf(config, goal) }, resourceVersion: config.resourceVersion },
  };
}

function configState(scene: Scene): StepState {
  const { wanted, mode, isConfigured, config } = scene;
  if (isConfigured) {
    const given = config.data['enable-ipv6'] ?? 'false';
    return { is: 'Satisfied', evidence: `enable-ipv6 is ${given}` };
  }
  if (wanted.direction === 'Back') return { is: 'Pending' };
  const nodes = agentNodes(scene);
  // An agent that is told IPv6 ends where its Node has no address of it: "node does not have an IPv6 address" (cilium#37817).
  const without = nodes.filter((node) => ![...node.internalIPs, ...node.externalIPs].some(isIPv6));
  if (without.length > 0) return waitsFor('an IPv6 address', without);
  if (mode !== 'kubernetes') return { is: 'Pending' };
  // And in this mode where its Node has no pod CIDR of it: "required IPv6 PodCIDR not available".
  const lacking = nodes.filter((node) => !node.podCIDRs.some(isIPv6));
  return needNotWait(wanted, lacking) ? { is: 'Pending' } : waitsFor('an IPv6 podCIDR', lacking);
}

const waitsFor = (what: string, nodes: readonly { readonly name: string }[]): StepState => ({
  is: 'InProgress',
  why: `waits until every Node has ${what}; without: ${nameList(nodes)}`,
});

/** Only the operator gives these pod CIDRs, and it never takes one back from a node that is there. */
function podCIDRStep(name: string, node: CiliumNodeFacts): Step {
  const kept = node.podCIDRs.filter((cidr) => !isIPv6(cidr));
  const isDone = kept.length === node.podCIDRs.length;
  return {
    id: `cilium/pod-cidrs/${name}`,
    phase: 'Pools',
    group: 'cilium-pod-cidrs',
    target: `CiliumNode ${name}`,
    why: 'cilium-operator refuses a CiliumNode with a pod CIDR of a family that is off, and would give its other one to a new node.',
    disrupts: null,
    timeoutSeconds: WRITE_SECONDS,
    kind: 'ApplyObject',
    ref: { apiVersion: NODE_API, kind: 'CiliumNode', name },
    write: { is: 'MergePatch', body: { spec: { ipam: { podCIDRs: kept } } }, resourceVersion: node.resourceVersion },
    diff: isDone ? [] : [{ path: 'spec.ipam.podCIDRs', before: node.podCIDRs.join(', '), after: kept.join(', ') }],
    state: isDone ? { is: 'Satisfied', evidence: 'it holds no IPv6 pod CIDR' } : { is: 'Pending' },
  };
}
