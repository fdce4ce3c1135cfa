import type { FindingReason } from '../../api/reasons.ts';
import { checkEgress, isUniqueLocal } from '../../model/egress.ts';
import type { Basics, ClusterFacts, ComponentFacts } from '../../model/facts.ts';
import type { Finding } from '../../model/finding.ts';
import { asArray, asString, at, type KubeObject, type ObjectRef } from '../../model/object.ts';
import type { Phase } from '../../model/phase.ts';
import { known, unknown, type Known } from '../../model/reader.ts';
import { everyWay } from '../../model/support.ts';
import type { Wanted } from '../../model/wanted.ts';
import { parseCidr } from '../../net/cidr.ts';
import type { CNI } from '../contract.ts';

const GROUP = 'operator.tigera.io';
const INSTALLATION: ObjectRef = { apiVersion: `${GROUP}/v1`, kind: 'Installation', name: 'default' };

/** Installation `default`. Known null: it does not exist. */
export type TigeraFacts = Known<{ readonly pools: readonly unknown[] } | null>;

/**
 * Calico kept by the tigera operator. It puts back whatever others change in calico-node, so this program changes nothing
 * there and says what to change in the Installation instead.
 */
export const tigera: CNI<TigeraFacts> = {
  name: 'TigeraOperator',
  namespaces: ['calico-system', 'tigera-operator'],
  support: { page: 'tigera', ways: everyWay({ is: 'HandedOver', test: 'test/e2e/control-plane/tigera.test.ts' }) },
  permissions: [
    {
      why: 'see the pools of an Installation of the tigera operator',
      apiGroups: [GROUP],
      resources: ['installations'],
      verbs: ['get'],
    },
  ],
  usesNodeIPAM: false,
  detect,
  observe: async (reader) => {
    const read = await reader.get(INSTALLATION);
    if (read.is === 'Unreadable') return unknown(read.why);
    return known(read.is === 'Found' ? { pools: poolsOf(read.value) } : null);
  },
  components,
  check,
  records: () => [],
  steps: () => [],
  podCIDRs: (own) => cidrsOf(own),
};

const poolsOf = (installation: KubeObject): readonly unknown[] =>
  asArray(at(installation, 'spec', 'calicoNetwork', 'ipPools'));

/** A calico-node in kube-system is of a manifest, whatever CRDs are there. */
function detect({ groupVersions, objects }: Basics): string | null {
  if (objects.DaemonSet.includes('calico-system/calico-node')) return 'DaemonSet calico-system/calico-node';
  const isServed = groupVersions.some((each) => each.startsWith(`${GROUP}/`));
  const runs = objects.Deployment.includes('tigera-operator/tigera-operator');
  if (!isServed || !runs || objects.DaemonSet.includes('kube-system/calico-node')) return null;
  return 'Deployment tigera-operator/tigera-operator';
}

function components(own: TigeraFacts): readonly ComponentFacts[] {
  return cidrsOf(own).map((cidr) => ({
    component: 'IPPool',
    where: 'Installation default',
    source: 'spec.calicoNetwork.ipPools',
    settings: { cidr },
  }));
}

function check(wanted: Wanted, facts: ClusterFacts, own: TigeraFacts): readonly Finding[] {
  return [...checkPools(wanted, own), ...checkNAT(wanted, facts, own)];
}

/** A pool has it unless it is told otherwise; the one that is asked for below is made with it where pods need it. */
function checkNAT(wanted: Wanted, facts: ClusterFacts, own: TigeraFacts): readonly Finding[] {
  const pools = own.known && own.value !== null ? own.value.pools : [];
  const isOff = pools.some((pool) => cidrOf(pool) === wanted.pods.IPv6 && at(pool, 'natOutgoing') === 'Disabled');
  return checkEgress(wanted, facts, {
    isOn: !isOff,
    object: INSTALLATION,
    off: 'natOutgoing of its pool is Disabled',
    remedy: 'Write natOutgoing: Enabled for it in spec.calicoNetwork.ipPools',
  });
}

function checkPools(wanted: Wanted, own: TigeraFacts): readonly Finding[] {
  const asked = wanted.families.flatMap((family) => wanted.pods[family] ?? []);
  const live = cidrsOf(own);
  const isAsWanted = live.length === asked.length && asked.every((cidr) => live.includes(cidr));
  if (isAsWanted) return [];
  const reason: FindingReason = 'AnotherOwner';
  return [
    {
      reason,
      object: INSTALLATION,
      message: `Calico is kept by the tigera operator, which undoes changes to what it owns; its Installation has the pools ${live.join(', ') || 'of its defaults'}`,
      remedy: wanted.direction === 'Forward' ? forwardRemedy(wanted, own) : backRemedy(),
      blocks: CALICO_PHASES,
    },
  ];
}

/** The list of pools is replaced as a whole, so the patch repeats those that are there. */
function forwardRemedy(wanted: Wanted, own: TigeraFacts): string {
  const existing = own.known && own.value !== null ? own.value.pools : [];
  const live = cidrsOf(own);
  const second = wanted.families[1] ?? 'IPv6';
  const added = wanted.families.flatMap((family) => {
    const cidr = wanted.pods[family];
    return cidr === undefined || live.includes(cidr) ? [] : [newPool(cidr, existing)];
  });
  const patch = {
    spec: {
      calicoNetwork: {
        ipPools: [...existing, ...added],
        [`nodeAddressAutodetectionV${second === 'IPv4' ? 4 : 6}`]: { kubernetes: 'NodeInternalIP' },
      },
    },
  };
  return `When every Node has an ${second} InternalIP: kubectl patch installation default --type=merge -p '${JSON.stringify(patch)}'`;
}

/** IPIP carries no IPv6; a cluster that encapsulates some other way keeps doing so. Private addresses get nowhere without NAT. */
function newPool(cidr: string, existing: readonly unknown[]): unknown {
  const encapsulations = existing.map((pool) => asString(at(pool, 'encapsulation')) ?? 'IPIP');
  const vxlan = encapsulations.find((each) => each.startsWith('VXLAN'));
  const natOutgoing = !cidr.includes(':') || isUniqueLocal(cidr) ? 'Enabled' : 'Disabled';
  return { cidr, encapsulation: vxlan ?? 'None', natOutgoing, nodeSelector: 'all()' };
}

const backRemedy = (): string =>
  'Remove the pool of the family that leaves from spec.calicoNetwork.ipPools: kubectl edit installation default';

/**
 * Nodes and control plane come first: the operator wants pools inside kubeadm's pod networks, and its calico-node would take down IPv4
 * on a Node without an IPv6 address.
 */
const CALICO_PHASES: readonly Phase[] = ['Pools', 'CNIConfig', 'CNIAgents'];

const cidrsOf = (own: TigeraFacts): readonly string[] =>
  own.known && own.value !== null ? own.value.pools.flatMap((pool) => cidrOf(pool) ?? []) : [];

function cidrOf(pool: unknown): string | null {
  const cidr = parseCidr(asString(at(pool, 'cidr')) ?? '');
  return cidr.ok ? cidr.value.text : null;
}
