import { asString, at, type KubeObject, type ObjectRef } from './object.ts';
import { ifThere, type Known, type Reader } from './reader.ts';

/** Held by the instance of kube-controller-manager that leads. */
export const MANAGER_LEASE: ObjectRef = {
  apiVersion: 'coordination.k8s.io/v1',
  kind: 'Lease',
  namespace: 'kube-system',
  name: 'kube-controller-manager',
};

export interface LeaseFacts {
  readonly holder: string;
  /** RFC 3339, both by the holder's clock. */
  readonly acquiredAt: string;
  readonly renewedAt: string;
}

/** Known null: it is not there. */
export const readManagerLease = async (reader: Reader): Promise<Known<LeaseFacts | null>> =>
  ifThere(await reader.get(MANAGER_LEASE), toLease);

const toLease = (lease: KubeObject): LeaseFacts => ({
  holder: asString(at(lease, 'spec', 'holderIdentity')) ?? '',
  acquiredAt: asString(at(lease, 'spec', 'acquireTime')) ?? '',
  renewedAt: asString(at(lease, 'spec', 'renewTime')) ?? '',
});
