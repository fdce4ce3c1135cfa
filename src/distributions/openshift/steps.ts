import type { ClusterFacts } from '../../model/facts.ts';
import type { Change, Step, StepState } from '../../model/step.ts';
import { cidrList, type Wanted } from '../../model/wanted.ts';
import { sameRange } from '../../model/networks.ts';
import type { NetworkFacts, NetworkLists, OpenShiftFacts } from './facts.ts';
import { liveFamilies, networkFacts } from './network.ts';
import { behind } from './nodes.ts';
import { changesTo, patchCommand, patchTo, targetLists } from './patch.ts';

/**
 * OpenShift converts itself: the user asks its cluster-network-operator, which hands the networks on to the other operators, and the
 * machine-config-operator gives the kubelets both addresses and reboots the nodes. Both steps are of the phase NodeIPs, because it is from them that Nodes
 * get their address of a second family: nothing that needs one may stand before.
 */
export function steps(wanted: Wanted, facts: ClusterFacts, own: OpenShiftFacts): readonly Step[] {
  const live = networkFacts(own);
  const isNamed = wanted.families.every(
    (family) => wanted.pods[family] !== undefined && wanted.services[family] !== undefined,
  );
  // Without networks there is nothing to ask OpenShift for; the checks tell which are missing.
  if (live === null || liveFamilies(own) === null || !isNamed) return [];
  const target = targetLists(wanted, live.spec);
  const changes = changesTo(target, live.spec);
  const state = networkState(live, target, changes, own);
  return [networkStep(wanted, facts, live, target, changes, state), rollOutStep(wanted, facts, own, state)];
}

function networkStep(
  wanted: Wanted,
  facts: ClusterFacts,
  live: NetworkFacts,
  target: NetworkLists,
  changes: readonly Change[],
  state: StepState,
): Step {
  const count = facts.nodes.length;
  return {
    kind: 'Handoff',
    id: 'openshift/network',
    phase: 'NodeIPs',
    group: 'openshift-network',
    target: 'Network cluster',
    why:
      wanted.direction === 'Forward'
        ? "OpenShift's cluster-network-operator adds the family to the cluster, and puts back what anybody else changes of its components."
        : "OpenShift's cluster-network-operator takes the family out of the cluster.",
    diff: changes,
    state,
    disrupts: {
      text: 'API servers and OVN-Kubernetes restart one after the other, and then every node is drained and rebooted, as the MachineConfigPools allow',
      seconds: [300 * Math.max(1, count), 900 * Math.max(1, count)],
    },
    // The operator writes the status in its next pass; what is in its way it tells within ten minutes (`Degraded`).
    timeoutSeconds: 600,
    command: patchCommand('network.config.openshift.io', patchTo(target, live.spec)),
    watches: `status of Network cluster with clusterNetwork ${cidrList(wanted.families, wanted.pods).join(', ')} and serviceNetwork ${cidrList(wanted.families, wanted.services).join(', ')}`,
    holdsUp: true,
  };
}

const podNetworks = (lists: NetworkLists): string => lists.clusterNetwork.map(({ cidr }) => cidr).join(',');

function networkState(
  { status }: NetworkFacts,
  target: NetworkLists,
  changes: readonly Change[],
  own: OpenShiftFacts,
): StepState {
  if (changes.length > 0) return { is: 'Pending' };
  const isTaken =
    sameRange(podNetworks(status), podNetworks(target)) &&
    sameRange(status.serviceNetwork.join(','), target.serviceNetwork.join(','));
  if (isTaken) {
    return {
      is: 'Satisfied',
      evidence: `Network cluster runs with ${podNetworks(status)} and ${status.serviceNetwork.join(',')}`,
    };
  }
  return { is: 'InProgress', why: `the cluster-network-operator has not taken it over${saidBy('network', own)}` };
}

function saidBy(name: string, { operators }: OpenShiftFacts): string {
  const operator = operators.known ? operators.value.find((each) => each.name === name) : undefined;
  return operator === undefined || operator.message === '' ? '' : `: ${operator.message}`;
}

function rollOutStep(wanted: Wanted, facts: ClusterFacts, own: OpenShiftFacts, asked: StepState): Step {
  return {
    kind: 'WaitFor',
    id: 'openshift/roll-out',
    phase: 'NodeIPs',
    group: 'openshift-roll-out',
    target: "OpenShift's operators and nodes",
    why: 'What is asked of the network reaches the API servers, OVN-Kubernetes and the kubelets one after the other, with a reboot of each node.',
    diff: [],
    state: asked.is === 'Satisfied' ? rollOutState(wanted, facts, own) : { is: 'Pending' },
    disrupts: null,
    // An hour for the API servers, and for each node what draining and booting a real machine takes.
    timeoutSeconds: 3600 + 1800 * facts.nodes.length,
    what: `ClusterOperators are neither progressing nor degraded, and every Node has ${wanted.families.join(' and ')}${wanted.families.length === 1 ? ' alone' : ''}`,
  };
}

function rollOutState(wanted: Wanted, facts: ClusterFacts, own: OpenShiftFacts): StepState {
  if (!own.operators.known) return { is: 'Unknown', why: own.operators.why };
  const busy = own.operators.value.find(({ progressing, degraded }) => progressing || degraded);
  if (busy !== undefined) {
    return {
      is: 'InProgress',
      why: `ClusterOperator ${busy.name} is ${busy.degraded ? 'degraded' : 'progressing'}: ${busy.message}`,
    };
  }
  const services = cidrList(wanted.families, wanted.services).join(',');
  const held = own.serviceCIDR.known ? (own.serviceCIDR.value ?? []).join(',') : '';
  if (wanted.direction === 'Forward' && held !== '' && !sameRange(held, services)) {
    return { is: 'InProgress', why: `ServiceCIDR kubernetes holds ${held}, not yet ${services}` };
  }
  const late = facts.nodes.flatMap((node) => {
    const why = behind(wanted, node);
    return why === null ? [] : [{ node, why }];
  });
  const [first] = late;
  if (first === undefined) {
    return { is: 'Satisfied', evidence: `${facts.nodes.length} Nodes have ${wanted.families.join(' and ')}` };
  }
  const more = late.length > 1 ? `, and ${late.length - 1} more` : '';
  const isTolerated = late.every(({ node }) => !node.ready) && late.length <= wanted.tolerateUnavailable;
  return { is: isTolerated ? 'Deferred' : 'InProgress', why: `Node ${first.node.name} ${first.why}${more}` };
}
