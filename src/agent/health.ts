import { request as httpRequest } from 'node:http';
import type { ClientRequest, IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { AskHealth } from './host.ts';
import type { Probe } from './manifest.ts';

/** An anonymous question may be refused (401, 403): whoever refuses it is alive. */
const ALIVE: readonly number[] = [200, 401, 403];

interface HealthOptions {
  /** Where an address of the host is to be dialled, if not there. */
  readonly mapAddress?: (host: string) => string;
  readonly timeoutMs?: number;
}

/**
 * Asks a component on this host whether it works. False: it does not answer, or says that it is not well. Null: nobody listens.
 *
 * The certificate is not verified: nothing secret is sent, nothing but the status is believed, and the authority that signed it may
 * be known to the component alone.
 */
export function makeAskHealth({ mapAddress = (host) => host, timeoutMs = 3_000 }: HealthOptions): AskHealth {
  return (probe) =>
    new Promise((resolve) => {
      const asked = ask(probe, mapAddress(hostOf(probe)), timeoutMs, (status) => resolve(ALIVE.includes(status)));
      asked.on('error', (error) => resolve(isRefused(error) ? null : false));
      asked.end();
    });
}

/** A probe without a host means the Pod's address; on the host's network the loopback address serves as well. */
const hostOf = (probe: Probe): string => (['', '0.0.0.0', '::'].includes(probe.host) ? '127.0.0.1' : probe.host);

const isRefused = (error: Error): boolean => 'code' in error && error.code === 'ECONNREFUSED';

function ask(probe: Probe, host: string, timeoutMs: number, answer: (status: number) => void): ClientRequest {
  const { port, path } = probe;
  const options = { host, port, path, method: 'GET', agent: false, signal: AbortSignal.timeout(timeoutMs) } as const;
  const onResponse = (response: IncomingMessage): void => {
    response.resume();
    answer(response.statusCode ?? 0);
  };
  return probe.scheme === 'https'
    ? httpsRequest({ ...options, rejectUnauthorized: false }, onResponse)
    : httpRequest(options, onResponse);
}
