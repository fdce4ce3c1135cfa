import { GUARD_TAINT } from '../api/names.ts';
import type { ClusterFacts, NodeFacts } from '../model/facts.ts';
import type { Finding } from '../model/finding.ts';
import type { NodeProof, NodeProofs } from '../model/node-proof.ts';
import { asString, type JsonObject } from '../model/object.ts';
import type { Known } from '../model/reader.ts';
import type { Step, StepState } from '../model/step.ts';
import type { Wanted } from '../model/wanted.ts';
import { type Family, hasFamily } from '../net/family.ts';

interface Guard {
  readonly steps: readonly Step[];
  readonly findings: readonly Finding[];
}

/** What a guard is decided by: the proofs of the CNI where it gives any. */
export type Proofs = Known<NodeProofs> | null;

/**
 * Keeps new pods off nodes that joined, or lost a family, when the cluster as a whole already lived with both, until the family is there and
 * the CNI has proven that it carries it. Such a node stays Ready, and would be given pods that nobody reaches. It is no conversion of
 * nodes that wait for their turn: before the CNI looks for both families, nothing is tainted.
 */
export function guard(wanted: Wanted, facts: ClusterFacts, proofs: Proofs): Guard {
  const asked = wanted.direction === 'Forward' && wanted.families.length > 1 && wanted.nodes.guard === 'Taint';
  if (!asked) return { steps: facts.nodes.filter(isGuarded).map((node) => freeing(node, NOT_ASKED)), findings: [] };
  // What cannot be read changes nothing: a taint that is there stays, and none comes.
  if (proofs !== null && !proofs.known) return { steps: facts.nodes.filter(isGuarded).map(kept), findings: [] };

  const read = proofs === null ? null : proofs.value;
  const unfit = facts.nodes.filter((node) => isUnfit(wanted, node, proofOf(read, node)));
  const held = facts.nodes.filter((node) => isGuarded(node) && isHeld(wanted, node, proofOf(read, node)));
  const freed = facts.nodes.filter((node) => isGuarded(node) && !held.includes(node));
  const inForce = read === null ? mostAreWhole(wanted, facts) : read.inForce;
  const due = inForce ? unfit.filter((node) => !isGuarded(node) && isGuardable(read, node)) : [];
  const unfitNodes = new Set(unfit);
  const isLeft = facts.nodes.some((node) => takesPods(node) && !unfitNodes.has(node));
  // A family that is missing on most nodes is an outage of the network, and not theirs: to empty the cluster for it would make it worse.
  const areFew = unfit.length * 2 <= facts.nodes.length;
  const mayTaint = isLeft && areFew;
  return {
    steps: [
      ...freed.map((node) => freeing(node, 'It has an address of each family, and pods on it are given both.')),
      ...(mayTaint ? due.map((node) => tainting(wanted, node, proofOf(read, node))) : []),
      ...held.map(kept),
    ],
    findings: mayTaint ? [] : due.slice(0, 1).map((node) => notGuarded(node, due.length, areFew)),
  };
}

const NOT_ASKED = 'spec.nodes.guard no longer asks for it.';

export const isGuarded = ({ taints }: NodeFacts): boolean => taints.some(isOurs);

const isOurs = (taint: JsonObject): boolean => taint['key'] === GUARD_TAINT;

const proofOf = (proofs: NodeProofs | null, node: NodeFacts): NodeProof | null => proofs?.nodes.get(node.name) ?? null;

const missingFamilies = (wanted: Wanted, node: NodeFacts): readonly Family[] =>
  wanted.families.filter((family) => !hasFamily(node.internalIPs, family));

/** Its family is missing, or the CNI lost the one that it had. That the CNI has merely not come to it yet is no reason. */
const isUnfit = (wanted: Wanted, node: NodeFacts, proof: NodeProof | null): boolean =>
  missingFamilies(wanted, node).length > 0 || proof?.is === 'LostPrimary';

const isHeld = (wanted: Wanted, node: NodeFacts, proof: NodeProof | null): boolean =>
  missingFamilies(wanted, node).length > 0 || (proof !== null && proof.is !== 'Proven');

