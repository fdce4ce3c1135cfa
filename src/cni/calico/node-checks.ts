import type { ClusterFacts, NodeFacts } from '../../model/facts.ts';
import { type Finding, finding } from '../../model/finding.ts';
import { listText } from '../../model/list-text.ts';
import type { Wanted } from '../../model/wanted.ts';
import { parseAddress } from '../../net/address.ts';
import { networkOf } from '../../net/cidr.ts';
import { remembered } from '../../net/remembered.ts';
import { type Family, isOfFamily, otherFamily } from '../../net/family.ts';
import { nodesWithout } from './agents.ts';
import { DAEMON_SET, poolsOf, type CalicoFacts, type CalicoNodeFacts, type ConfigFacts } from './facts.ts';
import { NAMES } from './family.ts';
import { optionsOf } from './options.ts';
import { agentNodes } from './rollout.ts';

/**
 * calico-node that searches for an address of the second family and finds none drops that of the first, while the Node stays Ready. Nodes whose
 * host has a usable address, and whose kubelet is about to be told of it, are no reason to warn.
 */
export function checkNodes(
  wanted: Wanted,
  facts: ClusterFacts,
  agent: CalicoNodeFacts,
  family: Family,
): readonly Finding[] {
  const primary = otherFamily(family);
  const { proof } = NAMES[primary];
  const live = agent.env[NAMES[family].address];
  const looks = live?.is === 'Value' && live.value === 'autodetect';
  const lacking = nodesWithout(family, facts, agent).filter((node) => !willHave(family, wanted, node));
  const lost = looks
    ? agentNodes(facts, agent).filter((node) => node.ready && node.annotations[proof] === undefined)
    : [];
  return [
    ...(lacking.length === 0
      ? []
      : [
          finding('NodesWithoutFamily', DAEMON_SET, ['CNIAgents'], {
            message: `${listText(lacking.map((node) => node.name))}: no ${family} InternalIP; with ${NAMES[family].address}=autodetect calico-node would take down ${primary} there too`,
            remedy: `Give each host an ${family} address and its kubelet --node-ip with both, or remove the Node.`,
          }),
        ]),
    ...lost.map((node) =>
      finding('CNILostPrimary', { apiVersion: 'v1', kind: 'Node', name: node.name }, [], {
        message: `Node ${node.name} is Ready but has lost ${proof}: its pods are cut off from other nodes`,
        remedy: `Give it an ${family} InternalIP, then delete its calico-node pod; see: kubectl -n kube-system get pods -l k8s-app=calico-node --field-selector spec.nodeName=${node.name}`,
      }),
    ),
  ];
}

function willHave(family: Family, wanted: Wanted, { agent }: NodeFacts): boolean {
  const report = agent?.report;
  if (wanted.nodes.nodeIP === 'Leave' || report === undefined || report === null) return false;
  return report.addresses.some(
    ({ address, scope, flags }) =>
      isOfFamily(address, family) &&
      (scope === 'Global' || scope === 'UniqueLocal') &&
      !flags.some((flag) => ['tentative', 'dadfailed', 'deprecated', 'temporary'].includes(flag)),
  );
}

/** Routes without encapsulation reach only nodes on the same link; that different networks are different links is a guess. */
export function checkLinks(
  wanted: Wanted,
  facts: ClusterFacts,
  own: CalicoFacts,
  config: ConfigFacts,
  agent: CalicoNodeFacts,
  family: Family,
): readonly Finding[] {
  const encapsulation = optionsOf(wanted.options).pool?.encapsulation ?? 'Auto';
  const usesVXLAN = poolsOf(own, otherFamily(family)).some((pool) => !pool.disabled && pool.vxlanMode !== 'Never');
  const isRouted = config.backend === 'bird' && (encapsulation === 'None' || (encapsulation === 'Auto' && !usesVXLAN));
  if (!isRouted) return [];
  const links = new Set(agentNodes(facts, agent).flatMap((node) => linksOf(node, family)));
  if (links.size < 2) return [];
  const where = `Nodes have ${family} addresses in ${links.size} networks (${listText([...links])})`;
  return [
    finding('NodesOnDifferentLinks', null, [], {
      message:
        family === 'IPv6'
          ? `${where}; IPIP carries no IPv6, so pod traffic between them is routed as it is`
          : `${where}, and pod traffic between them is routed as it is, as that of IPv6`,
      remedy: `See that the routers between them know the pod network (BGP), or set spec.calico.pool.encapsulation: ${family === 'IPv6' ? 'VXLANCrossSubnet' : 'IPIPCrossSubnet'}.`,
    }),
  ];
}

/** The networks of a Node's addresses: IPv6 by the usual /64, IPv4 by the prefix that its host reports. */
function linksOf({ internalIPs, agent }: NodeFacts, family: Family): readonly string[] {
  const own = internalIPs.filter((text) => isOfFamily(text, family));
  if (family === 'IPv6') return own.flatMap(usualLinkOf);
  return own.flatMap((text) => {
    const prefix = agent?.report?.addresses.find(({ address }) => address === text)?.prefixLength;
    return prefix === undefined ? [] : linkOf(text, prefix);
  });
}

const linkOf = (text: string, prefix: number): readonly string[] => {
  const address = parseAddress(text);
  return address.ok ? [networkOf(address.value, prefix).text] : [];
};

const usualLinkOf = remembered((text: string) => linkOf(text, 64));
