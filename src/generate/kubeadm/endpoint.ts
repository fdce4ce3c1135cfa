import { parseAddress } from '../../net/address.ts';
import { err, ok, type Result } from '../../result.ts';

/** An address and port as kubeadm and URLs write them: IPv6 stands in brackets. */
export const hostPort = (host: string, port: number): string =>
  host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;

export interface Endpoint {
  /** An address in its canonical spelling, or a DNS name. */
  readonly host: string;
  readonly port: number;
}

const DNS_NAME = /^(?=.{1,253}$)[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/u;

/** `name:port`, `192.0.2.10:port` or `[2001:db8::10]:port`; without a port the given one counts. */
export function parseEndpoint(text: string, where: string, defaultPort: number): Result<Endpoint, string> {
  const [, bracketed, plain, digits] = /^(?:\[([^\]]+)\]|([^:[\]]+))(?::(\d{1,5}))?$/u.exec(text) ?? [];
  const host = bracketed ?? plain;
  const port = digits === undefined ? defaultPort : Number(digits);
  if (host === undefined || port < 1 || port > 65_535)
    return err(`${where}: "${text}" is no endpoint: write it like api.example.org:6443 or [2001:db8::10]:6443`);
  const address = parseAddress(host);
  if (address.ok) return ok({ host: address.value.text, port });
  // A name of digits and dots alone would be a mistyped address.
  if (bracketed === undefined && DNS_NAME.test(host) && !/^[\d.]+$/u.test(host)) return ok({ host, port });
  return err(`${where}: "${host}" is neither an IP address nor a DNS name in lower case`);
}
