import { FIELD_MANAGER } from '../api/names.ts';
import type { KubeClient } from '../kube/client.ts';
import { type KubeError, toOperatorError } from '../kube/errors.ts';
import { at, type JsonObject, type KubeObject, type ObjectRef, refText } from '../model/object.ts';
import type { Outcome } from '../model/outcome.ts';
import type { ProbeProgress } from '../model/probe.ts';
import type {
  ApplyObject,
  EditHost,
  MigrateService,
  RolloutWorkload,
  Step,
  TransferLease,
  VerifyPackets,
} from '../model/step.ts';
import { type Result, unreachable } from '../result.ts';
import type { Clock } from '../runtime/clock.ts';
import { nothingRun, summarize } from '../verify/summary.ts';
import { askServices } from './ask-services.ts';
import { drainNode } from './drain-node.ts';
import { type MigrateDeps, migrateServices } from './migrate-services.ts';
import { prove } from './prove.ts';
import { provePackets } from './prove-packets.ts';
import { replaceNode } from './replace-node.ts';
import { mergeSettings } from './settings.ts';

/** What `kubectl rollout restart` writes: people who let a GitOps tool overlook restarts have named this one. */
const RESTARTED_AT = 'kubectl.kubernetes.io/restartedAt';

/** Read by the admission policy `dualstack-lease-transfer`: who may hold the Lease, and until when only they may. */
const LEASE_TRANSFER = { apiVersion: 'v1', kind: 'ConfigMap', name: 'dualstack-lease-transfer' } as const;

export interface ExecuteDeps {
  readonly client: KubeClient;
  readonly clock: Clock;
  /** Where the operator's own objects live. */
  readonly namespace: string;
  /** A few random characters, for names that must not clash. */
  readonly suffix: () => string;
  /** A token that no host was asked with before; it tells which spec asks. */
  readonly attempt: () => string;
  /** Ends what takes long. */
  readonly signal: AbortSignal;
  /** How far a proof with packets is. */
  readonly onProgress?: (progress: ProbeProgress) => void;
  /** A Service whose change the API server did not take; absent: nobody remembers. */
  readonly onRefused?: MigrateDeps['onRefused'];
  /** A Service that was given its second family; absent: nobody counts. */
  readonly onGiven?: MigrateDeps['onGiven'];
}

const forget = (): void => undefined;

/** Carries out one Step. Says what it did; whether that was enough is for the next look at the cluster to tell. */
export async function execute(step: Step, deps: ExecuteDeps): Promise<Outcome> {
  switch (step.kind) {
    case 'ApplyObject':
      return applyObject(step, deps);
    case 'RolloutWorkload':
      return rolloutWorkload(step, deps);
    case 'EditHost':
      return editHost(step, deps);
    case 'ReplaceNode':
      return step.drain === undefined ? replaceNode(step, deps) : drainNode(step, step.drain, deps);
    case 'TransferLease':
      return transferLease(step, deps);
    case 'MigrateService':
      return migrateService(step, deps);
    case 'MigrateServices':
      return migrateServices(step, { ...deps, onRefused: deps.onRefused ?? forget, onGiven: deps.onGiven ?? forget });
    case 'Verify':
      return { is: 'Proven', proof: await prove(step, { ...deps, suffix: deps.suffix() }) };
    case 'VerifyPackets':
      return verifyPackets(step, deps);
    case 'AskServices': {
      const asked = await askServices(step, { ...deps, by: 'operator', suffix: deps.suffix() });
      return asked.ok ? { is: 'Asked', packets: asked.value } : { is: 'Refused', error: asked.error };
    }
    case 'WaitFor':
    case 'Handoff':
      return { is: 'Unchanged' };
    default:
      return unreachable(step);
  }
}

/** That a proof cannot be made for a reason that stays is its result: waiting for it would keep a way back from its end. */
async function verifyPackets(step: VerifyPackets, deps: ExecuteDeps): Promise<Outcome> {
  const proven = await provePackets(step, { ...deps, by: 'operator', suffix: deps.suffix() });
  if (proven.ok) return { is: 'Probed', connectivity: proven.value };
  if (proven.error.kind === 'Transient') return { is: 'Refused', error: proven.error };
  const { probe: plan, fingerprint, failedBefore } = step;
  const at = new Date(deps.clock.now()).toISOString();
  const harvest = nothingRun(`The proof with packets could not be made: ${proven.error.message}`);
  return { is: 'Probed', connectivity: summarize(harvest, { plan, fingerprint, failedBefore, at }) };
}

async function applyObject({ ref, write }: ApplyObject, { client }: ExecuteDeps): Promise<Outcome> {
  const manager = { fieldManager: FIELD_MANAGER };
  switch (write.is) {
    case 'Apply':
      return told(
        'applied',
        ref,
        await client.apply(withIdentity(ref, write.body), { ...manager, force: write.force }),
      );
    case 'MergePatch': {
      const metadata = {
        ...(at(write.body, 'metadata') as JsonObject | undefined),
        ...(write.resourceVersion === null ? {} : { resourceVersion: write.resourceVersion }),
      };
      return told('patched', ref, await client.mergePatch(ref, { ...write.body, metadata }, manager));
    }
    case 'JsonPatch': {
      const operations = write.body as unknown as Parameters<KubeClient['jsonPatch']>[1];
      return told('patched', ref, await client.jsonPatch(ref, operations, manager));
    }
    case 'Create':
      return told('created', ref, await client.create(withIdentity(ref, write.body), manager));
    case 'Delete':
      return told('deleted', ref, await client.delete(ref, { uid: write.uid }));
    default:
      return unreachable(write);
  }
}

