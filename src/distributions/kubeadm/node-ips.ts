import type { ClusterFacts, NodeFacts } from '../../model/facts.ts';
import { hasDrifted, type HostReport, type HostSettings } from '../../model/host.ts';
import type { Change, Step, StepState } from '../../model/step.ts';
import type { Family } from '../../net/family.ts';
import type { Wanted } from '../../model/wanted.ts';
import { addressOfFamily, chooseAddress, familyOf } from '../../model/node-address.ts';
import { oncePer, oncePerText } from '../../model/once.ts';
import { startedFirst } from './order.ts';

const FORWARDING = { IPv4: 'net.ipv4.ip_forward', IPv6: 'net.ipv6.conf.all.forwarding' } as const;

/** One step per node, workers first: a mistake shows where it hurts least. Made once for a plan, which has steps and findings of them. */
export const nodeIPSteps: (wanted: Wanted, facts: ClusterFacts) => readonly Step[] = oncePer((wanted, facts) => {
  const nodes = facts.nodes
    .filter((node) => node.labels['kubernetes.io/os'] !== 'windows')
    .toSorted((a, b) => Number(a.controlPlane) - Number(b.controlPlane) || (a.name < b.name ? -1 : 1));
  const away = facts.nodes.filter((node) => !node.ready).length;
  const { direction, families } = wanted;
  const rules: Rules = {
    direction,
    families,
    nodes: { nodeIP: wanted.nodes.nodeIP },
    tolerated: away <= wanted.tolerateUnavailable,
  };
  const text = JSON.stringify(rules);
  return startedFirst(nodes.map((node) => stepOf(node, rules, text)));
});

/** All that decides on a step beside the node itself. */
interface Rules extends Pick<Wanted, 'direction' | 'families'> {
  readonly nodes: Pick<Wanted['nodes'], 'nodeIP'>;
  /** No more nodes are away than may be. */
  readonly tolerated: boolean;
}

/** Of facts that are the same from one pass to the next the step is made once. */
const stepOf = oncePerText(nodeIPStep);

function nodeIPStep(node: NodeFacts, wanted: Rules): Step {
  const goal = wanted.direction === 'Forward' ? forwardGoal(wanted, node) : backGoal(wanted, node);
  const restarts = goal.settings.kubelet !== undefined || goal.settings.absent !== undefined;
  const state = stateOf(goal, node, wanted.tolerated);
  return {
    kind: 'EditHost',
    id: `node-ips/${node.name}`,
    phase: 'NodeIPs',
    group: 'node-ips',
    target: `kubelet on ${node.name}`,
    why:
      wanted.direction === 'Forward'
        ? 'A Node has an address of a second family only when its kubelet is told both, and passes on packets only with forwarding on.'
        : 'The Node shall have an address of the wanted family alone.',
    diff: goal.diff,
    state,
    // A kubelet that starts may tell its Node as not ready at first, and the node lifecycle controller then does so for the pods.
    disrupts: restarts
      ? {
          text: `the kubelet on ${node.name} restarts; its pods go on, Services may leave them out for a second`,
          seconds: [1, 5],
        }
      : null,
    timeoutSeconds: 300,
    node: node.name,
    settings: goal.settings,
    again: state.is === 'Pending' && hasDrifted(node.agent),
  };
}

interface Goal {
  readonly settings: HostSettings;
  readonly diff: readonly Change[];
  /** What has been seen, or null when something is still to be done. */
  readonly evidence: string | null;
  /** Why nothing can be asked of this host now. */
  readonly obstacle: string | null;
}

