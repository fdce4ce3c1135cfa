import { API_VERSION, CLUSTER, NAMESPACE } from '../api/names.ts';
import type { Cluster } from '../kube/connect.ts';
import { errorText } from '../kube/errors.ts';
import { reflector } from '../kube/reflector.ts';
import type { Connectivity } from '../model/connectivity.ts';
import { asString, at, type KubeObject } from '../model/object.ts';
import { imageOf, type ProbeImage } from '../model/probe.ts';
import { familyAtSight } from '../net/family.ts';
import { clusterStatusOf } from '../api/cluster-status.ts';
import { governing } from '../api/governing.ts';
import { probePlan } from '../plan/probe-plan.ts';
import type { Clock, Random } from '../runtime/clock.ts';
import { err, ok, type Result } from '../result.ts';
import { familiesOf, resourceFromFlags } from './asked.ts';
import { readJoinFacts } from './join-facts.ts';
import { observeErrorText } from './output.ts';
import type { ClusterSession, LiveCluster, Observation, ObserveError, ProbeOptions, ProvePackets } from './session.ts';
import { observationWithLoads, takeSight } from './sight.ts';
import { watchNodes } from './watch-nodes.ts';

interface SessionDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly signal: AbortSignal;
  readonly provePackets: ProvePackets;
}

const RESOURCES = { apiVersion: API_VERSION, kind: CLUSTER.kind } as const;

/** A session over a connection; it only reads. */
export async function openSession(
  connected: Result<Cluster, string>,
  deps: SessionDeps,
): Promise<Result<ClusterSession, string>> {
  if (!connected.ok) return connected;
  const cluster = connected.value;
  return ok({
    live: () => readLive(cluster),
    observe: (resource) => look(cluster, resource, deps),
    getResource: (name) => getResource(cluster, name),
    watchResource: (name, signal) => watchResource(cluster, name, deps, signal),
    watchNodes: (options, signal) => watchNodes(options, { client: cluster.client, ...deps }, signal),
    probe: (options) => probe(cluster, options, deps),
    joinFacts: () => readJoinFacts(cluster.client),
    close: () => cluster.close(),
  });
}

async function readLive({ client }: Cluster): Promise<Result<LiveCluster, string>> {
  const namespace = await client.get({ apiVersion: 'v1', kind: 'Namespace', name: 'kube-system' });
  if (!namespace.ok) return err(errorText(namespace.error));
  const service = await client.get({ apiVersion: 'v1', kind: 'Service', namespace: 'default', name: 'kubernetes' });
  if (!service.ok) return err(errorText(service.error));
  const address = asString(at(service.value, 'spec', 'clusterIP')) ?? '';
  return ok({ uid: namespace.value.metadata.uid ?? '', primaryFamily: familyAtSight(address) });
}

async function look(
  { client }: Cluster,
  resource: KubeObject,
  { clock, signal }: SessionDeps,
): Promise<Result<Observation, ObserveError>> {
  const sight = await takeSight(resource, { client, clock, signal });
  return sight.ok ? ok(await observationWithLoads(sight.value, client, signal)) : sight;
}

async function getResource({ client }: Cluster, name?: string): Promise<Result<KubeObject | null, string>> {
  const all = await client.list(RESOURCES);
  // NotFound: the cluster does not know the kind, as before the installation.
  if (!all.ok) return all.error.kind === 'NotFound' ? ok(null) : err(errorText(all.error));
  if (name === undefined) return ok(governing(all.value.items));
  return ok(all.value.items.find((resource) => resource.metadata.name === name) ?? null);
}

async function probe(
  cluster: Cluster,
  options: ProbeOptions,
  deps: SessionDeps,
): Promise<Result<Connectivity, string>> {
  const image = await probeImage(cluster, options);
  if (!image.ok) return image;
  const governs = await getResource(cluster);
  if (!governs.ok) return governs;
  const seen = await look(cluster, governs.value ?? resourceFromFlags({}, { uid: '', primaryFamily: 'IPv4' }), deps);
  if (!seen.ok) return err(observeErrorText(seen.error));
  const { facts } = seen.value;
  const ranges = facts.serviceCIDR.known ? facts.serviceCIDR.value : [];
  const served = ranges.map(familyAtSight);
  const asked = governs.value === null ? [] : familiesOf(governs.value);
  const families = options.families ?? (asked.length > 0 ? asked : served);
  if (families.length === 0)
    return err('the families of the Service network could not be read: name them with --ip-families');
  const hops = governs.value === null ? [] : (clusterStatusOf(governs.value).connectivity?.hops ?? []);
  const suspects = hops.flatMap(({ nodes }) => nodes);
  return deps.provePackets(cluster.client, probePlan(facts, families, image.value, suspects), options.onProgress);
}

/** That of the operator as it is installed, so that the nodes have it already. */
async function probeImage({ client }: Cluster, { image }: ProbeOptions): Promise<Result<ProbeImage, string>> {
  if (image !== undefined) return ok({ image, pullPolicy: null, pullSecrets: [] });
  const read = await client.get({ apiVersion: 'apps/v1', kind: 'Deployment', namespace: NAMESPACE, name: OPERATOR });
  if (!read.ok && read.error.kind !== 'NotFound') return err(errorText(read.error));
  const found = read.ok ? imageOf(at(read.value, 'spec', 'template', 'spec')) : null;
  return found === null
    ? err(`there is no Deployment ${NAMESPACE}/${OPERATOR} whose image probe pods could be made of: give --probe-image`)
    : ok(found);
}

const OPERATOR = 'dualstack-operator';

const doNothing = (): void => undefined;

async function* watchResource(
  { client }: Cluster,
  name: string,
  deps: SessionDeps,
  signal: AbortSignal,
): AsyncIterable<KubeObject | null> {
  const ending = new AbortController();
  const either = AbortSignal.any([signal, ending.signal]);
  let wake: () => void = doNothing;
  const cache = reflector<KubeObject>({
    client,
    ...deps,
    query: { ...RESOURCES, fieldSelector: `metadata.name=${name}` },
    trim: (object) => object,
    onChange: () => wake(),
  });
  const running = cache.run(either);
  try {
    if (!(await cache.whenSynced(either))) return;
    let told: KubeObject | null | undefined;
    while (!either.aborted) {
      const changed = new Promise<void>((resolveChanged) => {
        wake = resolveChanged;
        either.addEventListener('abort', () => resolveChanged(), { once: true });
      });
      const now = cache.get(name) ?? null;
      if (now === told) await changed;
      else {
        told = now;
        yield now;
      }
    }
  } finally {
    ending.abort();
    await running;
  }
}
