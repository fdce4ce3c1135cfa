import type { ClusterFacts, NodeFacts } from '../../model/facts.ts';
import { MANAGER_LEASE } from '../../model/manager-lease.ts';
import type { Step, StepState } from '../../model/step.ts';
import { isSatisfied } from '../../model/step.ts';
import { otherFamily } from '../../net/family.ts';
import { cidrList, type Wanted } from '../../model/wanted.ts';
import type { KubeadmFacts } from './facts.ts';
import { type FlagPlan, isMet, restored } from './flag-plan.ts';
import { flagOf, type Instance, instancesOf } from './instances.ts';
import { isHeldBy, type Led, leaseProof } from './lease.ts';
import { isBegun, startedFirst } from './order.ts';
import { keepSpelling } from './ranges.ts';
import { staticPodStep } from './static-pod-step.ts';

const GROUP = 'controller-manager';
const MASK_FLAGS = { IPv4: 'node-cidr-mask-size-ipv4', IPv6: 'node-cidr-mask-size-ipv6' } as const;
/** The mask flag from before there were two families; a dual-stack controller manager exits when it is set. */
const LEGACY_MASK = 'node-cidr-mask-size';
/** What kube-controller-manager takes without being told. */
export const DEFAULT_MASKS = { IPv4: 24, IPv6: 64 } as const;
const DEFAULTS = { [MASK_FLAGS.IPv4]: '24', [MASK_FLAGS.IPv6]: '64' };

/** Longer than a Lease lives after its holder was kept from renewing it (15 s), with room for the next one to take it. */
const TRANSFER_SECONDS = 60;

interface Edit extends Led {
  readonly node: NodeFacts;
  readonly plan: FlagPlan;
  readonly step: Step;
}

/**
 * Node IPAM checks its flags only in the leader, so a bad value would pass unseen on every standby. Hence: one standby first; it must lead and
 * hold the Lease for a while; only then the others, the old leader last.
 */
export function controllerManagerSteps(wanted: Wanted, facts: ClusterFacts, own: KubeadmFacts): readonly Step[] {
  const edits = orderedEdits(wanted, facts, own);
  if (edits.length === 0) return [];
  const proof = leaseProof(own.lease, edits, facts.at);
  const allEdited = edits.every(({ step }) => isSatisfied(step));
  const last = leaseStep(proof, allEdited);
  if (edits.length === 1 || !facts.leaseTransfer) return [...edits.map(({ step }) => step), last];

  const begun = edits.filter(({ step }) => isBegun(step)).length;
  const head = edits.slice(0, Math.max(begun, 1));
  return [
    ...head.map(({ step }) => step),
    transferStep(facts, own, { all: edits, head }, proof),
    ...edits.slice(head.length).map(({ step }) => step),
    last,
  ];
}

function orderedEdits(wanted: Wanted, facts: ClusterFacts, own: KubeadmFacts): readonly Edit[] {
  const edits = instancesOf(own.instances, 'kube-controller-manager').flatMap((instance): readonly Edit[] => {
    const node = facts.nodes.find((candidate) => candidate.name === instance.node);
    if (node === undefined) return [];
    const plan = managerPlan(wanted, instance, node);
    const hostname = node.agent?.report?.hostname ?? node.name;
    return [
      { instance, node, plan, hostname, met: isMet(instance, plan), step: managerStep(wanted, instance, node, plan) },
    ];
  });
  const holder = own.lease.known ? own.lease.value?.holder : undefined;
  const leaderLast = edits.toSorted((a, b) => Number(isHeldBy(holder, a)) - Number(isHeldBy(holder, b)));
  const order = startedFirst(leaderLast.map(({ step }) => step));
  return leaderLast.toSorted((a, b) => order.indexOf(a.step) - order.indexOf(b.step));
}

function managerStep(wanted: Wanted, instance: Instance, node: NodeFacts, plan: FlagPlan): Step {
  return staticPodStep(
    { instance, node, plan },
    {
      phase: 'ControllerManager',
      group: GROUP,
      why:
        wanted.direction === 'Forward'
          ? 'Nodes that join get a pod network of each family only from a controller manager that knows both; networks and masks must change in one restart.'
          : 'A controller manager must not give out networks of the family that leaves.',
      disrupts: { text: 'controllers pause until the Lease is held again', seconds: [30, 65] },
    },
  );
}

/** What the flags of one controller manager shall be. */
export function managerPlan(wanted: Wanted, instance: Instance, node: NodeFacts): FlagPlan {
  if (wanted.direction === 'Forward') return forwardPlan(wanted, instance);
  return restored(node.agent?.report?.recorded.staticPods?.['kube-controller-manager'], backPlan(wanted, instance));
}

