import { API_VERSION, CLUSTER } from '../api/names.ts';
import { resolve } from '../api/resolve.ts';
import type { Cluster } from '../kube/connect.ts';
import { errorText, type KubeError } from '../kube/errors.ts';
import { clientReader, snapshotReader } from '../kube/reader.ts';
import { reflector } from '../kube/reflector.ts';
import { asString, at, type KubeObject } from '../model/object.ts';
import { observe } from '../observe/observe.ts';
import { clusterStatusOf } from '../api/cluster-status.ts';
import { governing } from '../api/governing.ts';
import { makePlan } from '../plan/plan.ts';
import { whyMissing } from '../report/causes.ts';
import { memoryOf } from '../report/memory.ts';
import { registry, vocabulary } from '../registry.ts';
import type { Clock, Random } from '../runtime/clock.ts';
import { err, ok, type Result } from '../result.ts';
import type { ClusterSession, LiveCluster, Observation, ObserveError } from './session.ts';

export interface SessionDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly signal: AbortSignal;
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
    close: () => cluster.close(),
  });
}

async function readLive({ client }: Cluster): Promise<Result<LiveCluster, string>> {
  const namespace = await client.get({ apiVersion: 'v1', kind: 'Namespace', name: 'kube-system' });
  if (!namespace.ok) return err(errorText(namespace.error));
  const service = await client.get({ apiVersion: 'v1', kind: 'Service', namespace: 'default', name: 'kubernetes' });
  if (!service.ok) return err(errorText(service.error));
  const address = asString(at(service.value, 'spec', 'clusterIP')) ?? '';
  return ok({ uid: namespace.value.metadata.uid ?? '', primaryFamily: address.includes(':') ? 'IPv6' : 'IPv4' });
}

async function look(
  { client }: Cluster,
  resource: KubeObject,
  deps: SessionDeps,
): Promise<Result<Observation, ObserveError>> {
  const request = resolve(resource['spec'], vocabulary);
  if (!request.ok) return err({ kind: 'Invalid', problems: request.error });
  const [version, groupVersions] = await Promise.all([client.serverVersion(), client.groupVersions()]);
  if (!version.ok) return unreadable(version.error);
  if (!groupVersions.ok) return unreadable(groupVersions.error);
  const server = { kubernetesVersion: version.value.gitVersion, groupVersions: groupVersions.value };
  const facts = await observe(
    snapshotReader(clientReader(client, deps.signal)),
    server,
    registry,
    request.value,
    deps.clock.now(),
  );
  if (!facts.ok) return err({ kind: 'Unreadable', message: facts.error });
  const memory = memoryOf(clusterStatusOf(resource), resource.metadata.generation ?? 0);
  const plan = makePlan(request.value, facts.value, registry.bind(facts.value), memory);
  return ok({ facts: facts.value, plan, whyMissing });
}

const unreadable = (error: KubeError): Result<never, ObserveError> =>
  err({ kind: 'Unreadable', message: errorText(error) });

async function getResource({ client }: Cluster, name?: string): Promise<Result<KubeObject | null, string>> {
  const all = await client.list(RESOURCES);
  // NotFound: the cluster does not know the kind, as before the installation.
  if (!all.ok) return all.error.kind === 'NotFound' ? ok(null) : err(errorText(all.error));
  if (name === undefined) return ok(governing(all.value.items));
  return ok(all.value.items.find((resource) => resource.metadata.name === name) ?? null);
}

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
