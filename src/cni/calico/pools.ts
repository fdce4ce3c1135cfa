import type { ClusterFacts } from '../../model/facts.ts';
import type { ObjectRef } from '../../model/object.ts';
import type { Change, Step, StepState } from '../../model/step.ts';
import type { Wanted } from '../../model/wanted.ts';
import { unreachable } from '../../result.ts';
import { NODE_ANNOTATIONS, poolsOf, type CalicoFacts, type ConfigFacts, type Pool, type PoolAPI } from './facts.ts';
import { wasEnabledAtFirst } from './goal.ts';
import { DEFAULTS, optionsOf, type Encapsulation } from './options.ts';

/** The name that Calico itself gives to its first IPv6 pool. */
export const DEFAULT_POOL_NAME = 'default-ipv6-ippool';
/** Taken when a disabled pool of other addresses has the usual name. */
const SECOND_POOL_NAME = 'dualstack-ipv6-ippool';

const POOL_SECONDS = 120;

/** Fields of a pool that can be changed once it is there. */
type PoolChange = Readonly<Record<string, string | boolean>>;

/**
 * How an IPv6 pool carries traffic between nodes. Auto: with backend vxlan there is nothing else but VXLAN; with BGP it follows an
 * IPv4 pool that uses VXLAN, and else is routed, because IPIP carries no IPv6.
 */
export function vxlanMode(encapsulation: Encapsulation, backend: string, ipv4Pools: readonly Pool[]): string {
  switch (encapsulation) {
    case 'Auto': {
      const used = ipv4Pools.find((pool) => !pool.disabled && pool.vxlanMode !== 'Never')?.vxlanMode;
      return used ?? (backend === 'vxlan' ? 'Always' : 'Never');
    }
    case 'VXLAN':
      return 'Always';
    case 'VXLANCrossSubnet':
      return 'CrossSubnet';
    case 'None':
    case 'IPIP':
    case 'IPIPCrossSubnet':
      return 'Never';
    default:
      return unreachable(encapsulation);
  }
}

/** The step that gives Calico the wanted IPv6 addresses. Pools unknown: the state says why. */
export function forwardPoolStep(wanted: Wanted, own: CalicoFacts, config: ConfigFacts, cidr: string): Step {
  const options = optionsOf(wanted.options).pool ?? {};
  const wantedMode = vxlanMode(options.encapsulation ?? 'Auto', config.backend, poolsOf(own, 'IPv4'));
  const existing = poolsOf(own, 'IPv6').find((pool) => pool.cidr === cidr);
  const base = {
    id: 'calico/pool-ipv6',
    phase: 'Pools',
    group: 'calico-pool',
    why: 'Calico gives IPv6 addresses to pods from an IPv6 pool; without one a pod that asks for IPv6 does not start.',
    disrupts: null,
    timeoutSeconds: POOL_SECONDS,
    kind: 'ApplyObject',
  } as const;

  if (existing === undefined) {
    const taken = poolsOf(own, 'IPv6').some((pool) => pool.name === DEFAULT_POOL_NAME);
    const ref = poolRef(own, taken ? SECOND_POOL_NAME : DEFAULT_POOL_NAME);
    const spec = {
      cidr,
      blockSize: options.blockSize ?? DEFAULTS.blockSize,
      ipipMode: 'Never',
      vxlanMode: wantedMode,
      natOutgoing: options.natOutgoing ?? DEFAULTS.natOutgoing,
      nodeSelector: options.nodeSelector ?? DEFAULTS.nodeSelector,
    };
    return {
      ...base,
      ref,
      target: `IPPool ${ref.name}`,
      diff: Object.entries(spec).map(([key, value]) => ({ path: `spec.${key}`, before: null, after: String(value) })),
      write: { is: 'Create', body: { spec } },
      state: own.pools.known ? { is: 'Pending' } : { is: 'Unknown', why: own.pools.why },
    };
  }

  // Somebody made it with care perhaps: only what was asked for, and what cannot work, is changed.
  const keepsMode = options.encapsulation === undefined || options.encapsulation === 'Auto';
  const canWork = config.backend !== 'vxlan' || existing.vxlanMode !== 'Never';
  const spec: PoolChange = {
    ...(existing.disabled ? { disabled: false } : {}),
    ...(existing.ipipMode === 'Never' ? {} : { ipipMode: 'Never' }),
    ...((keepsMode && canWork) || existing.vxlanMode === wantedMode ? {} : { vxlanMode: wantedMode }),
    ...(options.natOutgoing === undefined || options.natOutgoing === existing.natOutgoing
      ? {}
      : { natOutgoing: options.natOutgoing }),
    ...(options.nodeSelector === undefined || options.nodeSelector === existing.nodeSelector
      ? {}
      : { nodeSelector: options.nodeSelector }),
  };
  return { ...base, ...patch(own, existing, spec), state: existingState(existing, spec) };
}

