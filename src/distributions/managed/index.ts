import type { Basics, ClusterFacts } from '../../model/facts.ts';
import type { Finding } from '../../model/finding.ts';
import { nameList } from '../../model/list-text.ts';
import { addressOfFamily, familyOf } from '../../model/node-address.ts';
import { type Phase, phaseOrder } from '../../model/phase.ts';
import { type Known, known, unknown } from '../../model/reader.ts';
import { familiesInUse, readServiceNetworks, SEE_SERVICE_NETWORKS } from '../../model/service-networks.ts';
import type { Handoff, Step, StepBase, StepState } from '../../model/step.ts';
import { everyWay, type Support } from '../../model/support.ts';
import type { Wanted } from '../../model/wanted.ts';
import { FAMILIES, type Family } from '../../net/family.ts';
import type { Distribution } from '../contract.ts';
import { type Changing, CLOUDS, type ManagedCloud } from './clouds.ts';

/** What the API shows of a control plane that the cloud runs. */
export interface ManagedFacts {
  /** Networks of ServiceCIDR `kubernetes`, primary first. Known null: the server has no such object. */
  readonly serviceCIDR: Known<readonly string[] | null>;
}

const [EKS, GKE, AKS] = CLOUDS;

export const eks: Distribution<ManagedFacts> = managed(EKS);
export const gke: Distribution<ManagedFacts> = managed(GKE);
export const aks: Distribution<ManagedFacts> = managed(AKS);

/** Nothing of such a control plane is changed here. Where the cloud has a command that converts, it is handed over and its outcome watched. */
function managed(cloud: ManagedCloud): Distribution<ManagedFacts> {
  return {
    name: cloud.name,
    support: { page: 'managed-clouds', ways: waysOf(cloud.families) },
    defaultNodeMask: { IPv4: 24, IPv6: 64 },
    choosesNetworks: true,
    permissions: [SEE_SERVICE_NETWORKS],
    detect: (basics) => detect(cloud, basics),
    observe: async (reader) => ({ serviceCIDR: await readServiceNetworks(reader) }),
    network: ({ serviceCIDR }) => ({
      pods: unknown(`${cloud.title} shows no pod networks in the API`),
      services: servicesOf(serviceCIDR),
      nodeMask: {},
    }),
    components: ({ serviceCIDR }) =>
      serviceCIDR.known && serviceCIDR.value !== null
        ? [
            {
              component: 'kube-apiserver',
              where: cloud.title,
              source: 'ServiceCIDR kubernetes',
              settings: { 'service-cluster-ip-range': serviceCIDR.value.join(',') },
            },
          ]
        : [],
    check: (wanted, facts, own) => check(cloud, wanted, facts, own),
    records: () => [],
    steps: (wanted, facts, own) =>
      cloud.families.is === 'ByCommand' ? steps(cloud, cloud.families, wanted, facts, own) : [],
  };
}

function waysOf(families: Changing): Support['ways'] {
  const refused = { is: 'Refused', reason: 'NetworkImmutable' } as const;
  if (families.is === 'Fixed') return everyWay(refused);
  return {
    ...everyWay({ is: 'HandedOver', test: 'test/unit/distributions/managed.test.ts' }),
    IPv6ToDual: refused,
    ...(families.back === null ? { DualToSingle: refused, RollBack: refused } : {}),
  };
}

function detect({ version, labels }: ManagedCloud, { kubernetesVersion, nodes }: Basics): string | null {
  if (version?.test(kubernetesVersion) === true) return `Kubernetes version ${kubernetesVersion}`;
  for (const node of nodes) {
    const marks = labels.find((set) => set.every((label) => label in node.labels));
    if (marks !== undefined) return `label ${marks.join(' and ')} of Node ${node.name}`;
  }
  return null;
}

function servicesOf(serviceCIDR: ManagedFacts['serviceCIDR']): Known<readonly string[]> {
  if (!serviceCIDR.known) return serviceCIDR;
  return serviceCIDR.value === null || serviceCIDR.value.length === 0
    ? unknown('the API server has no ServiceCIDR kubernetes, so nothing shows the Service networks')
    : known(serviceCIDR.value);
}

function check(cloud: ManagedCloud, wanted: Wanted, facts: ClusterFacts, own: ManagedFacts): readonly Finding[] {
  const changing = cloud.families;
  if (changing.is === 'Fixed') return [fixed(cloud, changing, wanted)];
  if (facts.nodes.length === 0) return [withoutNodes(cloud, wanted)];
  if (!beginsWithIPv4(wanted)) return [otherWayRound(cloud, wanted)];
  return [
    ...(wanted.direction === 'Back' && changing.back === null && isConverted(wanted, facts, own) !== true
      ? [noWayBack(cloud, wanted)]
      : []),
    ...ownPlugin(cloud, wanted, facts),
  ];
}

const fixed = (
  { title }: ManagedCloud,
  { why, instead }: Extract<Changing, { readonly is: 'Fixed' }>,
  { direction }: Wanted,
): Finding => ({
  reason: 'NetworkImmutable',
  object: null,
  message: `${title} ${why}.`,
  remedy: instead,
  blocks: phaseOrder(direction),
});

const withoutNodes = ({ title }: ManagedCloud, { direction }: Wanted): Finding => ({
  reason: 'ComponentUnreadable',
  object: null,
  message: `The cluster has no Nodes, and nothing else shows which families ${title} gives it.`,
  remedy: 'Add a node pool first, or set spec.distribution if this is another kind of cluster.',
  blocks: phaseOrder(direction),
});

/** The commands of clouds add IPv6 to clusters that began with IPv4, and take it away again. */
const beginsWithIPv4 = ({ families }: Wanted): boolean => families[0] === 'IPv4';

