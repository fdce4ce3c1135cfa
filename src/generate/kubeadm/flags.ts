import { err, ok, type Result } from '../../result.ts';
import type { Flag, FlagValues } from '../contract.ts';
import { first } from '../flags.ts';
import { nodeFlag } from '../nodes.ts';

export const CONTROL_PLANE = nodeFlag('control-plane', 'control-plane node (the first one runs kubeadm init)');
export const WORKER = nodeFlag('worker', 'worker node');

export const ENDPOINT: Flag = {
  name: 'control-plane-endpoint',
  value: 'host:port',
  description: 'where all nodes find the API: a balancer or DNS name; needed for more than one control-plane node',
};

export const BIND_PORT: Flag = {
  name: 'bind-port',
  value: 'port',
  description: 'port of each API server; else 6443',
};

export const TOKEN: Flag = {
  name: 'token',
  value: 'token',
  description: 'bootstrap token, such as "kubeadm token generate" prints; else a placeholder that joins nothing',
};

export const CA_HASH: Flag = {
  name: 'discovery-token-ca-cert-hash',
  value: 'sha256:hex',
  description: "hash of the cluster's authority, as kubeadm init prints it; else a placeholder that matches none",
};

export const CERTIFICATE_KEY: Flag = {
  name: 'certificate-key',
  value: 'hex',
  description: 'key for "kubeadm init --upload-certs", as "kubeadm certs certificate-key" prints it',
};

export const DEFAULT_PORT = 6443;

/** What nodes prove to each other when one joins. */
export interface Trust {
  readonly token: string | null;
  readonly caHash: string | null;
  readonly certificateKey: string | null;
}

/** Formats as kubeadm checks them (cmd/kubeadm/app/apis/kubeadm/validation, k8s.io/cluster-bootstrap). */
const FORMATS = [
  [TOKEN, /^[a-z0-9]{6}\.[a-z0-9]{16}$/u, 'six characters, a dot and sixteen, of a-z and 0-9'],
  [CA_HASH, /^sha256:[0-9a-f]{64}$/u, 'sha256: and 64 hexadecimal digits'],
  [CERTIFICATE_KEY, /^[0-9a-f]{64}$/u, '64 hexadecimal digits'],
] as const;

/** The values are secrets, so no message repeats one. */
export function parseTrust(values: FlagValues): Result<Trust, readonly string[]> {
  const problems = FORMATS.flatMap(([flag, format, description]) => {
    const value = first(values, flag);
    return value === undefined || format.test(value) ? [] : [`--${flag.name}: the value must be ${description}`];
  });
  if (problems.length > 0) return err(problems);
  return ok({
    token: first(values, TOKEN) ?? null,
    caHash: first(values, CA_HASH) ?? null,
    certificateKey: first(values, CERTIFICATE_KEY) ?? null,
  });
}

export function parsePort(values: FlagValues): Result<number, string> {
  const text = first(values, BIND_PORT) ?? String(DEFAULT_PORT);
  const port = /^\d{1,5}$/u.test(text) ? Number(text) : 0;
  return port >= 1 && port <= 65_535 ? ok(port) : err(`--${BIND_PORT.name}: "${text}" is no port from 1 to 65535`);
}
