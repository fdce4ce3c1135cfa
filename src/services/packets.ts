import { listText } from '../model/list-text.ts';
import { serviceKey } from '../model/service.ts';
import type { AskedService, ServicePackets } from '../model/service-packets.ts';
import type { ServiceView } from './inventory.ts';

/** So many are asked of each batch: enough to see what most of them share, few enough for their programs and the API server to not notice. */
const MOST_ASKED = 20;

/**
 * How one may be asked; null: not at all. Headless ones have no address of their own, with `internalTrafficPolicy: Local` the answer is up to the node, and one
 * without a ready endpoint of a family has nobody who could answer.
 */
export function askable({ service, backends }: ServiceView): AskedService | null {
  const { namespace, name, headless, families, clusterIPs, tcpPort, internalTrafficPolicy } = service;
  if (headless || tcpPort === null || families.length < 2 || clusterIPs.length < families.length) return null;
  if (internalTrafficPolicy === 'Local' || !backends.known) return null;
  const { endpoints } = backends.value;
  return families.every((family) => endpoints[family] > 0) ? { namespace, name, clusterIPs, port: tcpPort } : null;
}

/** Some of them, spread over their names. */
export function sampleOf(services: readonly AskedService[]): readonly AskedService[] {
  const count = Math.min(services.length, MOST_ASKED);
  return Array.from({ length: count }, (_, n) => services[Math.floor((n * services.length) / count)]).filter(
    (each) => each !== undefined,
  );
}

/** More than a quarter, and more than one, is no matter of single programs. */
export const areTooManySilent = ({ answered, silent }: ServicePackets): boolean =>
  silent.length > Math.max(1, Math.floor((answered + silent.length) / 4));

export function silentText({ answered, silent }: ServicePackets): string {
  const names = silent.map((each) => `${serviceKey(each)} (${each.family})`);
  return `${silent.length} of ${answered + silent.length} Services that were asked answer over one family and not over the other: ${listText(names)}`;
}

/** What was seen, in a sentence without its full stop. */
export function servicePacketsText(packets: ServicePackets): string {
  const { asked, answered, silent, from, at, notAsked } = packets;
  if (notAsked !== null) return `not proven with packets, because ${notAsked}`;
  const neither = asked - answered - silent.length;
  return [
    silent.length === 0
      ? `${answered} of ${asked} Services that were asked with packets answer over both families`
      : silentText(packets),
    ...(neither > 0 ? [`${neither} answer over neither and are not judged`] : []),
    `asked from ${from.join(' and ')} at ${at}`,
  ].join('; ');
}
