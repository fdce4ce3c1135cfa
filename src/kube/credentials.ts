import type { Agent } from 'node:http';
import type { ConnectionOptions } from 'node:tls';

/** How one user proves to an API server who they are, and knows it for the right one. */
export interface Credentials {
  /** As they are at this moment: tokens and certificates are rotated on disk, and plug-ins hand out new ones. */
  current(): Promise<Proof>;
}

export interface Proof {
  readonly tls: TLSMaterial;
  readonly headers: Readonly<Record<string, string>>;
  /** Leads through the proxy that the kubeconfig names; null: straight to the server. */
  readonly proxy: Agent | null;
}

export type TLSMaterial = Pick<
  ConnectionOptions,
  'ca' | 'cert' | 'key' | 'pfx' | 'passphrase' | 'servername' | 'rejectUnauthorized'
>;
