import type { ServiceException, ServicesStatus } from '../api/cluster-status.ts';
import { clip, LIMITS } from '../api/fields.ts';
import type { ClusterFacts } from '../model/facts.ts';
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
export function servicesStatus(facts: ClusterFacts, wanted: Wanted): ServicesStatus | undefined {
  const views = serviceViews(facts, wanted);
  if (!views.known) return undefined;
  return {
    ...countServices(views.value),
    exceptions: views.value.filter(isWorthTelling).slice(0, LIMITS.exceptions).map(toException),
  };
}

/** One that nobody has asked for, and that asks for nothing itself, is as its owners want it. */
const isWorthTelling = (view: ServiceView): boolean =>
  isAmong(view, 'trapped') || isAmong(view, 'blocked') || isAmong(view, 'pending');

function toException(view: ServiceView): ServiceException {
  const { service, verdict, stack } = view;
  return {
    namespace: service.namespace,
    name: service.name,
    families: [...service.families],
    state: stack === 'Trapped' ? 'Trapped' : stack === 'Dual' ? 'Dual' : 'Single',
    reason: verdictWord(verdict),
    message: clip(verdictText(view)),
  };
}
