import type { ClusterFacts } from '../model/facts.ts';
import { serviceKey } from '../model/service.ts';
import type { AskedService, ServicePackets } from '../model/service-packets.ts';
import type { AskServices, Step, StepState } from '../model/step.ts';
import type { Wanted } from '../model/wanted.ts';
import type { ServiceView } from '../services/inventory.ts';
import { areTooManySilent, askable, sampleOf, servicePacketsText, silentText } from '../services/packets.ts';
import { fingerprintOf } from './canonical.ts';
import { canRunPods } from './probe-plan.ts';

/** Pods of a moment on so many nodes ask: the only endpoint of a Service is on one of them at most. */
const NODES = 2;
const AGAIN_AFTER_MS = 60_000;
const AGAIN_AT_MOST_MS = 60 * 60_000;

/**
 * Asks some of each batch with packets before the next one is changed: that the API has addresses and endpoints does not tell whether a program listens on the
 * second family. Which ones were changed since the last time is known by the API server's own dates, whoever has changed them and however often it ended in between.
 *
 * @param done Those that were changed, proven through the API.
 */
export function askServicesSteps(
  wanted: Wanted,
  facts: ClusterFacts,
  done: readonly ServiceView[],
  last: ServicePackets | null,
): readonly Step[] {
  if (wanted.verification === 'None' || facts.probeImage === undefined || done.length === 0) return [];
  const younger = done.filter(({ service }) => service.changedAt > (last?.newest ?? ''));
  const fresh = sampleOf(younger.flatMap((view) => askable(view) ?? []));
  const again = stillSilent(done, last);
  const from = facts.nodes.filter((node) => node.ready && canRunPods(node)).map(({ name }) => name);
  const services = [
    ...again,
    ...fresh.filter((each) => !again.some((other) => serviceKey(other) === serviceKey(each))),
  ];
  const newest = done.reduce(
    (max, { service: { changedAt } }) => (changedAt > max ? changedAt : max),
    last?.newest ?? '',
  );
  const ask: AskServices = {
    kind: 'AskServices',
    // Which of them are asked may change with each pod; for what they stand does not.
    fingerprint: fingerprintOf({ newest, after: last?.at ?? null }),
    failedBefore: last?.failedInRow ?? 0,
    image: facts.probeImage,
    from: from.slice(-NODES),
    services,
    newest,
  };
  const state = stateOf(last, fresh, again, facts.at);
  const isUnderWay = facts.proving?.fingerprint === ask.fingerprint;
  return [
    {
      ...ask,
      id: 'services/packets',
      phase: 'Services',
      group: 'services-packets',
      target: `packets to ${services.length === 1 ? '1 Service' : `${services.length} Services`} that got a second family`,
      why: 'Before the next ones are changed, some of the last are asked for a connection over each family.',
      diff: [],
      state: isUnderWay && state.is === 'Pending' ? { is: 'InProgress', why: facts.proving.text } : state,
      disrupts: null,
      timeoutSeconds: 900,
    },
  ];
}

/** Those that were silent the last time, as far as they still have both families. */
function stillSilent(done: readonly ServiceView[], last: ServicePackets | null): readonly AskedService[] {
  const silent = new Set(last?.silent.map(serviceKey));
  return done.filter(({ service }) => silent.has(serviceKey(service))).flatMap((view) => askable(view) ?? []);
}

function stateOf(
  last: ServicePackets | null,
  fresh: readonly AskedService[],
  again: readonly AskedService[],
  now: number,
): StepState {
  if (fresh.length > 0) return { is: 'Pending' };
  if (last === null) return { is: 'Satisfied', evidence: NOBODY };
  if (again.length === 0) return { is: 'Satisfied', evidence: servicePacketsText(last) };
  const pause = Math.min(AGAIN_AT_MOST_MS, AGAIN_AFTER_MS * 2 ** Math.min(10, last.failedInRow - 1));
  if (now - Date.parse(last.at) > pause) return { is: 'Pending' };
  const soon = `It is tried again by itself, ${Math.round(pause / 60_000)} min after the last time.`;
  const why = `${silentText(last)}.`;
  // The first time it may be the moment.
  if (last.failedInRow === 1) return { is: 'InProgress', why: `${why} ${soon}` };
  return areTooManySilent(last)
    ? { is: 'Failed', why, remedy: `${remedyFor(last)} ${soon}` }
    : { is: 'Deferred', why: `${why} ${remedyFor(last)} ${soon}` };
}

const NOBODY =
  'none was asked with packets: they are headless, speak no TCP, have internalTrafficPolicy Local or no ready endpoint of both families';

function remedyFor({ silent: [first] }: ServicePackets): string {
  if (first === undefined) return '';
  const { namespace, name, family } = first;
  const [all, one] = family === 'IPv6' ? ['::', '0.0.0.0'] : ['0.0.0.0', '::'];
  return `See whether their programs listen on ${all} and not on ${one} alone, and what NetworkPolicies and firewalls say of ${family}. To put one back: kubectl -n ${namespace} label service ${name} dualstack.dev/migrate=false --overwrite.`;
}
