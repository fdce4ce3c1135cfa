import type { ServiceException, ServicesStatus } from '../api/cluster-status.ts';
import { clip, LIMITS } from '../api/fields.ts';
import type { ClusterFacts } from '../model/facts.ts';
import { type Refusals, serviceKey } from '../model/service.ts';
import type { ServicePackets } from '../model/service-packets.ts';
import type { Wanted } from '../model/wanted.ts';
import {
  countServices,
  isAmong,
  serviceViews,
  type ServiceView,
  verdictText,
  verdictWord,
} from '../services/inventory.ts';

/** Counts of Services, and those on which somebody has to act, or that wait; undefined: they could not be read. */
export function servicesStatus(
  facts: ClusterFacts,
  wanted: Wanted,
  packets: ServicePackets | null = null,
): ServicesStatus | undefined {
  const views = serviceViews(facts, wanted);
  if (!views.known) return undefined;
  return {
    ...countServices(views.value),
    exceptions: views.value
      .filter(isWorthTelling)
      .slice(0, LIMITS.exceptions)
      .map((view) => toException(view, facts.refusals ?? {})),
    ...(packets === null ? {} : { packets: packetsStatus(packets) }),
  };
}

/** What is null there is absent here. */
const packetsStatus = ({
  notAsked,
  from,
  silent,
  ...rest
}: ServicePackets): NonNullable<ServicesStatus['packets']> => ({
  ...rest,
  from: [...from],
  silent: silent.slice(0, LIMITS.exceptions),
  ...(notAsked === null ? {} : { notAsked: clip(notAsked) }),
});

export const packetsOf = (services: ServicesStatus | undefined): ServicePackets | null =>
  services?.packets === undefined ? null : { notAsked: null, ...services.packets };

/** One that nobody has asked for, and that asks for nothing itself, is as its owners want it. */
const isWorthTelling = (view: ServiceView): boolean =>
  isAmong(view, 'trapped') || isAmong(view, 'blocked') || isAmong(view, 'pending');

/** Of those that the status tells of, for commands beside the operator. */
export const refusalsIn = (services: ServicesStatus | undefined): Refusals =>
  Object.fromEntries(
    (services?.exceptions ?? []).flatMap((exception) => {
      const { refused } = exception;
      if (refused === undefined) return [];
      return [
        [serviceKey(exception), { resourceVersion: refused.resourceVersion, why: refused.message, isDue: false }],
      ];
    }),
  );

function toException(view: ServiceView, refusals: Refusals): ServiceException {
  const { service, verdict, stack } = view;
  const refusal = verdict.is === 'Blocked' && verdict.reason === 'Refused' ? refusals[serviceKey(service)] : undefined;
  return {
    namespace: service.namespace,
    name: service.name,
    families: [...service.families],
    state: stack === 'Trapped' ? 'Trapped' : stack === 'Dual' ? 'Dual' : 'Single',
    reason: verdictWord(verdict),
    message: clip(verdictText(view)),
    ...(refusal === undefined
      ? {}
      : { refused: { resourceVersion: refusal.resourceVersion, message: clip(refusal.why) } }),
  };
}
