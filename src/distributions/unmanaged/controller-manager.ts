import type { ComponentPod } from '../../model/component-pods.ts';
import type { ClusterFacts, NodeFacts } from '../../model/facts.ts';
import { familyOf } from '../../model/node-address.ts';
import { remakeNode, RESTART_KUBELET } from '../../model/remake-node.ts';
import type { Change, Handoff, Step, StepBase, StepState } from '../../model/step.ts';
import { cidrList, type Wanted } from '../../model/wanted.ts';
import { contains, parseCidr } from '../../net/cidr.ts';
import { FAMILIES, otherFamily, type Family } from '../../net/family.ts';
import type { UnmanagedFacts } from './facts.ts';
import { editText, flagChanges, flagSnippets, gateFlags, seenPod, type WantedFlags } from './flags.ts';
import { podsOf, usesNodeIPAM } from './network.ts';

/** What kube-controller-manager takes by itself (Kubernetes: cmd/kube-controller-manager/app/core.go). */
const DEFAULT_MASKS = { IPv4: 24, IPv6: 64 } as const;

/**
 * Networks and masks go into one restart: with two networks the mask flag without a family is fatal, and with one that of the other family. No step where Node
 * IPAM is off, and none on the way back where no Pod shows the flags, because then nothing can be watched for: `unseenManager` tells it.
 */
export function managerSteps(wanted: Wanted, facts: ClusterFacts, own: UnmanagedFacts): readonly Step[] {
  if (!usesNodeIPAM(own, facts)) return [];
  const pods = podsOf(own.managerPods);
  if (pods.length > 0) return pods.map((pod) => podStep(wanted, facts, pod));
  return wanted.direction === 'Back' ? [] : [unseenStep(wanted, facts)];
}

/** What the user is to do where nothing shows whether it is done; null: a step tells. */
export function unseenManager(wanted: Wanted, facts: ClusterFacts, own: UnmanagedFacts): string | null {
  const isUnseen = usesNodeIPAM(own, facts) && podsOf(own.managerPods).length === 0;
  if (!isUnseen || wanted.direction === 'Forward') return null;
  const target = wantedFlags(wanted, facts, null);
  return editText(target, flagChanges(target, null));
}

function wantedFlags(
  wanted: Wanted,
  { basics }: ClusterFacts,
  live: Readonly<Record<string, string>> | null,
): WantedFlags {
  const { families, pods, services } = wanted;
  const isDual = families.length > 1;
  return {
    'cluster-cidr': cidrList(families, pods).join(','),
    'service-cluster-ip-range': cidrList(families, services).join(','),
    ...(isDual ? dualMasks(wanted, live) : singleMasks(families[0] ?? 'IPv4')),
    ...gateFlags(basics.kubernetesVersion, isDual, live),
  };
}

const maskFlag = (family: Family): string => `node-cidr-mask-size-${family.toLowerCase()}`;

/** Those that are not the default, or are set already. */
function dualMasks({ nodeMask }: Wanted, live: Readonly<Record<string, string>> | null): WantedFlags {
  const masks = FAMILIES.flatMap((family) => {
    const [flag, mask] = [maskFlag(family), nodeMask[family]];
    const isNeeded = mask !== undefined && (mask !== DEFAULT_MASKS[family] || live === null || flag in live);
    return isNeeded ? [[flag, String(mask)] as const] : [];
  });
  return { ...Object.fromEntries(masks), 'node-cidr-mask-size': null };
}

const singleMasks = (primary: Family): WantedFlags => ({ [maskFlag(otherFamily(primary))]: null });

function podStep(wanted: Wanted, facts: ClusterFacts, pod: ComponentPod): Step {
  const target = wantedFlags(wanted, facts, pod.flags);
  const { where, changes, state, watches } = seenPod(pod, target, 'cluster-cidr');
  return step(wanted, where, target, changes, state, watches);
}

/** What a new Node is given is all that shows the flags of a process that nobody sees. */
function unseenStep(wanted: Wanted, facts: ClusterFacts): Step {
  const target = wantedFlags(wanted, facts, null);
  const shows = facts.nodes.find((node) => hasAll(wanted, node));
  const state: StepState =
    shows === undefined
      ? { is: 'Pending' }
      : { is: 'Satisfied', evidence: `Node ${shows.name} was given ${shows.podCIDRs.join(' and ')}` };
  const changes = shows === undefined ? flagChanges(target, null) : [];
  return step(wanted, null, target, changes, state, 'a Node that is given a pod CIDR of each family');
}

const hasAll = ({ families, pods }: Wanted, { podCIDRs }: NodeFacts): boolean =>
  families.every((family) => {
    const network = parseCidr(pods[family] ?? '');
    return podCIDRs.some((text) => {
      const held = parseCidr(text);
      return network.ok && held.ok && contains(network.value, held.value);
    });
  });

function step(
  wanted: Wanted,
  where: string | null,
  target: WantedFlags,
  changes: readonly Change[],
  state: StepState,
  watches: string,
): Step & StepBase & Handoff {
  const isDone = state.is === 'Satisfied';
  const edit = editText(target, changes) || 'restart kube-controller-manager';
  const show =
    where === null
      ? `; no Node that is there changes by that, so let a node join, or make one anew (NODE is its name): ${remakeNode('NODE', 'None', RESTART_KUBELET)}`
      : '';
  return {
    kind: 'Handoff',
    id: where === null ? 'controller-manager' : `controller-manager/${where}`,
    phase: 'ControllerManager',
    group: 'controller-manager',
    target: where === null ? 'kube-controller-manager' : `kube-controller-manager on ${where}`,
    why:
      wanted.direction === 'Forward'
        ? 'Nodes that join are given a pod CIDR of each family, and the masks decide how large.'
        : 'Nodes that join shall be given a pod CIDR of one family alone.',
    diff: isDone ? [] : changes,
    state,
    disrupts: { text: 'another instance takes the lead; nothing is scheduled anew meanwhile', seconds: [15, 65] },
    timeoutSeconds: 300,
    command: `on ${where ?? 'every host with a kube-controller-manager, those that do not lead first'}: ${edit} for kube-controller-manager, in one restart${show}`,
    watches,
    snippets: isDone ? [] : flagSnippets('kube-controller-manager', changes),
    // With one family it would not start again once a Node has two pod CIDRs, so nothing may give it one before.
    ...(where !== null || wanted.nodes.podCIDRs !== 'Keep' ? { holdsUp: true as const } : {}),
  };
}

/** Families of the first podCIDRs, which kube-controller-manager holds against its first network. */
export const firstFamily = ({ podCIDRs }: NodeFacts): Family | null => familyOf(podCIDRs[0]?.split('/')[0] ?? '');
