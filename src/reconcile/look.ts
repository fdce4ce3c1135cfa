import { errorText } from '../kube/errors.ts';
import { clientReader, readServerInfo, snapshotReader } from '../kube/reader.ts';
import type { ClusterFacts } from '../model/facts.ts';
import type { Request } from '../model/request.ts';
import { observe } from '../observe/observe.ts';
import { registry } from '../registry.ts';
import { err, ok, type Result } from '../result.ts';
import type { PassDeps } from './pass-deps.ts';

export type LookDeps = Pick<PassDeps, 'client' | 'clock' | 'workloads' | 'refusals' | 'trafficRules' | 'probeImage'>;

/** How old the list of workloads may be that the status is made of. What is decided by it is read anew: one of before the last restart would ask for another. */
const WORKLOADS_MS = 30_000;

/** Looks at the whole cluster once, for one pass. */
export async function look(request: Request, deps: LookDeps): Promise<Result<ClusterFacts, string>> {
  const { client, clock, workloads } = deps;
  const server = await readServerInfo(client);
  if (!server.ok) return err(errorText(server.error));
  const reader = snapshotReader(clientReader(client));
  const readWorkloads = () => workloads.get(WORKLOADS_MS);
  const readBackends = () => workloads.backends(WORKLOADS_MS);
  const facts = await observe(reader, server.value, registry, request, clock.now(), readWorkloads, readBackends);
  if (!facts.ok) return facts;
  return withImage({ ...facts.value, refusals: deps.refusals.known(), trafficRules: await deps.trafficRules() }, deps);
}

async function withImage(facts: ClusterFacts, { probeImage }: LookDeps): Promise<Result<ClusterFacts, string>> {
  if (probeImage === undefined) return ok(facts);
  const found = await probeImage();
  if (!found.ok) return found;
  return ok(found.value === null ? facts : { ...facts, probeImage: found.value });
}
