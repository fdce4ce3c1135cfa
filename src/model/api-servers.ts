import { asString, at } from './object.ts';
import { type Known, known, type Reader, unknown } from './reader.ts';

/** What an API server tells of itself. */
export interface Identity {
  readonly hostname: string;
  /** Names its process: another one after each start. */
  readonly holder: string;
}

/** Each API server renews a Lease of its own, since 1.26 (Kubernetes: pkg/controlplane/apiserver/server.go). */
const IDENTITY_LABEL = 'apiserver.kubernetes.io/identity=kube-apiserver';

/** The API servers that there are, as their Leases in kube-system tell. */
export async function readAPIServers(reader: Reader): Promise<Known<readonly Identity[]>> {
  const read = await reader.list({
    apiVersion: 'coordination.k8s.io/v1',
    kind: 'Lease',
    namespace: 'kube-system',
    labelSelector: IDENTITY_LABEL,
  });
  if (read.is === 'Unreadable') return unknown(read.why);
  if (read.is === 'Missing') return known([]);
  return known(
    read.value.flatMap((lease) => {
      const hostname = lease.metadata.labels?.['kubernetes.io/hostname'];
      const holder = asString(at(lease, 'spec', 'holderIdentity'));
      return hostname === undefined || holder === undefined ? [] : [{ hostname, holder }];
    }),
  );
}
