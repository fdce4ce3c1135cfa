import { errorText, type KubeError } from '../kube/errors.ts';
import type { KubeClient } from '../kube/client.ts';
import type { Proof, ProofCheck } from '../model/outcome.ts';
import { asArray, at, type KubeObject, type ObjectRef } from '../model/object.ts';
import type { Verify } from '../model/step.ts';
import type { Clock } from '../runtime/clock.ts';
import {
  hasAllSlices,
  judgeProbe,
  PROBE_LABEL,
  probeName,
  serviceProbes,
  type ServiceProbe,
} from '../verify/probes.ts';
import { familyAtSight } from '../net/family.ts';

export interface ProveDeps {
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly namespace: string;
  /** Sets the names of this run apart. */
  readonly suffix: string;
}

/** How long a controller may take to make the EndpointSlices of a new Service. */
const SLICES_WITHIN_MS = 20_000;
const LOOK_EVERY_MS = 250;

/**
 * Proves through the API that the cluster deals in the wanted families: the ServiceCIDR holds them, and Services of each policy get the
 * right addresses and EndpointSlices. The probe Services live a few seconds and are removed whatever happens; what an earlier,
 * killed run left behind is removed first.
 */
export async function prove(step: Verify, deps: ProveDeps): Promise<Proof> {
  await removeProbes(deps);
  const cidr = await checkServiceCIDR(step, deps);
  const checks: ProofCheck[] = [cidr];
  try {
    for (const probe of serviceProbes(step.families, deps.namespace, deps.suffix)) {
      checks.push(await runProbe(probe, deps));
    }
  } finally {
    await removeProbes(deps);
  }
  return { fingerprint: step.fingerprint, at: new Date(deps.clock.now()).toISOString(), checks };
}

async function checkServiceCIDR(step: Verify, { client }: ProveDeps): Promise<ProofCheck> {
  const name = 'ServiceCIDR kubernetes';
  const read = await client.get({ apiVersion: 'networking.k8s.io/v1', kind: 'ServiceCIDR', name: 'kubernetes' });
  if (!read.ok) return failed(name, read.error);
  const cidrs = asArray(at(read.value, 'spec', 'cidrs')).map(String);
  const families = cidrs.map(familyAtSight);
  const ok = families.join() === step.families.join();
  return { name, ok, detail: `${cidrs.join(',')}; wanted ${step.families.join(',')}` };
}

async function runProbe(probe: ServiceProbe, deps: ProveDeps): Promise<ProofCheck> {
  const created = await deps.client.create(probe.object);
  if (!created.ok) return failed(`Service ${probeName(probe)}`, created.error);
  const slices = await awaitSlices(probe, deps);
  return judgeProbe(probe, created.value, slices);
}

async function awaitSlices(probe: ServiceProbe, { client, clock }: ProveDeps): Promise<readonly KubeObject[]> {
  const { name, namespace } = probe.object.metadata;
  const deadline = clock.now() + SLICES_WITHIN_MS;
  for (;;) {
    const read = await client.list({
      apiVersion: 'discovery.k8s.io/v1',
      kind: 'EndpointSlice',
      ...(namespace === undefined ? {} : { namespace }),
      labelSelector: `kubernetes.io/service-name=${name}`,
    });
    const slices = read.ok ? read.value.items : [];
    if (hasAllSlices(probe, slices) || clock.now() >= deadline) return slices;
    await clock.sleep(LOOK_EVERY_MS);
  }
}

async function removeProbes({ client, namespace }: ProveDeps): Promise<void> {
  const left = await client.list({
    apiVersion: 'v1',
    kind: 'Service',
    namespace,
    labelSelector: `${PROBE_LABEL}=true`,
  });
  if (!left.ok) return;
  for (const service of left.value.items) {
    const ref: ObjectRef = { apiVersion: 'v1', kind: 'Service', namespace, name: service.metadata.name };
    // One that cannot be removed now is removed by the next run; it has no endpoints and harms nobody.
    await client.delete(ref);
  }
}

const failed = (name: string, error: KubeError): ProofCheck => ({ name, ok: false, detail: errorText(error) });