function existingState(pool: Pool, spec: PoolChange): StepState {
  if (Object.keys(spec).length > 0) return { is: 'Pending' };
  if (pool.allocatable === false) return { is: 'InProgress', why: `IPPool ${pool.name} is not Allocatable yet` };
  return { is: 'Satisfied', evidence: `IPPool ${pool.name} holds ${pool.cidr} and is enabled` };
}

/**
 * The way back: IPv6 pools are disabled, not deleted (a raw delete leaves their blocks behind), and after that the addresses that
 * calico-node keeps on its Nodes are removed: it would go on using them.
 */
export function backPoolSteps(wanted: Wanted, facts: ClusterFacts, own: CalicoFacts): readonly Step[] {
  const pools = poolsOf(own, 'IPv6').toSorted((a, b) => (a.name < b.name ? -1 : 1));
  const kept = pools.filter((pool) => wasEnabledAtFirst(wanted, pool.name));
  const left = pools.filter((pool) => !kept.includes(pool));
  return [
    ...left.map((pool, index) =>
      disableStep(own, pool, index === 0 ? 'calico/pool-ipv6' : `calico/pool-ipv6/${pool.name}`),
    ),
    ...(kept.length > 0 ? [] : facts.nodes.flatMap((node) => addressStep(node.name, node.annotations))),
  ];
}

function disableStep(own: CalicoFacts, pool: Pool, id: string): Step {
  const spec = pool.disabled ? {} : { disabled: true };
  return {
    id,
    phase: 'Pools',
    group: 'calico-pool',
    why: 'No pod shall get an address of this pool any more.',
    disrupts: null,
    timeoutSeconds: POOL_SECONDS,
    kind: 'ApplyObject',
    ...patch(own, pool, spec),
    state: pool.disabled ? { is: 'Satisfied', evidence: `IPPool ${pool.name} is disabled` } : { is: 'Pending' },
  };
}

function addressStep(node: string, annotations: Readonly<Record<string, string>>): readonly Step[] {
  const keys = [NODE_ANNOTATIONS.IPv6, NODE_ANNOTATIONS.IPv6Tunnel];
  const present = keys.flatMap((key) => {
    const value = annotations[key];
    return value === undefined ? [] : [{ key, value }];
  });
  return [
    {
      id: `calico/node-address/${node}`,
      phase: 'Pools',
      group: 'calico-node-address',
      target: `Node ${node}`,
      why: 'calico-node keeps an IPv6 address that it once stored, and its routes, until the annotation is gone.',
      disrupts: null,
      timeoutSeconds: POOL_SECONDS,
      kind: 'ApplyObject',
      ref: { apiVersion: 'v1', kind: 'Node', name: node },
      // Unconditional, because Calico removes the tunnel's address by itself, perhaps just now, and Nodes change all the time.
      write: {
        is: 'MergePatch',
        body: { metadata: { annotations: Object.fromEntries(present.map(({ key }) => [key, null])) } },
        resourceVersion: null,
      },
      diff: present.map(({ key, value }) => ({ path: `metadata.annotations[${key}]`, before: value, after: null })),
      state:
        present.length === 0
          ? { is: 'Satisfied', evidence: 'it carries no IPv6 address of Calico' }
          : { is: 'Pending' },
    },
  ];
}

/** Only `spec` is patched: the pool's annotations are Calico's. */
function patch(own: CalicoFacts, pool: Pool, spec: PoolChange) {
  const current: Readonly<Record<string, unknown>> = { ...pool };
  return {
    ref: poolRef(own, pool.name),
    target: `IPPool ${pool.name}`,
    diff: Object.entries(spec).map(
      ([key, value]): Change => ({ path: `spec.${key}`, before: String(current[key]), after: String(value) }),
    ),
    write: { is: 'MergePatch', body: { spec }, resourceVersion: pool.resourceVersion },
  } as const;
}

function poolRef(own: CalicoFacts, name: string): ObjectRef {
  const apiVersion: PoolAPI = own.pools.known ? own.pools.value.apiVersion : 'crd.projectcalico.org/v1';
  return { apiVersion, kind: 'IPPool', name };
}
