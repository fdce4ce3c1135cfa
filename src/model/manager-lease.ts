import { asString, at, type KubeObject, type ObjectRef } from './object.ts';
import type { Permission } from './plugin.ts';
import { ifThere, type Known, type Reader } from './reader.ts';

/** Held by the instance of kube-controller-manager that leads. */
export const MANAGER_LEASE: ObjectRef = {
  apiVersion: 'coordination.k8s.io/v1',
  kind: 'Lease',
  namespace: 'kube-system',
  name: 'kube-controller-manager',
};

/** Read by the admission policy that lets a Lease pass to one holder; written when a step asks for it. */
const LEASE_TRANSFER: ObjectRef = {
  apiVersion: 'v1',
  kind: 'ConfigMap',
  namespace: 'dualstack-system',
  name: 'dualstack-lease-transfer',
};

export const PASS_ON_MANAGER_LEASE: readonly Permission[] = [
  {
    why: 'see which kube-controller-manager leads, and since when',
    namespace: 'kube-system',
    apiGroups: ['coordination.k8s.io'],
    resources: ['leases'],
    resourceNames: [MANAGER_LEASE.name],
    verbs: ['get'],
  },
  {
    why: 'let the Lease of kube-controller-manager pass to the instance that was changed first',
    namespace: 'dualstack-system',
    apiGroups: [''],
    resources: ['configmaps'],
    resourceNames: [LEASE_TRANSFER.name],
    verbs: ['get', 'patch'],
  },
  {
    why: 'a server-side apply that makes the object is a create, which cannot be limited to one name',
    namespace: 'dualstack-system',
    apiGroups: [''],
    resources: ['configmaps'],
    verbs: ['create'],
  },
];

export interface LeaseFacts {
  readonly holder: string;
  /** RFC 3339, both by the holder's clock. */
  readonly acquiredAt: string;
  readonly renewedAt: string;
}

/** The transfer of that Lease that was asked for last. */
export interface LeaseTransferFacts {
  readonly holderPrefix: string;
  /** RFC 3339. */
  readonly until: string;
}

/** Known null: it is not there. */
export const readManagerLease = async (reader: Reader): Promise<Known<LeaseFacts | null>> =>
  ifThere(await reader.get(MANAGER_LEASE), toLease);

const toLease = (lease: KubeObject): LeaseFacts => ({
  holder: asString(at(lease, 'spec', 'holderIdentity')) ?? '',
  acquiredAt: asString(at(lease, 'spec', 'acquireTime')) ?? '',
  renewedAt: asString(at(lease, 'spec', 'renewTime')) ?? '',
});

/** Null: none was asked for, or nobody can tell. */
export async function readLeaseTransfer(reader: Reader): Promise<LeaseTransferFacts | null> {
  const read = await reader.get(LEASE_TRANSFER);
  return read.is === 'Found' ? toTransfer(read.value) : null;
}

const toTransfer = (object: KubeObject): LeaseTransferFacts => ({
  holderPrefix: asString(at(object, 'data', 'holderPrefix')) ?? '',
  until: asString(at(object, 'data', 'until')) ?? '',
});
