import { FIELD_MANAGER, FIRST_STATE } from '../api/names.ts';
import type { KubeClient } from '../kube/client.ts';
import { errorText, isTransient, type KubeError, toOperatorError } from '../kube/errors.ts';
import { listText } from '../model/list-text.ts';
import { type KubeObject, type ObjectRef, refText } from '../model/object.ts';
import type { Outcome } from '../model/outcome.ts';
import type { MigrateServices, ServiceMigration } from '../model/step.ts';
import type { Result } from '../result.ts';
import type { Clock } from '../runtime/clock.ts';

export interface MigrateDeps {
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Remembers a Service whose change was not taken, so that it does not take the place of others in the next batch as well. */
  readonly onRefused: (service: ServiceMigration, why: string) => void;
  /** Counts how often one is given its second family. */
  readonly onGiven: (service: ServiceMigration) => void;
}

/** Requests per second at most: 10,000 Services take nine minutes, and an API server with default limits does not notice. */
const PER_SECOND = 20;
/** After so many internal errors on end it is looked around again. */
const FAILURES_ON_END = 5;

/**
 * Changes Services one after another. Families and the annotation that keeps the first state go in one request: whenever this ends, a Service is either as it was
 * or can be put back. One that was changed or deleted since it was looked at is left for the next look; one whose change is refused holds up no other.
 */
export async function migrateServices({ services }: MigrateServices, deps: MigrateDeps): Promise<Outcome> {
  const changed: string[] = [];
  const refusals: KubeError[] = [];
  let onEnd = 0;
  for (const service of services) {
    if (deps.signal.aborted) break;
    const begun = deps.clock.monotonic();
    const ref: ObjectRef = { apiVersion: 'v1', kind: 'Service', namespace: service.namespace, name: service.name };
    const patched = await change(ref, service, deps.client);
    if (patched.ok) {
      changed.push(refText(ref));
      if (typeof service.firstState === 'string') deps.onGiven(service);
    } else if (!isOther(patched.error)) {
      // What is wrong with the server is wrong for the rest of them too.
      if (isTransient(patched.error) && patched.error.kind !== 'ServerError') return refused(patched.error);
      deps.onRefused(service, errorText(patched.error));
      refusals.push(patched.error);
    }
    onEnd = !patched.ok && patched.error.kind === 'ServerError' ? onEnd + 1 : 0;
    if (!patched.ok && onEnd >= FAILURES_ON_END) {
      if (!isOfService(patched.error)) return refused(patched.error);
      break;
    }
    await deps.clock.sleep(1000 / PER_SECOND - (deps.clock.monotonic() - begun), deps.signal);
  }
  if (changed.length > 0) return { is: 'Changed', what: changedText(changed, refusals) };
  return refusals.length > 0 ? { is: 'Unchanged', why: refusedText(refusals) } : { is: 'Unchanged' };
}

/**
 * There by server-side apply, so that whoever has set the families of this Service is asked first: what the API server filled in by itself belongs to nobody. Back by a
 * patch: what is put back is nobody's wish but of those who had it so.
 */
async function change(
  ref: ObjectRef,
  service: ServiceMigration,
  client: KubeClient,
): Promise<Result<KubeObject, KubeError>> {
  const { resourceVersion, policy, families, firstState, force } = service;
  const how = { fieldManager: FIELD_MANAGER };
  const spec = { ipFamilyPolicy: policy, ipFamilies: families };
  if (typeof firstState !== 'string') {
    const mark = firstState === undefined ? {} : { annotations: { [FIRST_STATE]: firstState } };
    return client.mergePatch(ref, { metadata: { resourceVersion, ...mark }, spec }, how);
  }
  const { apiVersion, kind, name } = ref;
  const metadata = { name, namespace: service.namespace, resourceVersion, annotations: { [FIRST_STATE]: firstState } };
  const body: KubeObject = { apiVersion, kind, metadata, spec };
  const applied = await client.apply(body, { ...how, force: force === true });
  const isOwn = !applied.ok && applied.error.conflicts?.every(({ manager }) => manager === FIELD_MANAGER);
  // It was put back once before, by a patch, and these count as another hand.
  return isOwn === true ? client.apply(body, { ...how, force: true }) : applied;
}

/** Changed, made anew or deleted since it was looked at. */
const isOther = ({ kind, conflicts }: KubeError): boolean =>
  (kind === 'Conflict' && conflicts === undefined) || kind === 'NotFound';

/**
 * A webhook that is broken or slow answers for its own namespaces, and addresses that are used up matter to Services with cluster IPs alone
 * (https://github.com/kubernetes/apiserver/blob/v0.36.3/pkg/admission/plugin/webhook/validating/dispatcher.go,
 * https://github.com/kubernetes/kubernetes/blob/v1.36.3/pkg/registry/core/service/storage/alloc.go).
 */
const isOfService = ({ message }: KubeError): boolean => /failed calling webhook|failed to allocate/u.test(message);

/** Each is small, and there are thousands: the log names a few. */
const changedText = (changed: readonly string[], refusals: readonly KubeError[]): string =>
  [`changed the families of ${listText(changed)}`, ...(refusals.length > 0 ? [refusedText(refusals)] : [])].join('; ');

const refusedText = (refusals: readonly KubeError[]): string =>
  `${refusals.length} were refused, the first: ${refusals.slice(0, 1).map(errorText).join('')}`;

const refused = (error: KubeError): Outcome => ({ is: 'Refused', error: toOperatorError(error) });
