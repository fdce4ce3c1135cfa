import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Credentials } from './credentials.ts';

/** Where the kubelet puts a pod's token. */
export const SERVICE_ACCOUNT_FOLDER = '/var/run/secrets/kubernetes.io/serviceaccount';

/** Of a pod's service account. The files are read each time: the kubelet puts a new token there long before the old one ends. */
export const serviceAccount = (folder: string): Credentials => ({
  current: () =>
    Promise.resolve({
      tls: { ca: readFileSync(join(folder, 'ca.crt')) },
      headers: { authorization: `Bearer ${readFileSync(join(folder, 'token'), 'utf8').trim()}` },
      proxy: null,
    }),
});
