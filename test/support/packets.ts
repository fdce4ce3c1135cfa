import type { ProbeCheck, ProbedCheck, ProbeFailure, ProbePath } from '../../src/model/probe.ts';
import type { ProbeNode, ProbePlan } from '../../src/model/step.ts';
import type { Family } from '../../src/net/family.ts';
import { choosePairs } from '../../src/plan/probe-plan.ts';
import { checksFromHost, checksFromPod, type ProbeTargets } from '../../src/verify/packets.ts';

export const probeNode = (n: number): ProbeNode => ({
  name: `node-${n}`,
  internalIPs: [`192.0.2.${n}`, `2001:db8::${n}`],
});

export function planOf(count: number, change: Partial<ProbePlan> = {}): ProbePlan {
  const nodes = Array.from({ length: count }, (_, index) => probeNode(index + 1));
  return {
    families: ['IPv4', 'IPv6'],
    image: { image: 'dualstack-operator:dev', pullPolicy: 'IfNotPresent', pullSecrets: [] },
    nodes,
    pairs: choosePairs(nodes.map(({ name }) => name)),
    dns: [
      { address: '10.96.0.10', hasEndpoint: true },
      { address: 'fd00:10:96::a', hasEndpoint: true },
    ],
    ready: count,
    newest: '2026-11-01T00:00:00Z',
    leftOut: [],
    ...change,
  };
}

export const TARGET_NAMES = {
  cluster: 'probe-cluster.dualstack-system.svc',
  headless: 'probe-headless.dualstack-system.svc',
};

export const targetsFor = (plan: ProbePlan, change: Partial<ProbeTargets> = {}): ProbeTargets => ({
  podIPs: new Map(plan.nodes.map(({ name }, index) => [name, [`10.244.${index}.5`, `fd00:10:244:${index}::5`]])),
  clusterIPs: ['10.96.1.1', 'fd00:10:96::101'],
  nodePort: 31_000,
  names: TARGET_NAMES,
  ...change,
});

/** Where packets are lost: every check that a breakage matches fails. */
export interface Breakage {
  readonly path?: ProbePath;
  readonly family?: Family;
  readonly source?: string;
  readonly target?: string;
  /** Either end. */
  readonly node?: string;
  /** Between different nodes, or within one. */
  readonly between?: boolean;
  readonly failure?: ProbeFailure;
}

const matches = (breakage: Breakage, { path, family, source, target }: ProbeCheck): boolean =>
  (breakage.path ?? path) === path &&
  (breakage.family ?? family) === family &&
  (breakage.source ?? source) === source &&
  (breakage.target ?? target) === target &&
  (breakage.node === undefined || breakage.node === source || breakage.node === target) &&
  (breakage.between === undefined || (target !== null && breakage.between === (source !== target)));

export const checksOf = (plan: ProbePlan, targets: ProbeTargets = targetsFor(plan)): readonly ProbeCheck[] =>
  plan.nodes.flatMap((node) => [...checksFromPod(node, plan, targets), ...checksFromHost(node, plan, targets)]);

export const probed = (checks: readonly ProbeCheck[], breakages: readonly Breakage[]): readonly ProbedCheck[] =>
  checks.map((check) => {
    const broken = breakages.find((each) => matches(each, check));
    return {
      ...check,
      result:
        broken === undefined ? { ok: true, microseconds: 400 } : { ok: false, failure: broken.failure ?? 'Timeout' },
    };
  });
