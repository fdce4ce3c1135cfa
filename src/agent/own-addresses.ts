import type { Clock } from '../runtime/clock.ts';
import type { HostFiles } from './files.ts';
import { isOfWorkloads } from './netfs.ts';
import type { OwnInterfaces } from './netfs.ts';

/** Tells whether the host's addresses are others than when it was asked last. Reads two short lists and nothing else. */
export type AddressesChanged = () => boolean;

/** So long a change may go unnoticed. */
const LOOK_MS = 1_000;
const LINK_LOCAL = /^fe[89ab]/;

export function makeAddressesChanged(files: HostFiles, interfaces: OwnInterfaces): AddressesChanged {
  let last: string | null = null;
  return () => {
    const now = addressPrint(files, interfaces);
    // What cannot be read now is for the next pass to tell.
    if (now === null || now === last) return false;
    const isFirst = last === null;
    last = now;
    return !isFirst;
  };
}

/** Rings whenever the addresses have changed, until the signal. */
export async function watchAddresses(
  changed: AddressesChanged,
  clock: Clock,
  ring: () => void,
  signal: AbortSignal,
): Promise<void> {
  while (await clock.sleep(LOOK_MS, signal)) if (changed()) ring();
}

/**
 * IPv6 addresses with their flags, and IPv4 addresses. Without the link-local ones of interfaces that have no other address: so the host's ends of
 * its pods' links look, whatever they are called, which come and go.
 */
function addressPrint(files: HostFiles, interfaces: OwnInterfaces): string | null {
  try {
    const ipv4 = [...interfaces()].filter(([, device]) => !isOfWorkloads(device));
    const lines = (files.read('/proc/1/net/if_inet6') ?? '')
      .split('\n')
      .filter((line) => !isOfWorkloads(deviceOf(line)));
    const lasting = new Set(ipv4.map(([, device]) => device));
    for (const line of lines) if (!LINK_LOCAL.test(line)) lasting.add(deviceOf(line));
    const ipv6 = lines.filter((line) => lasting.has(deviceOf(line)));
    // By address alone: a bridge's IPv4 address may be on several interfaces, of which the last one is told.
    return [...ipv6, ...ipv4.map(([address]) => address)].sort().join('\n');
  } catch {
    return null;
  }
}

const deviceOf = (line: string): string => line.slice(line.lastIndexOf(' ') + 1);
