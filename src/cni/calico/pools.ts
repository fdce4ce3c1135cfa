import type { ClusterFacts } from '../../model/facts.ts';
import type { ObjectRef } from '../../model/object.ts';
import type { Change, Step, StepState } from '../../model/step.ts';
import type { Wanted } from '../../model/wanted.ts';
import { type Family, otherFamily } from '../../net/family.ts';
import { unreachable } from '../../result.ts';
import { poolsOf, type CalicoFacts, type ConfigFacts, type Pool, type PoolAPI } from './facts.ts';
import { NAMES } from './family.ts';
import { type Goal, looksFor, wasEnabledAtFirst } from './goal.ts';
import { DEFAULTS, optionsOf, type Encapsulation } from './options.ts';

const POOL_SECONDS = 120;

/** Fields of a pool that can be changed once it is there. */
type PoolChange = Readonly<Record<string, string | boolean>>;

/** How a pool carries traffic between nodes. */
interface Modes {
  readonly ipipMode: 'Always' | 'CrossSubnet' | 'Never';
  readonly vxlanMode: string;
}

/**
 * Auto: with backend vxlan there is nothing else but VXLAN; with BGP it follows a pool of the other family that uses VXLAN, and else is routed
 * as that is, or would be without the IPIP that carries no IPv6.
 */
function modesOf(encapsulation: Encapsulation, backend: string, others: readonly Pool[]): Modes {
  const without = { ipipMode: 'Never', vxlanMode: 'Never' } as const;
  switch (encapsulation) {
    case 'Auto': {
      const used = others.find((pool) => !pool.disabled && pool.vxlanMode !== 'Never')?.vxlanMode;
      return { ...without, vxlanMode: used ?? (backend === 'vxlan' ? 'Always' : 'Never') };
    }
    case 'VXLAN':
      return { ...without, vxlanMode: 'Always' };
    case 'VXLANCrossSubnet':
      return { ...without, vxlanMode: 'CrossSubnet' };
    case 'None':
      return without;
    case 'IPIP':
      return { ...without, ipipMode: 'Always' };
    case 'IPIPCrossSubnet':
      return { ...without, ipipMode: 'CrossSubnet' };
    default:
      return unreachable(encapsulation);
  }
}

/** The step that gives Calico the wanted addresses. Pools unknown: the state says why. */
export function forwardPoolStep(
  wanted: Wanted,
  own: CalicoFacts,
  config: ConfigFacts,
  family: Family,
  cidr: string,
): Step {
  const options = optionsOf(wanted.options).pool ?? {};
  const modes = modesOf(options.encapsulation ?? 'Auto', config.backend, poolsOf(own, otherFamily(family)));
  const existing = poolsOf(own, family).find((pool) => pool.cidr === cidr);
  const base = {
    id: stepId(family),
    phase: 'Pools',
    group: 'calico-pool',
    why: `Calico gives ${family} addresses to pods from an ${family} pool; without one a pod that asks for ${family} does not start.`,
    disrupts: null,
    timeoutSeconds: POOL_SECONDS,
    kind: 'ApplyObject',
  } as const;

  if (existing === undefined) {
    const { pool, otherPool } = NAMES[family];
    const taken = poolsOf(own, family).some(({ name }) => name === pool);
    const ref = poolRef(own, taken ? otherPool : pool);
    const spec = {
      cidr,
      blockSize: options.blockSize ?? DEFAULTS.blockSize[family],
      ...modes,
      natOutgoing: options.natOutgoing ?? DEFAULTS.natOutgoing[family],
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
  const isAsked = options.encapsulation !== undefined && options.encapsulation !== 'Auto';
  const canWork =
    (config.backend !== 'vxlan' || existing.vxlanMode !== 'Never') &&
    (existing.ipipMode === 'Never' || (family === 'IPv4' && config.backend !== 'vxlan'));
  const wantedModes = isAsked || !canWork ? mendedModes(existing, modes, isAsked) : existing;
  const spec: PoolChange = {
    ...(existing.disabled ? { disabled: false } : {}),
    ...(existing.ipipMode === wantedModes.ipipMode ? {} : { ipipMode: wantedModes.ipipMode }),
    ...(existing.vxlanMode === wantedModes.vxlanMode ? {} : { vxlanMode: wantedModes.vxlanMode }),
    ...(options.natOutgoing === undefined || options.natOutgoing === existing.natOutgoing
      ? {}
      : { natOutgoing: options.natOutgoing }),
    ...(options.nodeSelector === undefined || options.nodeSelector === existing.nodeSelector
      ? {}
      : { nodeSelector: options.nodeSelector }),
  };
  return { ...base, ...patch(own, existing, spec), state: existingState(existing, spec) };
}

/** IPIP goes where it cannot be; VXLAN comes only where it was asked for or is the only way. */
const mendedModes = (existing: Pool, modes: Modes, isAsked: boolean): Pick<Pool, 'ipipMode' | 'vxlanMode'> =>
  isAsked
    ? modes
    : { ipipMode: 'Never', vxlanMode: existing.vxlanMode === 'Never' ? modes.vxlanMode : existing.vxlanMode };

const stepId = (family: Family): string => `calico/pool-${family.toLowerCase()}`;

function existingState(pool: Pool, spec: PoolChange): StepState {
  if (Object.keys(spec).length > 0) return { is: 'Pending' };
  if (pool.allocatable === false) return { is: 'InProgress', why: `IPPool ${pool.name} is not Allocatable yet` };
  return { is: 'Satisfied', evidence: `IPPool ${pool.name} holds ${pool.cidr} and is enabled` };
}

/**
 * The way back: pools of the family that leaves are disabled, not deleted (a raw delete leaves their blocks behind), and after that the addresses that
 * calico-node keeps on its Nodes are removed: told `none` it would go on using them.
 */
export function backPoolSteps(wanted: Wanted, facts: ClusterFacts, own: CalicoFacts, goal: Goal): readonly Step[] {
  const { family } = goal;
  const pools = poolsOf(own, family).toSorted((a, b) => (a.name < b.name ? -1 : 1));
  const kept = pools.filter((pool) => wasEnabledAtFirst(wanted, pool.name));
  const left = pools.filter((pool) => !kept.includes(pool));
  // Felix would write the address of a tunnel again as long as a pool is enabled.
  const { proof, tunnels } = NAMES[family];
  const keys = kept.length > 0 ? [proof] : [proof, ...tunnels];
  return [
    ...left.map((pool, index) =>
      disableStep(own, pool, index === 0 ? stepId(family) : `${stepId(family)}/${pool.name}`),
    ),
    ...(looksFor(goal) ? [] : facts.nodes.map((node) => addressStep(node.name, node.annotations, family, keys))),
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

function addressStep(
  node: string,
  annotations: Readonly<Record<string, string>>,
  family: Family,
  keys: readonly string[],
): Step {
  const present = keys.flatMap((key) => {
    const value = annotations[key];
    return value === undefined ? [] : [{ key, value }];
  });
  return {
    id: `calico/node-address/${node}`,
    phase: 'Pools',
    group: 'calico-node-address',
    target: `Node ${node}`,
    why: `calico-node keeps an ${family} address that it once stored, and its routes, until the annotation is gone.`,
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
        ? { is: 'Satisfied', evidence: `it carries no ${family} address of Calico` }
        : { is: 'Pending' },
  };
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
