import { open } from 'node:fs/promises';

/** One finished write request as an API server logged it. */
export interface AuditedWrite {
  readonly node: string;
  readonly at: number;
  readonly user: string;
  readonly verb: string;
  /** `group/resource[/subresource]`; the core group is left out. */
  readonly resource: string;
  readonly namespace: string;
  readonly name: string;
  readonly code: number;
  readonly userAgent: string;
  readonly dryRun: boolean;
}

export const AUDIT_POLICY = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
omitManagedFields: true
rules:
- level: Metadata
  verbs: [create, update, patch, delete, deletecollection]
- level: None
`;

interface AuditEvent {
  readonly requestReceivedTimestamp: string;
  readonly requestURI: string;
  readonly verb: string;
  readonly user: { readonly username: string };
  readonly userAgent?: string;
  readonly objectRef?: {
    readonly resource?: string;
    readonly subresource?: string;
    readonly apiGroup?: string;
    readonly namespace?: string;
    readonly name?: string;
  };
  readonly responseStatus?: { readonly code?: number };
}

/** Writes received since then, of one node's API server; no log yet means none. Read by lines: of thousands of objects it is longer than a string may be. */
export async function readAudit(node: string, file: string, since: number): Promise<AuditedWrite[]> {
  const log = await open(file).catch(() => null);
  if (log === null) return [];
  const writes: AuditedWrite[] = [];
  for await (const line of log.readLines()) {
    if (!line.endsWith('}')) continue;
    const write = toWrite(node, JSON.parse(line) as AuditEvent);
    if (write.at >= since) writes.push(write);
  }
  return writes;
}

function toWrite(node: string, event: AuditEvent): AuditedWrite {
  const { resource = '', subresource, apiGroup, namespace = '', name = '' } = event.objectRef ?? {};
  return {
    node,
    at: Date.parse(event.requestReceivedTimestamp),
    user: event.user.username,
    verb: event.verb,
    resource: [apiGroup, resource, subresource].filter(Boolean).join('/'),
    namespace,
    name,
    code: event.responseStatus?.code ?? 0,
    userAgent: event.userAgent ?? '',
    dryRun: event.requestURI.includes('dryRun='),
  };
}
