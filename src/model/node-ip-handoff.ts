import type { ClusterFacts, NodeFacts } from './facts.ts';
import { addressOfFamily, chooseAddress, familyOf } from './node-address.ts';
import type { Handoff, Step, StepState } from './step.ts';
import type { Wanted } from './wanted.ts';

/** How a kubelet is told its addresses, where nobody but the user can do it. */
interface NodeIPTold extends Pick<Handoff, 'command' | 'snippets'> {
  /** What it interrupts. */
  readonly interrupts: string;
}

/**
 * One step for each node, workers first: its kubelet is told both addresses by the user, and its Node shows that it was.
 *
 * @param tell Gets the node and the value of `--node-ip`.
 */
export function nodeIPHandoffs(
  wanted: Wanted,
  facts: ClusterFacts,
  tell: (node: NodeFacts, nodeIP: string) => NodeIPTold,
): readonly Step[] {
  const away = facts.nodes.filter((node) => !node.ready).length;
  return facts.nodes
    .filter((node) => node.labels['kubernetes.io/os'] !== 'windows')
    .toSorted((a, b) => Number(a.controlPlane) - Number(b.controlPlane) || (a.name < b.name ? -1 : 1))
    .map((node) => handoff(wanted, node, away <= wanted.tolerateUnavailable, tell));
}

function handoff(
  wanted: Wanted,
  node: NodeFacts,
  tolerated: boolean,
  tell: (node: NodeFacts, nodeIP: string) => NodeIPTold,
): Step {
  const nodeIP = wanted.families.map((family) => chooseAddress(node, family) ?? `<its ${family} address>`).join(',');
  const before = node.agent?.report?.kubelet.running?.args['node-ip'] ?? null;
  const state = stateOf(wanted, node, tolerated);
  const isDone = state.is === 'Satisfied';
  const { command, snippets, interrupts } = tell(node, nodeIP);
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
    disrupts: { text: interrupts, seconds: [5, 30] },
    timeoutSeconds: 300,
    node: node.name,
    command,
    watches: `Node ${node.name} with an InternalIP of ${wanted.families.join(' and ')}${wanted.families.length === 1 ? ' alone' : ''}`,
    snippets: isDone ? [] : (snippets ?? []),
    ...(wanted.direction === 'Forward' ? { holdsUp: true as const } : {}),
  };
}

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