function stateOf(goal: Goal, node: NodeFacts, tolerated: boolean): StepState {
  if (goal.evidence !== null) return { is: 'Satisfied', evidence: goal.evidence };
  if (!node.ready && tolerated) return { is: 'Deferred', why: `Node ${node.name} is not ready` };
  const agent = node.agent;
  if (agent === null) return { is: 'Pending' };
  if (agent.report === null) return { is: 'Unknown', why: `the agent on ${node.name} has not reported yet` };
  if (goal.obstacle !== null && goal.diff.length === 0) return { is: 'Deferred', why: goal.obstacle };
  if (!isAsked(agent.spec, goal.settings) || hasDrifted(agent)) return { is: 'Pending' };
  const refused = agent.report.refused.find(
    (entry) => entry.component === 'kubelet' && entry.generation === agent.generation,
  );
  const failed = agent.conditions.find(
    (condition) =>
      condition.observedGeneration === agent.generation &&
      ((condition.type === 'RolledBack' && condition.status === 'True') ||
        (condition.type === 'Applied' && condition.status === 'False' && condition.reason === 'NotAllowed')),
  );
  if (refused !== undefined || failed !== undefined) {
    return {
      is: 'Failed',
      why: `the kubelet on ${node.name}: ${refused?.why ?? failed?.message ?? ''}`,
      remedy: `See the log of the kubelet on ${node.name} and DualStackNode ${node.name}, mend the cause, then change the spec to try again.`,
    };
  }
  const applied = agent.conditions.find((condition) => condition.type === 'Applied');
  return {
    is: 'InProgress',
    why:
      applied?.status === 'False'
        ? `the agent on ${node.name}: ${applied.message}`
        : `Node ${node.name} does not show it yet`,
  };
}

const isAsked = (spec: HostSettings, settings: HostSettings): boolean =>
  (settings.kubelet === undefined || settings.kubelet.nodeIPs.join(',') === (spec.kubelet?.nodeIPs ?? []).join(',')) &&
  Object.entries(settings.sysctls ?? {}).every(([name, value]) => spec.sysctls?.[name] === value) &&
  (settings.absent?.kubelet ?? []).every((flag) => spec.absent?.kubelet?.includes(flag) ?? false);

function forwardGoal(wanted: Rules, node: NodeFacts): Goal {
  const sysctls = forwardingSysctls(wanted.families, node);
  const missing = wanted.families.filter((family) => addressOfFamily(node.internalIPs, family) === undefined);
  const addresses = node.internalIPs.length > 0 ? `Node has ${node.internalIPs.join(' and ')}` : 'Node has no address';
  const settled = Object.keys(sysctls).length === 0;
  if (missing.length === 0) return sysctlGoal(sysctls, node, settled ? addresses : null, null);
  if (wanted.nodes.nodeIP === 'Leave') {
    const left = `spec.nodes.nodeIP is Leave: ${addresses}`;
    return sysctlGoal(sysctls, node, settled ? left : null, null);
  }
  if (isLeftToCloud(node)) {
    return sysctlGoal(sysctls, node, null, `the cloud provider gives Node ${node.name} its addresses`);
  }
  const script = node.agent?.report?.kubelet.nodeIPFrom;
  if (script !== undefined) {
    return sysctlGoal(sysctls, node, null, `a script on ${node.name} works --node-ip out (${script})`);
  }
  const pair = wanted.families.map((family) => chooseAddress(node, family));
  const complete = pair.flatMap((address) => address ?? []);
  if (complete.length < pair.length) {
    return sysctlGoal(sysctls, node, null, `the host of ${node.name} has no usable ${missing.join(' and ')} address`);
  }
  const before = runningNodeIP(node) ?? null;
  const after = complete.join(',');
  return {
    settings: { kubelet: { nodeIPs: complete }, ...(settled ? {} : { sysctls }) },
    diff: [...(before === after ? [] : [{ path: '--node-ip', before, after }]), ...sysctlDiff(sysctls, node)],
    evidence: null,
    obstacle: null,
  };
}

const sysctlGoal = (
  sysctls: Readonly<Record<string, string>>,
  node: NodeFacts,
  evidence: string | null,
  obstacle: string | null,
): Goal => ({
  settings: Object.keys(sysctls).length === 0 ? {} : { sysctls },
  diff: sysctlDiff(sysctls, node),
  evidence,
  obstacle,
});

/**
 * Sysctls that are not yet as they must be. A host that forwards no longer listens to router advertisements unless `accept_ra` is 2; where the
 * kernel learned its default route from one, that comes first, or the route is lost.
 */
function forwardingSysctls(families: readonly Family[], node: NodeFacts): Readonly<Record<string, string>> {
  const network = node.agent?.report?.network;
  if (network === undefined) return {};
  const route = network.defaultRoutes.IPv6;
  const listens = route?.learned === true && network.acceptRA[route.interface] === '1';
  return {
    ...(families.includes('IPv6') && listens ? { [`net.ipv6.conf.${route.interface}.accept_ra`]: '2' } : {}),
    ...Object.fromEntries(
      families.filter((family) => !network.forwarding[family]).map((family) => [FORWARDING[family], '1']),
    ),
  };
}

