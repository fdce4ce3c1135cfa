import { asArray, asString, at, type KubeObject } from '../model/object.ts';
import type { PodOwner } from '../model/pod-owner.ts';
import { known, unknown, type Known, type PagedReader } from '../model/reader.ts';
import { type Backends, type BackendsByService, serviceKey } from '../model/service.ts';
import { FAMILIES, type Family, familyAtSight } from '../net/family.ts';
import { eachOf, isReady, readPodOwners } from './workloads.ts';

/** What the pods of a cluster tell, of one list of them: that is the longest there is. */
export interface PodSurvey {
  readonly workloads: Known<readonly PodOwner[]>;
  readonly backends: Known<BackendsByService>;
}

/** All that is read of a Service and of a slice here; of pods nothing but what their owners are counted by. */
export const SELECTOR_FIELDS = ['spec.selector'] as const;
export const SLICE_FIELDS = ['metadata.labels', 'addressType', 'endpoints.conditions.ready'] as const;

/**
 * Lists Services, their EndpointSlices and all pods, page by page. Services come before pods: a Service that is made in between is not among those that are
 * counted, and so is not known rather than empty.
 */
export async function surveyPods(read: PagedReader): Promise<PodSurvey> {
  const counts = new Map<string, Count>();
  const byLabel: Selectors = new Map();
  const failure =
    (await eachOf(read, { apiVersion: 'v1', kind: 'Service', fields: SELECTOR_FIELDS }, (service) =>
      begin(service, counts, byLabel),
    )) ??
    (await eachOf(read, { apiVersion: 'discovery.k8s.io/v1', kind: 'EndpointSlice', fields: SLICE_FIELDS }, (slice) =>
      addSlice(slice, counts),
    ));
  const workloads = await readPodOwners(read, (pod) => addPod(pod, byLabel));
  if (failure !== null) return { workloads, backends: unknown(failure) };
  if (!workloads.known) return { workloads, backends: workloads };
  return {
    workloads,
    backends: known(Object.fromEntries([...counts].map(([key, count]) => [key, toBackends(count)]))),
  };
}

interface Count {
  readonly slices: Record<Family, number>;
  readonly endpoints: Record<Family, number>;
  readonly selector: Readonly<Record<string, string>> | null;
  ready: number;
  readonly having: Record<Family, number>;
  addressed: number;
  readonly lacking: Record<Family, number>;
}

/** Services by their namespace and one label that their pods have: so a pod is held against few selectors only. */
type Selectors = Map<string, Count[]>;

const labelKey = (namespace: string, key: string, value: string): string => `${namespace}/${key}=${value}`;

const keyOf = ({ metadata }: KubeObject, name = metadata.name): string =>
  serviceKey({ namespace: metadata.namespace ?? '', name });

function begin(service: KubeObject, counts: Map<string, Count>, byLabel: Selectors): void {
  const selector = (at(service, 'spec', 'selector') as Record<string, string> | undefined) ?? {};
  const rarest = rarestOf(Object.entries(selector));
  const count: Count = {
    slices: { IPv4: 0, IPv6: 0 },
    endpoints: { IPv4: 0, IPv6: 0 },
    selector: rarest === undefined ? null : selector,
    ready: 0,
    having: { IPv4: 0, IPv6: 0 },
    addressed: 0,
    lacking: { IPv4: 0, IPv6: 0 },
  };
  counts.set(keyOf(service), count);
  if (rarest === undefined) return;
  const key = labelKey(service.metadata.namespace ?? '', ...rarest);
  byLabel.set(key, [...(byLabel.get(key) ?? []), count]);
}

/** Names tell pods apart better than `app.kubernetes.io/managed-by: Helm` does; without knowing the pods, the longest text is as good a guess as any. */
const rarestOf = (entries: readonly [string, string][]): [string, string] | undefined =>
  entries.toSorted(([, a], [, b]) => b.length - a.length)[0];

function addSlice(slice: KubeObject, counts: ReadonlyMap<string, Count>): void {
  const name = slice.metadata.labels?.['kubernetes.io/service-name'];
  const count = name === undefined ? undefined : counts.get(keyOf(slice, name));
  const family = FAMILIES.find((each) => each === at(slice, 'addressType'));
  if (count === undefined || family === undefined) return;
  count.slices[family] += 1;
  count.endpoints[family] += asArray(at(slice, 'endpoints')).filter(isServing).length;
}

/** An endpoint of which nothing is said counts as ready (https://github.com/kubernetes/api/blob/v0.36.3/discovery/v1/types.go, `Ready`). */
const isServing = (endpoint: unknown): boolean => at(endpoint, 'conditions', 'ready') !== false;

function addPod(pod: KubeObject, byLabel: Selectors): void {
  const phase = at(pod, 'status', 'phase');
  if (pod.metadata.deletionTimestamp !== undefined || phase === 'Succeeded' || phase === 'Failed') return;
  const labels = pod.metadata.labels ?? {};
  const families = familiesOf(pod);
  const isAddressed = families.size > 0;
  for (const [key, value] of Object.entries(labels)) {
    for (const count of byLabel.get(labelKey(pod.metadata.namespace ?? '', key, value)) ?? []) {
      if (!selects(count.selector ?? {}, labels)) continue;
      if (isAddressed) count.addressed += 1;
      for (const family of FAMILIES) if (isAddressed && !families.has(family)) count.lacking[family] += 1;
      if (!isReady(pod)) continue;
      count.ready += 1;
      for (const family of families) count.having[family] += 1;
    }
  }
}

const selects = (selector: Readonly<Record<string, string>>, labels: Readonly<Record<string, string>>): boolean =>
  Object.entries(selector).every(([key, value]) => labels[key] === value);

function familiesOf(pod: KubeObject): ReadonlySet<Family> {
  const addresses = asArray(at(pod, 'status', 'podIPs')).flatMap((entry) => asString(at(entry, 'ip')) ?? []);
  return new Set(addresses.map(familyAtSight));
}

const toBackends = ({ slices, endpoints, selector, ready, having, addressed, lacking }: Count): Backends => ({
  slices,
  endpoints,
  pods: selector === null ? null : { ready, having, addressed, lacking },
});