const otherWayRound = ({ title }: ManagedCloud, { direction }: Wanted): Finding => ({
  reason: 'NetworkImmutable',
  object: null,
  message: `${title} has a command for clusters that began with IPv4, and none is known for those that began with IPv6.`,
  remedy: 'Make a new cluster with both families, and move the workloads.',
  blocks: phaseOrder(direction),
});

const noWayBack = ({ title }: ManagedCloud, { direction }: Wanted): Finding => ({
  reason: 'NetworkImmutable',
  object: null,
  message: `${title} has a command to add a family to a cluster, and none is known that takes one away.`,
  remedy: 'Keep both families: Services and workloads that say SingleStack stay as they are. Else make a new cluster.',
  blocks: phaseOrder(direction),
});

const PLUGIN_PHASES: readonly Phase[] = ['Pools', 'CNIConfig', 'CNIAgents'];

/** The cloud keeps its network plug-in as it wants it, and may run a known one in a form of its own. */
function ownPlugin({ title }: ManagedCloud, { direction }: Wanted, { cni }: ClusterFacts): readonly Finding[] {
  if (cni.name === 'Unmanaged') return [];
  return [
    {
      reason: 'AnotherOwner',
      object: null,
      message: `The network plug-in was recognised as ${cni.name}, and ${title} keeps its plug-ins itself and switches them over with the cluster.`,
      remedy:
        'Write spec.cni: Unmanaged. One that you installed yourself is to be changed in the way of its installation.',
      blocks: direction === 'Forward' ? PLUGIN_PHASES : PLUGIN_PHASES.toReversed(),
    },
  ];
}

/** First the cluster, then its nodes; either only looks at what the API shows. */
function steps(
  cloud: ManagedCloud,
  changing: Extract<Changing, { readonly is: 'ByCommand' }>,
  wanted: Wanted,
  facts: ClusterFacts,
  own: ManagedFacts,
): readonly Step[] {
  const command = wanted.direction === 'Forward' ? changing.forward : changing.back;
  if (command === null || !beginsWithIPv4(wanted)) return [];
  const families = wanted.families.join(' and ');
  const base: Omit<StepBase, 'id' | 'target' | 'why' | 'state'> & Pick<Handoff, 'kind' | 'holdsUp'> = {
    kind: 'Handoff',
    phase: 'NodeIPs',
    group: 'provider',
    diff: [],
    disrupts: { text: changing.disrupts, seconds: [600, 7200] },
    timeoutSeconds: 7200,
    holdsUp: true,
  };
  const cluster = clusterState(wanted, facts, own);
  return [
    {
      ...base,
      id: 'provider/cluster',
      target: `${cloud.title} cluster`,
      why: 'Only the cloud changes a control plane that it runs; it chooses the networks of an added family itself.',
      state: cluster,
      command: wanted.direction === 'Forward' ? `${command} (before: ${changing.needs})` : command,
      watches: `Service networks of ${families}${wanted.families.length === 1 ? ' alone' : ''}`,
    },
    {
      ...base,
      id: 'provider/nodes',
      target: `nodes of ${cloud.title}`,
      why: 'Nodes that were there before get their addresses only when the cloud makes them anew.',
      state: cluster.is === 'Satisfied' ? nodesState(wanted, facts) : { is: 'Unknown', why: 'the cluster comes first' },
      command: `when the cloud does not get to it by itself, for each node pool: ${changing.renewNodes}`,
      watches: `every Node with an InternalIP of ${families}${wanted.families.length === 1 ? ' alone' : ''}`,
    },
  ];
}

function clusterState(wanted: Wanted, facts: ClusterFacts, own: ManagedFacts): StepState {
  if (facts.nodes.length === 0) return { is: 'Unknown', why: 'there are no Nodes' };
  const live = serviceFamilies(facts, own);
  if (!live.known) return { is: 'Unknown', why: live.why };
  return isSame(live.value, wanted.families)
    ? { is: 'Satisfied', evidence: `Services have addresses of ${live.value.join(' and ')}` }
    : { is: 'Pending' };
}

/** Null: it cannot be told. */
function isConverted(wanted: Wanted, facts: ClusterFacts, own: ManagedFacts): boolean | null {
  const live = serviceFamilies(facts, own);
  return live.known ? isSame(live.value, wanted.families) : null;
}

/** Those that the API server gives; before Kubernetes 1.33 those that Services have. */
function serviceFamilies({ services }: ClusterFacts, { serviceCIDR }: ManagedFacts): Known<readonly Family[]> {
  if (!serviceCIDR.known) return serviceCIDR;
  if (serviceCIDR.value !== null) {
    return known(serviceCIDR.value.flatMap((cidr) => familyOf(cidr.split('/')[0] ?? '') ?? []));
  }
  return services.known ? known(familiesInUse(services.value)) : services;
}

const isSame = (live: readonly Family[], wanted: readonly Family[]): boolean =>
  FAMILIES.every((family) => live.includes(family) === wanted.includes(family));

function nodesState({ families, tolerateUnavailable }: Wanted, { nodes }: ClusterFacts): StepState {
  const behind = nodes.filter(({ internalIPs }) =>
    FAMILIES.some((family) => (addressOfFamily(internalIPs, family) !== undefined) !== families.includes(family)),
  );
  if (behind.length === 0) {
    return { is: 'Satisfied', evidence: `all ${nodes.length} Nodes have an InternalIP of ${families.join(' and ')}` };
  }
  const isTolerated = behind.every(({ ready }) => !ready) && behind.length <= tolerateUnavailable;
  return isTolerated
    ? { is: 'Deferred', why: `not ready, and not as wanted yet: ${nameList(behind)}` }
    : { is: 'Pending' };
}