async function rolloutWorkload({ ref, next }: RolloutWorkload, { client, clock }: ExecuteDeps): Promise<Outcome> {
  switch (next.is) {
    case 'Restart': {
      const restartedAt = new Date(clock.now()).toISOString().replace(/\.\d+Z$/u, 'Z');
      const patch = {
        metadata: { annotations: { [next.mark]: next.value }, resourceVersion: next.resourceVersion },
        spec: { template: { metadata: { annotations: { [RESTARTED_AT]: restartedAt } } } },
      };
      const patched = await client.mergePatch(ref, patch, { fieldManager: FIELD_MANAGER });
      // Changed, made anew or deleted since it was looked at: whether it is to be restarted still is for the next look to tell.
      const isOther = !patched.ok && (patched.error.kind === 'Conflict' || patched.error.kind === 'NotFound');
      return isOther ? { is: 'Unchanged' } : told('restarted', ref, patched);
    }
    case 'Annotate': {
      const annotations = { [next.annotation]: next.value };
      const patch = { spec: { template: { metadata: { annotations } } } };
      return told('rolled out', ref, await client.mergePatch(ref, patch, { fieldManager: FIELD_MANAGER }));
    }
    case 'DeletePods': {
      for (const { name, uid } of next.pods) {
        const pod: ObjectRef = { ...ref, apiVersion: 'v1', kind: 'Pod', name };
        const deleted = await client.delete(pod, { uid });
        // Somebody was quicker: the pod is gone or another one by now, which is what was wanted.
        if (!deleted.ok && deleted.error.kind !== 'NotFound' && deleted.error.kind !== 'Conflict')
          return refused(deleted.error);
      }
      return next.pods.length === 0
        ? { is: 'Unchanged' }
        : {
            is: 'Changed',
            what: `replaced ${next.pods.map((pod) => `Pod ${pod.name}`).join(', ')} of ${refText(ref)}`,
          };
    }
    default:
      return unreachable(next);
  }
}

async function editHost({ node, settings }: EditHost, { client, attempt }: ExecuteDeps): Promise<Outcome> {
  const ref: ObjectRef = { apiVersion: 'dualstack.dev/v1alpha1', kind: 'DualStackNode', name: node };
  const current = await client.get(ref);
  if (!current.ok) return refused(current.error);
  // A new token each time: an agent that refused these very settings, or saw them undone by another hand, tries again only when asked.
  const spec = { ...mergeSettings(at(current.value, 'spec') ?? {}, settings), again: attempt() };
  // With the resourceVersion that was read, so that settings merged into an older spec cannot win over a newer one.
  const metadata = { name: node, resourceVersion: current.value.metadata.resourceVersion ?? '' };
  const body = { metadata, spec };
  return told('set', ref, await client.apply(withIdentity(ref, body), { fieldManager: FIELD_MANAGER, force: true }));
}

async function transferLease({ lease, holderPrefix, forSeconds }: TransferLease, deps: ExecuteDeps): Promise<Outcome> {
  const ref: ObjectRef = { ...LEASE_TRANSFER, namespace: deps.namespace };
  const until = new Date(deps.clock.now() + forSeconds * 1000).toISOString();
  const body = { data: { holderPrefix, until } };
  const applied = await deps.client.apply(withIdentity(ref, body), { fieldManager: FIELD_MANAGER, force: true });
  return applied.ok
    ? { is: 'Changed', what: `only holders beginning with ${holderPrefix} may renew ${refText(lease)} until ${until}` }
    : refused(applied.error);
}

async function migrateService({ ref, policy, families }: MigrateService, { client }: ExecuteDeps): Promise<Outcome> {
  const patch = { spec: { ipFamilyPolicy: policy, ipFamilies: families } };
  return told('changed', ref, await client.mergePatch(ref, patch, { fieldManager: FIELD_MANAGER }));
}

/** A step's body says what is set; which object that is, its ref says. */
function withIdentity({ apiVersion, kind, name, namespace }: ObjectRef, body: JsonObject): KubeObject {
  const metadata = {
    ...(body['metadata'] as JsonObject | undefined),
    name,
    ...(namespace === undefined ? {} : { namespace }),
  };
  return { ...body, apiVersion, kind, metadata };
}

function told(verb: string, ref: ObjectRef, result: Result<unknown, KubeError>): Outcome {
  return result.ok ? { is: 'Changed', what: `${verb} ${refText(ref)}` } : refused(result.error);
}

const refused = (error: KubeError): Outcome => ({ is: 'Refused', error: toOperatorError(error) });
