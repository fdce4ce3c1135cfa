import type { ClusterFacts } from '../../model/facts.ts';
import { sameRange } from '../../model/networks.ts';
import type { Phase } from '../../model/phase.ts';
import type { Step, StepState } from '../../model/step.ts';
import type { Wanted } from '../../model/wanted.ts';
import type { Controller, K0sFacts } from './facts.ts';
import { clusterSettings, controllersOf, flagOf } from './network.ts';
import { neededPods } from './order.ts';

/** Seconds of leading after which Node IPAM has taken its flags: a bad one ends the process within a second of leading. */
export const PROOF_SECONDS = 30;
/** Seconds after a change within which k0s has long restarted the controller manager, if there was anything to restart it for. */
const SETTLED_SECONDS = 600;
/** Seconds without a sign of life: a change of leader takes up to 65. */
const DOWN_SECONDS = 120;

/** Nobody leads although somebody did: as when `--cluster-cidr` does not fit the Nodes and every instance ends. */
export function managerIsDown({ lease }: K0sFacts, now: number): boolean {
  if (!lease.known || lease.value === null) return false;
  const renewed = Date.parse(lease.value.renewedAt);
  return Number.isNaN(renewed) || now - renewed > DOWN_SECONDS * 1000;
}

/** k0s restarts the controller manager by itself; that one leads for a while proves that it took its flags. */
export function managerSteps(wanted: Wanted, facts: ClusterFacts, own: K0sFacts, isReady: boolean): readonly Step[] {
  if (controllersOf(own).length === 0) return [];
  const proof = stateOf(wanted, facts, own);
  return [
    {
      kind: 'WaitFor',
      id: 'controller-manager/lease',
      phase: phaseOf(wanted, own),
      group: 'controller-manager-lease',
      target: 'Lease kube-system/kube-controller-manager',
      why: 'Only an instance that has led for a while proves that Node IPAM takes the networks and masks.',
      diff: [],
      state: isReady || proof.is === 'Unknown' ? proof : { is: 'Pending' },
      disrupts: null,
      timeoutSeconds: 300,
      what: 'a kube-controller-manager with the wanted networks leads for 30 s',
    },
  ];
}

/** With static configuration the file that changes it is the controllers', whose turn comes last on the way back. */
const phaseOf = ({ direction }: Wanted, own: K0sFacts): Phase =>
  direction === 'Back' && clusterSettings(own) === null ? 'APIServer' : 'ControllerManager';

function stateOf(wanted: Wanted, facts: ClusterFacts, own: K0sFacts): StepState {
  const behind = controllersOf(own).find((controller) => !hasNetworks(wanted, facts, controller));
  if (behind !== undefined) {
    const live = flagOf(behind, 'kube-controller-manager', 'cluster-cidr');
    return {
      is: 'InProgress',
      why:
        live === undefined
          ? `kube-controller-manager does not run on ${behind.name}`
          : `kube-controller-manager on ${behind.name} runs with --cluster-cidr=${live}`,
    };
  }
  if (!own.lease.known) return { is: 'Unknown', why: own.lease.why };
  return own.lease.value === null ? aloneState(own, facts.at) : leaderState(own, own.lease.value, facts.at);
}

/** True also where nobody sees the process: then the Lease alone has to do. */
function hasNetworks(wanted: Wanted, facts: ClusterFacts, controller: Controller): boolean {
  if (controller.report === null) return true;
  const live = flagOf(controller, 'kube-controller-manager', 'cluster-cidr');
  return sameRange(live, neededPods(wanted, facts.nodes).join(','));
}

/** `k0s controller --single` runs without leader election, so there is no Lease; it always has a kubelet, so an agent sees the process. */
function aloneState(own: K0sFacts, now: number): StepState {
  const [only] = controllersOf(own);
  const running = only?.report?.running['kube-controller-manager'] ?? null;
  if (only === undefined || running === null || running.args['leader-elect'] !== 'false') {
    return { is: 'InProgress', why: 'there is no Lease yet' };
  }
  return (now - Date.parse(running.startedAt)) / 1000 >= PROOF_SECONDS
    ? { is: 'Satisfied', evidence: `it runs without leader election since ${running.startedAt}` }
    : { is: 'InProgress', why: `it runs for less than ${PROOF_SECONDS} s` };
}

function leaderState(own: K0sFacts, lease: NonNullable<LeaseValue>, now: number): StepState {
  if (managerIsDown(own, now))
    return { is: 'InProgress', why: `${lease.holder} renewed it last at ${lease.renewedAt}` };
  const held = (Date.parse(lease.renewedAt) - Date.parse(lease.acquiredAt)) / 1000;
  if (held < PROOF_SECONDS) {
    return { is: 'InProgress', why: `${lease.holder} holds it for less than ${PROOF_SECONDS} s` };
  }
  const changed = own.clusterConfig.known ? own.clusterConfig.value?.changedAt : null;
  const isNewer = changed == null || Date.parse(lease.acquiredAt) >= Date.parse(changed);
  const isSettled = changed != null && now - Date.parse(changed) >= SETTLED_SECONDS * 1000;
  return clusterSettings(own) === null || isNewer || isSettled
    ? { is: 'Satisfied', evidence: `${lease.holder} holds it since ${lease.acquiredAt}` }
    : { is: 'InProgress', why: `${lease.holder} took it before ClusterConfig kube-system/k0s was changed` };
}

type LeaseValue = Extract<K0sFacts['lease'], { readonly known: true }>['value'];
