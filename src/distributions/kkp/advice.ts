import type { ClusterFacts, NodeFacts, ServiceFacts } from '../../model/facts.ts';
import type { Finding } from '../../model/finding.ts';
import { listText } from '../../model/list-text.ts';
import type { ObjectRef } from '../../model/object.ts';
import { type BalancerAnswer, balancerAnswer, type Site } from '../../providers/load-balancers.ts';
import { type Expectation, expectationOf } from '../../providers/expect.ts';
import { siteOf } from '../../providers/site.ts';
import { unreachable } from '../../result.ts';
import { providerOf } from './provider.ts';

const DOCS = 'https://docs.kubermatic.com/kubermatic/main/tutorials-howtos/networking/dual-stack';

/** What would be met in a new dual-stack cluster with machines and Services like those of this one. Warnings: nothing here hangs on them. */
export const adviceForNew = (facts: ClusterFacts): readonly Finding[] => [
  ...datacenter(facts),
  ...machines(facts),
  ...balancers(facts),
];

function datacenter({ nodes }: ClusterFacts): readonly Finding[] {
  const { name, datacenterFlag, isListed } = providerOf(nodes);
  if (!isListed) {
    return [
      warning(
        null,
        `KKP does not list ${name ?? 'the provider of these machines'} among the providers with dual-stack.`,
        `Try it with a cluster that nobody needs; the list: ${DOCS}`,
      ),
    ];
  }
  if (datacenterFlag === null) return [];
  return [
    warning(
      null,
      `KKP refuses a dual-stack Cluster on ${name ?? ''} unless ${datacenterFlag} is true for its datacenter in the Seed; that cannot be seen from here.`,
      `Ask who runs KKP: kubectl -n kubermatic get seeds -o yaml | grep ipv6Enabled`,
    ),
  ];
}

/** One finding for each kind of machine that KKP has not seen work. */
function machines({ nodes }: ClusterFacts): readonly Finding[] {
  const kinds = new Map<string, { readonly expectation: Expectation; readonly nodes: NodeFacts[] }>();
  for (const node of nodes) {
    const expectation = expectationOf(node);
    // Whoever brings machines configures them.
    if (expectation.cloud === null) continue;
    const kind = kinds.get(expectation.name) ?? { expectation, nodes: [] };
    kind.nodes.push(node);
    kinds.set(expectation.name, kind);
  }
  return [...kinds.values()].flatMap((kind) => machineAdvice(kind.expectation, kind.nodes));
}

function machineAdvice({ name, system, together }: Expectation, nodes: readonly NodeFacts[]): readonly Finding[] {
  const [first] = nodes;
  const where = `${nodes.length} ${nodes.length === 1 ? 'Node is' : 'Nodes are'} ${name}`;
  const object: ObjectRef | null = first === undefined ? null : { apiVersion: 'v1', kind: 'Node', name: first.name };
  const seen = together?.is ?? 'Untried';
  switch (seen) {
    case 'Works':
      return [];
    case 'Late':
      return [
        warning(
          object,
          `${where}: ${together?.says ?? ''}`,
          'Restart the kubelet or the machine when a new Node lacks its IPv6 address; `kubectl dualstack nodes` tells which do.',
        ),
      ];
    case 'Unreliable':
      return [
        warning(
          object,
          `${where}: ${together?.says ?? ''}`,
          'Choose another operating system for the machines of the new cluster.',
        ),
      ];
    case 'Untried':
      return [
        warning(
          object,
          `${where}${system === null ? ' with an operating system that is not known here' : ''}: KKP has not tried dual-stack there.`,
          `Try it with one machine, or choose a system that was tried: ${DOCS}`,
        ),
      ];
    default:
      return unreachable(seen);
  }
}

/** One finding for each limit, with the Services that meet it. */
function balancers({ nodes, services, basics }: ClusterFacts): readonly Finding[] {
  if (!services.known) return [];
  const site = siteOf(nodes, basics.kubernetesVersion);
  const limits = new Map<string, ServiceFacts[]>();
  for (const service of services.value.filter(({ type }) => type === 'LoadBalancer')) {
    const limit = limitOf(service, site);
    if (limit !== null) limits.set(limit, [...(limits.get(limit) ?? []), service]);
  }
  return [...limits].map(([limit, met]) => {
    const [first] = met;
    return warning(
      first === undefined ? null : { apiVersion: 'v1', kind: 'Service', namespace: first.namespace, name: first.name },
      `LoadBalancer Services in a dual-stack cluster there: ${limit} (${listText(met.map(({ namespace, name }) => `${namespace}/${name}`))}).`,
      'Keep them with one family, or reach the pods over IPv6 by Services of type NodePort.',
    );
  });
}

/** Null: an address of each family is to be had. */
function limitOf(service: ServiceFacts, site: Site): string | null {
  const answer: BalancerAnswer = balancerAnswer(service, site);
  switch (answer.is) {
    case 'Can':
      return null;
    case 'Needs':
      return `${answer.says}: annotation ${answer.annotation}`;
    case 'NeedsTogether':
      return `${answer.says}: annotation ${answer.key}`;
    case 'Cannot':
    case 'FirstOnly':
      return answer.says;
    case 'NotKnown':
      return (answer.ofCloud ? OF_KKP[site.cloud ?? 'none'] : undefined) ?? `it is not known ${answer.says}`;
    default:
      return unreachable(answer);
  }
}

/** What KKP's documentation says where clouds themselves have told nothing. */
const OF_KKP: Readonly<Record<string, string>> = {
  digitalocean: 'KKP supports none on DigitalOcean, of no family',
  gcp: 'its load balancers are of one family',
  vsphere: 'vSphere has none by itself; something like MetalLB is needed',
  none: 'machines that are brought have none by themselves; something like MetalLB is needed',
};

const warning = (object: ObjectRef | null, message: string, remedy: string): Finding => ({
  reason: 'PlatformUnsupported',
  object,
  message,
  remedy,
  blocks: [],
});
