import type * as z from 'zod';
import type { Request } from '../model/request.ts';
import type { DrainRules } from '../model/wanted.ts';
import type { Family, PerFamily } from '../net/family.ts';
import { parseCidr } from '../net/cidr.ts';
import { err, ok, type Result } from '../result.ts';
import type { ClusterSpec } from './cluster-spec.ts';
import { secondsOf } from './duration.ts';
import type { Problem } from './rule.ts';
import { checkSpec, cidrBlocksOf } from './rules.ts';
import { withoutNulls } from './nulls.ts';
import { clusterSpecSchema, type Vocabulary } from './vocabulary.ts';

/** What is meant where the spec says nothing. Options of distributions and CNIs have their own in their folders. */
const DEFAULTS = {
  mode: 'Apply',
  paused: false,
  approvedPlanHash: '',
  distribution: 'Auto',
  cni: 'Auto',
  nodeIP: 'Manage',
  gracePeriod: '5m',
  remediation: 'Auto',
  podCIDRs: 'Keep',
  standalonePods: 'Refuse',
  emptyDir: 'Refuse',
  drainTimeout: '30m',
  guard: 'None',
  maxUnavailable: 1,
  migration: 'Selected',
  restart: 'None',
  onFailure: 'Halt',
  tolerateUnavailable: 0,
  verification: 'Probes',
  deletionPolicy: 'Orphan',
} as const;

/** Reads a spec against the schema and the static rules. */
export function parseSpec(spec: unknown, vocabulary: Vocabulary): Result<ClusterSpec, readonly Problem[]> {
  const parsed = clusterSpecSchema(vocabulary).safeParse(withoutNulls(spec), { reportInput: true });
  if (!parsed.success) return err(parsed.error.issues.map(toProblem));
  const problems = checkSpec(parsed.data, vocabulary.rules);
  return problems.length > 0 ? err(problems) : ok(parsed.data);
}

/** A spec with every default explicit, or all that is wrong with it. What only the live cluster can tell stays absent. */
export function resolve(spec: unknown, vocabulary: Vocabulary): Result<Request, readonly Problem[]> {
  const parsed = parseSpec(spec, vocabulary);
  return parsed.ok ? ok(toRequest(parsed.value, Object.keys(vocabulary.options))) : parsed;
}

function toRequest(spec: ClusterSpec, optionKeys: readonly string[]): Request {
  return {
    families: spec.ipFamilies,
    mode: spec.mode ?? DEFAULTS.mode,
    paused: spec.paused ?? DEFAULTS.paused,
    approvedPlanHash: spec.approvedPlanHash ?? DEFAULTS.approvedPlanHash,
    distribution: spec.distribution ?? DEFAULTS.distribution,
    cni: spec.cni ?? DEFAULTS.cni,
    pods: byFamily(cidrBlocksOf(spec, 'pods')),
    services: byFamily(cidrBlocksOf(spec, 'services')),
    nodeMask: nodeMasks(spec),
    nodes: {
      nodeIP: spec.nodes?.nodeIP ?? DEFAULTS.nodeIP,
      gracePeriod: secondsOf(spec.nodes?.gracePeriod ?? DEFAULTS.gracePeriod),
      remediation: spec.nodes?.remediation ?? DEFAULTS.remediation,
      podCIDRs: spec.nodes?.podCIDRs ?? DEFAULTS.podCIDRs,
      guard: spec.nodes?.guard ?? DEFAULTS.guard,
      maxUnavailable: spec.nodes?.maxUnavailable ?? DEFAULTS.maxUnavailable,
      ...(spec.nodes?.podCIDRs === 'Drain' ? { drain: drainRules(spec.nodes.drain) } : {}),
    },
    serviceMigration: spec.services?.migration ?? DEFAULTS.migration,
    workloadRestart: spec.workloads?.restart ?? DEFAULTS.restart,
    onFailure: spec.rollout?.onFailure ?? DEFAULTS.onFailure,
    tolerateUnavailable: spec.rollout?.tolerateUnavailable ?? DEFAULTS.tolerateUnavailable,
    verification: spec.verification?.mode ?? DEFAULTS.verification,
    deletionPolicy: spec.deletionPolicy ?? DEFAULTS.deletionPolicy,
    options: Object.fromEntries(optionKeys.flatMap((key) => (spec[key] === undefined ? [] : [[key, spec[key]]]))),
  };
}

const drainRules = (drain: NonNullable<ClusterSpec['nodes']>['drain']): DrainRules => ({
  standalonePods: drain?.standalonePods ?? DEFAULTS.standalonePods,
  emptyDir: drain?.emptyDir ?? DEFAULTS.emptyDir,
  timeout: secondsOf(drain?.timeout ?? DEFAULTS.drainTimeout),
});

/** The rules have seen to it that each text is a CIDR and each family occurs once. */
function byFamily(texts: readonly string[]): PerFamily<string> {
  return Object.fromEntries(
    texts.flatMap((text) => {
      const cidr = parseCidr(text);
      return cidr.ok ? [[cidr.value.family, cidr.value.text]] : [];
    }),
  );
}

/** Masks of families that are asked for: kube-controller-manager does not start with a mask of another family. */
function nodeMasks(spec: ClusterSpec): PerFamily<number> {
  const masks: Record<Family, number | undefined> = {
    IPv4: spec.clusterNetwork?.nodeCIDRMaskSizeIPv4,
    IPv6: spec.clusterNetwork?.nodeCIDRMaskSizeIPv6,
  };
  return Object.fromEntries(
    spec.ipFamilies.flatMap((family) => (masks[family] === undefined ? [] : [[family, masks[family]]])),
  );
}

/** A mistake that the schema found, with the path written as people write it: `spec.clusterNetwork.pods.cidrBlocks[0]`. */
export function toProblem(issue: z.core.$ZodIssue): Problem {
  const path = issue.path.map((key) => (typeof key === 'number' ? `[${key}]` : `.${String(key)}`)).join('');
  if (issue.code === 'unrecognized_keys') {
    return {
      path: `spec${path}`,
      message: `${issue.keys.join(', ')} is not a field here: remove it, or mend its spelling`,
    };
  }
  const value = issue.input === undefined ? 'nothing is written here' : `${JSON.stringify(issue.input)} is not taken`;
  return { path: `spec${path}`, message: `${value}: ${issue.message}` };
}