function forwardPlan(wanted: Wanted, instance: Instance): FlagPlan {
  if (!runsNodeIPAM(instance)) return { set: liveRanges(wanted, instance), absent: [], defaults: {} };
  const masks = wanted.families.flatMap((family) => {
    const mask = wanted.nodeMask[family];
    return mask === undefined ? [] : [[MASK_FLAGS[family], String(mask)] as const];
  });
  return {
    set: { ...ranges(wanted, instance), ...Object.fromEntries(masks) },
    absent: [LEGACY_MASK],
    defaults: DEFAULTS,
  };
}

/** Without a record: one family of what is there, and no mask of the family that leaves, which one family alone does not stand. */
function backPlan(wanted: Wanted, instance: Instance): FlagPlan {
  const leaving = wanted.families.length === 1 ? wanted.families.map(otherFamily) : [];
  const set = runsNodeIPAM(instance) ? ranges(wanted, instance) : liveRanges(wanted, instance);
  return { set, absent: leaving.map((family) => MASK_FLAGS[family]), defaults: {} };
}

/** Without Node IPAM nothing reads these flags, so only those that are set are kept true. */
const liveRanges = (wanted: Wanted, instance: Instance): Readonly<Record<string, string>> =>
  Object.fromEntries(
    Object.entries(ranges(wanted, instance)).filter(([flag]) => (flagOf(instance, flag) ?? '') !== ''),
  );

const ranges = (wanted: Wanted, instance: Instance): Readonly<Record<string, string>> => ({
  'cluster-cidr': keepSpelling(flagOf(instance, 'cluster-cidr'), cidrList(wanted.families, wanted.pods)),
  'service-cluster-ip-range': keepSpelling(
    flagOf(instance, 'service-cluster-ip-range'),
    cidrList(wanted.families, wanted.services),
  ),
});

/** Node IPAM gives Nodes their podCIDRs. It runs only when it is asked for. */
export const runsNodeIPAM = (instance: Instance): boolean => flagOf(instance, 'allocate-node-cidrs') === 'true';

/** `head`: the instances that are changed before the Lease passes. */
interface Managers {
  readonly all: readonly Edit[];
  readonly head: readonly Edit[];
}

function transferStep(facts: ClusterFacts, own: KubeadmFacts, managers: Managers, proof: StepState): Step {
  const { head } = managers;
  const candidate = head.find(({ step }) => isSatisfied(step)) ?? head[0];
  const holderPrefix = `${candidate?.hostname ?? ''}_`;
  return {
    kind: 'TransferLease',
    id: `${GROUP}/transfer-lease`,
    phase: 'ControllerManager',
    group: 'controller-manager-lease',
    target: `Lease kube-system/kube-controller-manager`,
    why: 'Node IPAM checks its flags only in the leader: the first instance with the new flags must lead before another is changed.',
    diff: [],
    state: transferState(facts, own, managers, candidate, proof),
    disrupts: { text: 'controllers pause until the new leader has started them', seconds: [5, 30] },
    timeoutSeconds: 300,
    lease: MANAGER_LEASE,
    holderPrefix,
    forSeconds: TRANSFER_SECONDS,
  };
}

function transferState(
  facts: ClusterFacts,
  own: KubeadmFacts,
  { all, head }: Managers,
  candidate: Edit | undefined,
  proof: StepState,
): StepState {
  if (proof.is === 'Satisfied' || proof.is === 'Unknown') return proof;
  if (candidate === undefined || !isSatisfied(candidate.step)) return { is: 'Pending' };
  const holder = own.lease.known ? own.lease.value?.holder : undefined;
  if (head.some((edit) => edit.met && isHeldBy(holder, edit))) return proof;
  // A wrong name would shut out every instance, so the names of the hosts count only where the holder of now has one of them.
  if (!all.some((edit) => isHeldBy(holder, edit))) {
    const names = all.map(({ hostname }) => hostname).join(', ');
    return { is: 'InProgress', why: `the Lease is held by ${holder || 'nobody'}, which is none of the hosts ${names}` };
  }
  const asked = own.transfer;
  const isUnderWay = asked?.holderPrefix === `${candidate.hostname}_` && Date.parse(asked.until) > facts.at;
  return isUnderWay ? { is: 'InProgress', why: `the Lease is still held by ${holder || 'nobody'}` } : { is: 'Pending' };
}

function leaseStep(proof: StepState, allEdited: boolean): Step {
  return {
    kind: 'WaitFor',
    id: `${GROUP}/lease`,
    phase: 'ControllerManager',
    group: 'controller-manager-lease',
    target: 'Lease kube-system/kube-controller-manager',
    why: 'Only an instance that has led for a while proves that Node IPAM takes the new flags.',
    diff: [],
    state: allEdited || proof.is === 'Unknown' ? proof : { is: 'Pending' },
    disrupts: null,
    timeoutSeconds: 300,
    what: 'the Lease is held for 30 s by an instance with the wanted flags',
  };
}
