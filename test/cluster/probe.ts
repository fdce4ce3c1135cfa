import { Agent, request } from 'undici';
import type { LaunchHost } from './launch.ts';
import { mapAddresses } from './launch.ts';
import type { Container } from './staticpods.ts';

const PROBE_TIMEOUT_MS = 2000;
/** Any certificate will do, as for a kubelet. Connections are kept: a new one for each probe costs a quarter of a core. */
const agent = new Agent({ connect: { rejectUnauthorized: false } });

/** Asks a container's health endpoint: the readiness probe, else the one that tells start-up or life. */
export async function probe(container: Container, host: LaunchHost, signal: AbortSignal): Promise<boolean> {
  const check = (container.readinessProbe ?? container.startupProbe ?? container.livenessProbe)?.httpGet;
  if (!check) return true;
  const port =
    typeof check.port === 'number'
      ? check.port
      : container.ports?.find((port) => port.name === check.port)?.containerPort;
  const address = mapAddresses(host, check.host ?? '127.0.0.1');
  return answers(`${(check.scheme ?? 'HTTP').toLowerCase()}://${address}:${port}${check.path}`, signal);
}

/** Whether the address answers with success in time. */
export async function answers(url: string, signal: AbortSignal): Promise<boolean> {
  try {
    const limit = AbortSignal.any([signal, AbortSignal.timeout(PROBE_TIMEOUT_MS)]);
    const response = await request(url, { dispatcher: agent, signal: limit });
    await response.body.dump();
    return response.statusCode >= 200 && response.statusCode < 400;
  } catch {
    return false;
  }
}
