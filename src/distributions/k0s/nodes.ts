import { stringify } from 'yaml';
import type { ClusterFacts, NodeFacts } from '../../model/facts.ts';
import { addressOfFamily, chooseAddress, familyOf } from '../../model/node-address.ts';
import type { Step, StepState } from '../../model/step.ts';
import type { Wanted } from '../../model/wanted.ts';
import { restartText } from './handoff.ts';

/**
 * One step for each node, workers first: its kubelet is told both addresses. k0s gives the kubelet its arguments from those of its own service, which
 * differ from host to host, so it is the user's to do. It comes before dual-stack is switched on: from then on a k0s that is not told works the addresses out
 * of the host's name, and does not start where that has only one (k0s docs: dual-stack, auto-detection).
 */
export function nodeSteps(wanted: Wanted, facts: ClusterFacts): readonly Step[] {
  const away = facts.nodes.filter((node) => !node.ready).length;
  return facts.nodes
    .filter((node) => node.labels['kubernetes.io/os'] !== 'windows')
    .toSorted((a, b) => Number(a.controlPlane) - Number(b.controlPlane) || (a.name < b.name ? -1 : 1))
    .map((node) => nodeStep(wanted, node, away <= wanted.tolerateUnavailable));
}

function nodeStep(wanted: Wanted, node: NodeFacts, tolerated: boolean): Step {
  const nodeIP = wanted.families.map((family) => chooseAddress(node, family) ?? `<its ${family} address>`).join(',');
  const before = node.agent?.report?.kubelet.running?.args['node-ip'] ?? null;
  const state = stateOf(wanted, node, tolerated);
  const isDone = state.is === 'Satisfied';
  const service = runsController(node) ? 'k0scontroller' : 'k0sworker';
  const argument = `--kubelet-extra-args=--node-ip=${nodeIP}`;
  return {
    kind: 'Handoff',
    id: `node-ips/${node.name}`,
    phase: 'NodeIPs',
    group: 'node-ips',
    target: `kubelet on ${node.name}`,
    why:
      wanted.direction === 'Forward'
        ? 'A Node has an address of a second family only when its kubelet is told both.'
        : 'The Node shall have an address of the wanted family alone.',
    diff: isDone || before === nodeIP ? [] : [{ path: '--node-ip', before, after: nodeIP }],
    state,
    disrupts: {
      text: `the kubelet and containerd on ${node.name} restart; its pods go on, Services may leave them out for some seconds`,
      seconds: [5, 30],
    },
    timeoutSeconds: 300,
    node: node.name,
    command: `on ${node.name}: give ${service} the argument ${argument} (beside what --kubelet-extra-args has there already): systemctl edit --full ${service}; then ${restartText(service)}. With k0sctl: add it to installFlags of that host and run k0sctl apply --config k0sctl.yaml.`,
    watches: `Node ${node.name} with an InternalIP of ${wanted.families.join(' and ')}${wanted.families.length === 1 ? ' alone' : ''}`,
    snippets: isDone ? [] : [{ file: `k0sctl.yaml, host ${node.name}`, text: stringify({ installFlags: [argument] }) }],
    ...(wanted.direction === 'Forward' ? { holdsUp: true as const } : {}),
  };
}

const runsController = ({ controlPlane, agent }: NodeFacts): boolean =>
  controlPlane || agent?.report?.k0s !== undefined;

function stateOf(wanted: Wanted, node: NodeFacts, tolerated: boolean): StepState {
  const evidence = node.internalIPs.length > 0 ? `Node has ${node.internalIPs.join(' and ')}` : 'Node has no address';
  const missing = wanted.families.filter((family) => addressOfFamily(node.internalIPs, family) === undefined);
  const isExtra = node.internalIPs.some((address) => {
    const family = familyOf(address);
    return family !== null && !wanted.families.includes(family);
  });
  if (missing.length === 0 && !isExtra) return { is: 'Satisfied', evidence };
  if (wanted.nodes.nodeIP === 'Leave') {
    return { is: 'Satisfied', evidence: `spec.nodes.nodeIP is Leave: ${evidence}` };
  }
  if (!node.ready && tolerated) return { is: 'Deferred', why: `Node ${node.name} is not ready` };
  if (isLeftToCloud(node)) {
    return { is: 'Deferred', why: `a cloud provider gives Node ${node.name} its addresses` };
  }
  const hasReport = (node.agent?.report ?? null) !== null;
  const unfound = missing.filter((family) => chooseAddress(node, family) === null);
  return hasReport && unfound.length > 0
    ? { is: 'Deferred', why: `the host of ${node.name} has no usable ${unfound.join(' and ')} address` }
    : { is: 'Pending' };
}

/** The running kubelet tells; only where nobody sees it does the provider's id of the Node have to do. */
function isLeftToCloud({ agent, providerID }: NodeFacts): boolean {
  const args = agent?.report?.kubelet.running?.args;
  return args === undefined ? providerID !== '' : (args['cloud-provider'] ?? '') !== '';
}
