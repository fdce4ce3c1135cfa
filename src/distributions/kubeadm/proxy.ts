import { createHash } from 'node:crypto';
import type { ClusterFacts, PodFacts, WorkloadFacts } from '../../model/facts.ts';
import { PROXY, PROXY_CONFIG } from '../../model/kube-proxy.ts';
import type { RolloutWorkload, Step, StepState } from '../../model/step.ts';
import { isSatisfied } from '../../model/step.ts';
import { cidrList, type Wanted } from '../../model/wanted.ts';
import { isRolledOut } from '../../model/workload.ts';
import { err, ok, type Result } from '../../result.ts';
import type { ConfigText, KubeadmFacts } from './facts.ts';
import { readProxyCIDR, sameButCIDR, setProxyCIDR, usesClusterCIDR, isProxyConfig } from './proxy-config.ts';
import { keepSpelling, sameRange } from './ranges.ts';
import { CONFIG_HASH, recordedProxyConfig, recordedProxyHash } from './records.ts';

/** kube-proxy's configuration, then new pods: it reads the file only when it starts. No steps where another does its work. */
export function proxySteps(wanted: Wanted, facts: ClusterFacts, own: KubeadmFacts): readonly Step[] {
  if (!own.proxy.known) return [configStep(null, null, { is: 'Unknown', why: own.proxy.why })];
  if (!own.proxyConfig.known) return [configStep(null, null, { is: 'Unknown', why: own.proxyConfig.why })];
  const workload = own.proxy.value;
  const config = own.proxyConfig.value;
  if (workload === null || config === null) return [];

  const after = wantedProxyConfig(wanted, config.text);
  if (!after.ok) return [configStep(config.text, null, { is: 'Unknown', why: after.error })];
  const applied = applyStep(config, after.value);
  return [applied, rolloutStep(wanted, facts, workload, config, after.value, isSatisfied(applied))];
}

/** The text of `config.conf` that the ConfigMap shall hold. */
export function wantedProxyConfig(wanted: Wanted, live: string): Result<string, string> {
  if (!isProxyConfig(live)) return err('data["config.conf"] is not a KubeProxyConfiguration');
  const pods = cidrList(wanted.families, wanted.pods);
  const recorded = wanted.direction === 'Back' ? recordedProxyConfig(wanted.restore) : undefined;
  if (recorded !== undefined && sameButCIDR(recorded, live) && isOf(recorded, pods)) return ok(recorded);

  const now = readProxyCIDR(live) ?? '';
  if (now === '' && !usesClusterCIDR(live)) return ok(live);
  const wantedCIDR = keepSpelling(now, pods);
  return sameRange(now, wantedCIDR) ? ok(live) : setProxyCIDR(live, wantedCIDR);
}

const isOf = (text: string, pods: readonly string[]): boolean =>
  (readProxyCIDR(text) ?? '') === '' || sameRange(readProxyCIDR(text) ?? '', pods.join(','));

function applyStep(config: ConfigText, after: string): Step {
  const isSame = after === config.text;
  const evidence = `clusterCIDR is "${readProxyCIDR(after) ?? ''}"`;
  return {
    ...configStep(config.text, after, isSame ? { is: 'Satisfied', evidence } : { is: 'Pending' }),
    write: {
      is: 'Apply',
      // With its resourceVersion: a change that somebody else makes meanwhile is seen, not overwritten.
      body: {
        metadata: { name: PROXY_CONFIG.name, resourceVersion: config.resourceVersion },
        data: { 'config.conf': after },
      },
      force: true,
    },
  };
}

const configStep = (before: string | null, after: string | null, state: StepState): Step & { kind: 'ApplyObject' } => ({
  kind: 'ApplyObject',
  id: 'kube-proxy/config',
  phase: 'Proxy',
  group: 'kube-proxy',
  target: 'ConfigMap kube-system/kube-proxy',
  why: 'A family without a network in clusterCIDR gets no rules for traffic from outside the pods, and no error says so.',
  diff: before === after ? [] : [{ path: 'data["config.conf"]', before, after }],
  state,
  disrupts: null,
  timeoutSeconds: 60,
  ref: PROXY_CONFIG,
  write: { is: 'Apply', body: {}, force: true },
});