function sysctlDiff(sysctls: Readonly<Record<string, string>>, node: NodeFacts): readonly Change[] {
  return Object.entries(sysctls).flatMap(([path, after]) => {
    const before = liveSysctl(node.agent?.report?.network, path) ?? null;
    return before === after ? [] : [{ path, before, after }];
  });
}

function liveSysctl(network: HostReport['network'] | undefined, name: string): string | undefined {
  if (network === undefined) return undefined;
  if (name === FORWARDING.IPv4) return network.forwarding.IPv4 ? '1' : '0';
  if (name === FORWARDING.IPv6) return network.forwarding.IPv6 ? '1' : '0';
  const match = /^net\.ipv6\.conf\.(.+)\.accept_ra$/.exec(name);
  return match?.[1] === undefined ? undefined : network.acceptRA[match[1]];
}

/** Back to what the agent recorded. What it did not change, such as a pair that was there before it came, stays only if it is of the wanted family. */
function backGoal(wanted: Rules, node: NodeFacts): Goal {
  const report = node.agent?.report;
  const recorded = report?.recorded;
  const sysctls = Object.fromEntries(
    Object.entries(recorded?.sysctls ?? {}).filter(
      ([name, value]) => (liveSysctl(report?.network, name) ?? value) !== value,
    ),
  );
  const extra = node.internalIPs.filter((address) => !isWanted(wanted, address));
  const before = runningNodeIP(node) ?? null;
  const after = wanted.nodes.nodeIP === 'Leave' || isLeftToCloud(node) ? before : nodeIPBefore(wanted, node, before);
  const sysctlChanges = sysctlDiff(sysctls, node);
  const isBack = before === after && sysctlChanges.length === 0;
  const isLeft = extra.length === 0 || wanted.nodes.nodeIP === 'Leave' || isLeftToCloud(node);
  return {
    settings: {
      ...(after === null || before === after ? {} : { kubelet: { nodeIPs: after.split(',') } }),
      ...(after === null && before !== null ? { absent: { kubelet: ['node-ip'] } } : {}),
      ...(Object.keys(sysctls).length === 0 ? {} : { sysctls }),
    },
    diff: [...(before === after ? [] : [{ path: '--node-ip', before, after }]), ...sysctlChanges],
    evidence: isBack && isLeft ? `Node has ${node.internalIPs.join(' and ')}` : null,
    obstacle: null,
  };
}

/** The recorded value if it is of the wanted family; without a record, what is there of the wanted family. */
function nodeIPBefore(wanted: Rules, node: NodeFacts, now: string | null): string | null {
  const recorded = node.agent?.report?.recorded.kubelet;
  if (recorded !== undefined && (recorded.nodeIP === null || isAllWanted(wanted, recorded.nodeIP)))
    return recorded.nodeIP;
  if (now === null || isAllWanted(wanted, now)) return now;
  return now
    .split(',')
    .filter((address) => isWanted(wanted, address))
    .join(',');
}

const isAllWanted = (wanted: Rules, nodeIP: string): boolean =>
  nodeIP.split(',').every((address) => isWanted(wanted, address));

function isWanted(wanted: Rules, address: string): boolean {
  const family = familyOf(address);
  return family !== null && wanted.families.includes(family);
}

const runningNodeIP = (node: NodeFacts): string | undefined => {
  const nodeIP = node.agent?.report?.kubelet.running?.args['node-ip'];
  return nodeIP === '' ? undefined : nodeIP;
};

/**
 * With an external cloud provider the cloud controller writes the Node's addresses. The running kubelet tells; only where nobody sees it
 * does the provider's id of the Node have to do.
 */
export function isLeftToCloud(node: NodeFacts): boolean {
  const args = node.agent?.report?.kubelet.running?.args;
  if (args !== undefined) return (args['cloud-provider'] ?? '') !== '';
  return /^(aws|azure|gce|openstack|vsphere|hcloud|digitalocean|oci|ibm|alicloud|linode|vultr|scaleway|exoscale):/.test(
    node.providerID,
  );
}