/** Windows has no part in this, nor has a node that the CNI does not work on. */
const isGuardable = (proofs: NodeProofs | null, node: NodeFacts): boolean =>
  node.labels['kubernetes.io/os'] !== 'windows' && (proofs === null || proofs.nodes.has(node.name));

/** Without proofs of a CNI: the API servers speak both families, and nodes with both are the rule. */
function mostAreWhole(wanted: Wanted, { nodes, serviceCIDR }: ClusterFacts): boolean {
  const whole = nodes.filter((node) => missingFamilies(wanted, node).length === 0).length;
  return serviceCIDR.known && serviceCIDR.value.length >= wanted.families.length && whole * 2 > nodes.length;
}

const takesPods = (node: NodeFacts): boolean =>
  node.ready &&
  !node.unschedulable &&
  !node.taints.some((taint) => taint['effect'] === 'NoSchedule' || taint['effect'] === 'NoExecute');

/** The value of a taint has the form of a label's. The family that the CNI lost is the primary. */
function taintOf(wanted: Wanted, node: NodeFacts): JsonObject {
  const missing = missingFamilies(wanted, node);
  const named = missing.length > 0 ? missing : wanted.families.slice(0, 1);
  return { key: GUARD_TAINT, value: named.join('_'), effect: 'NoSchedule' };
}

function tainting(wanted: Wanted, node: NodeFacts, proof: NodeProof | null): Step {
  const taint = taintOf(wanted, node);
  const missing = missingFamilies(wanted, node).join(' and ');
  return stepOf(node, {
    why: proof?.is === 'LostPrimary' ? proof.evidence : `Node ${node.name} has no ${missing} address.`,
    taints: [...node.taints, taint],
    diff: [{ path: 'spec.taints', before: null, after: taintText(taint) }],
    state: { is: 'Pending' },
  });
}

const freeing = (node: NodeFacts, why: string): Step =>
  stepOf(node, {
    why,
    taints: node.taints.filter((taint) => !isOurs(taint)),
    diff: node.taints.filter(isOurs).map((taint) => ({ path: 'spec.taints', before: taintText(taint), after: null })),
    state: { is: 'Pending' },
  });

const kept = (node: NodeFacts): Step =>
  stepOf(node, {
    why: `Node ${node.name} lacks a family.`,
    taints: node.taints,
    diff: [],
    state: { is: 'Satisfied', evidence: `new pods are kept off ${node.name} until it has both families` },
  });

function taintText(taint: JsonObject): string {
  const part = (name: string): string => asString(taint[name]) ?? '';
  return `${part('key')}=${part('value')}:${part('effect')}`;
}

function stepOf(
  node: NodeFacts,
  part: {
    readonly why: string;
    readonly taints: readonly JsonObject[];
    readonly diff: Step['diff'];
    readonly state: StepState;
  },
): Step {
  return {
    kind: 'ApplyObject',
    id: `guard/${node.name}`,
    phase: 'NodeIPs',
    group: 'node-guard',
    target: `Taint ${GUARD_TAINT} of Node ${node.name}`,
    why: part.why,
    diff: part.diff,
    state: part.state,
    disrupts: null,
    timeoutSeconds: 60,
    remedy: true,
    ref: { apiVersion: 'v1', kind: 'Node', name: node.name },
    // The list is one value to the API server. With the version that was read, so that a taint that somebody adds meanwhile is not lost.
    write: { is: 'MergePatch', body: { spec: { taints: part.taints } }, resourceVersion: node.resourceVersion },
  };
}

const notGuarded = (node: NodeFacts, count: number, areFew: boolean): Finding => ({
  reason: 'NodeNotGuarded',
  object: { apiVersion: 'v1', kind: 'Node', name: node.name },
  message: `Node ${node.name}${count > 1 ? ` and ${count - 1} more` : ''} should be kept free of pods, but ${areFew ? 'no node with both families would be left that takes any' : 'most nodes lack a family: that is no fault of single nodes'}.`,
  remedy: `kubectl dualstack nodes tells what each lacks; keep pods off by hand if you must: kubectl cordon ${node.name}.`,
  blocks: [],
});