function rolloutStep(
  wanted: Wanted,
  facts: ClusterFacts,
  workload: WorkloadFacts,
  config: ConfigText,
  text: string,
  isApplied: boolean,
): Step {
  const rollout = rolloutOf(wanted, facts, workload, config, text);
  return {
    kind: 'RolloutWorkload',
    id: 'kube-proxy/rollout',
    phase: 'Proxy',
    group: 'kube-proxy',
    target: 'DaemonSet kube-system/kube-proxy',
    why: 'kube-proxy reads its configuration only when it starts.',
    diff: rollout.diff,
    state: isApplied ? rollout.state : { is: 'Pending' },
    disrupts: { text: 'rules for Services stand still on a node while its kube-proxy is replaced', seconds: [2, 10] },
    timeoutSeconds: 300 + 30 * workload.desired,
    ref: PROXY,
    next: rollout.next,
  };
}

interface Rollout {
  readonly state: StepState;
  readonly next: RolloutWorkload['next'];
  readonly diff: Step['diff'];
}

function rolloutOf(
  wanted: Wanted,
  facts: ClusterFacts,
  workload: WorkloadFacts,
  config: ConfigText,
  text: string,
): Rollout {
  const live = workload.templateAnnotations[CONFIG_HASH] ?? null;
  const hash = createHash('sha256').update(text).digest('hex').slice(0, 16);
  const first = recordedProxyHash(wanted.restore);
  // Back to the recorded annotation where ours is there. Where it is not, new pods still need something that differs.
  const target = wanted.direction === 'Back' && live !== first && live !== hash ? first : hash;
  const annotate: Rollout['next'] = { is: 'Annotate', annotation: CONFIG_HASH, value: target };
  const diff =
    live === target
      ? []
      : [{ path: `spec.template.metadata.annotations["${CONFIG_HASH}"]`, before: live, after: target }];

  const away = new Set(facts.nodes.filter((node) => !node.ready).map((node) => node.name));
  const here = workload.pods.filter((pod) => !away.has(pod.node));
  const areFresh = here.every(freshness(workload, config));
  const isOurs = live === target || (wanted.direction === 'Back' && live === first);
  const isTold = isOurs || (wanted.direction === 'Forward' && areFresh && live === null);
  if (isTold && areFresh && isRolledOut(workload)) {
    return {
      state: { is: 'Satisfied', evidence: `all ${workload.desired} pods started after the change` },
      next: annotate,
      diff: [],
    };
  }
  if (isTold && areFresh && here.length < workload.pods.length && here.every((pod) => pod.ready)) {
    return {
      state: { is: 'Deferred', why: `the pods on ${[...away].join(', ')} follow when their nodes are back` },
      next: annotate,
      diff,
    };
  }
  if (live !== target) return { state: { is: 'Pending' }, next: annotate, diff };
  return { ...underWay(workload, here, config, away.size > 0), diff };
}

/** A pod of the newest template that began after the configuration was written: it has read the configuration of now. */
function freshness({ newestHash }: WorkloadFacts, { changedAt }: ConfigText): (pod: PodFacts) => boolean {
  const since = changedAt === null ? Number.NEGATIVE_INFINITY : Date.parse(changedAt);
  return ({ hash, startedAt }) =>
    hash === newestHash && (changedAt === null || startedAt === '' || Date.parse(startedAt) >= since);
}

/**
 * The DaemonSet's own strategy replaces the pods. It stops at a node that is down, which counts as its one unavailable pod: then
 * the stale pods elsewhere are replaced one by one from here.
 */
function underWay(
  workload: WorkloadFacts,
  here: readonly PodFacts[],
  config: ConfigText,
  someAreAway: boolean,
): Pick<Rollout, 'state' | 'next'> {
  const isFresh = freshness(workload, config);
  const stale = here.filter((pod) => !pod.terminating && !isFresh(pod));
  const troubled = here.find((pod) => pod.waiting !== null && pod.waiting !== 'ContainerCreating');
  const isQuiet = here.every((pod) => pod.ready && !pod.terminating);
  const isStuck = workload.observedGeneration >= workload.generation && isQuiet && stale.length > 0;
  const [next] = stale;
  const newest = next !== undefined && next.hash === workload.newestHash;
  if (isStuck && next !== undefined && (someAreAway || newest)) {
    return { state: { is: 'Pending' }, next: { is: 'DeletePods', pods: [{ name: next.name, uid: next.uid }] } };
  }
  const done = here.length - stale.length;
  const trouble = troubled === undefined ? '' : `; Pod ${troubled.name} on ${troubled.node}: ${troubled.waiting ?? ''}`;
  return {
    state: { is: 'InProgress', why: `${done} of ${workload.desired} pods are new${trouble}` },
    next: { is: 'DeletePods', pods: [] },
  };
}
