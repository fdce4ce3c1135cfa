import type { ClusterFacts } from '../model/facts.ts';
import { listText } from '../model/list-text.ts';
import type { Memory } from '../model/memory.ts';
import type { ServiceMigration, Step, StepState } from '../model/step.ts';
import { serviceKey } from '../model/service.ts';
import type { Wanted } from '../model/wanted.ts';
import { firstStateOf, firstStateText } from '../services/back.ts';
import { serviceViews, type ServiceView, verdictText } from '../services/inventory.ts';
import { isClusterDNS, isLabelled } from '../services/rules.ts';
import type { FamilyChange } from '../services/verdict.ts';
import { askServicesSteps } from './ask-services-step.ts';

/** So many Services, or the 25th part where that is more, are changed before the cluster is looked at again: each look lists all of them. */
const BATCH = 100;
const BATCHES = 25;
const SHOWN = 10;
const STEP = 'services/families';

/** What becomes of the Services that are asked for. */
interface Turns {
  readonly next: readonly Turn[];
  readonly waiting: readonly ServiceView[];
  /** The API server did not take their change. */
  readonly refused: readonly ServiceView[];
  readonly done: readonly ServiceView[];
}

interface Turn {
  readonly view: ServiceView;
  readonly change: FamilyChange;
}

/**
 * One step for all Services, in batches: a step for each would have the whole cluster looked at once for each of thousands. How far it is shows in the
 * Services themselves, so it goes on wherever it was interrupted.
 */
export function serviceSteps(
  wanted: Wanted,
  facts: ClusterFacts,
  memory: Pick<Memory, 'current'> & Partial<Pick<Memory, 'servicePackets'>> = { current: null },
): readonly Step[] {
  const isForward = wanted.families.length > 1;
  const seen = serviceViews(facts, wanted);
  if (!seen.known) return isForward && wanted.serviceMigration !== 'None' ? [unreadable(seen.why)] : [];
  const views = seen.value.filter(({ service }) => !isClusterDNS(service));
  const turns = turnsOf(views, facts, isForward);
  const { next, waiting, refused, done } = turns;
  const total = next.length + waiting.length + refused.length + done.length;
  if (total === 0) return [];
  const state = stateOf(turns, memory.current?.id === STEP);
  const isProven = state.is !== 'InProgress';
  const counts = [`${next.length} to change`, `${waiting.length} waiting`, `${done.length} done`];
  return [
    // What the API does not show yet need not be asked for.
    ...(isProven ? askServicesSteps(wanted, facts, done, memory.servicePackets ?? null) : []),
    {
      kind: 'MigrateServices',
      id: STEP,
      phase: 'Services',
      group: 'services',
      target: `Services (${[...counts, ...(refused.length > 0 ? [`${refused.length} refused`] : [])].join(', ')})`,
      why: isForward
        ? 'A Service keeps its families until it is changed, and clients of the new family do not reach it.'
        : 'What was given to Services is taken back while the API servers still know it.',
      diff: next.slice(0, SHOWN).map(({ view, change }) => ({
        path: `Service ${serviceKey(view.service)} spec.ipFamilyPolicy, ipFamilies`,
        before: `${view.service.policy} ${view.service.families.join()}`,
        after: `${change.policy} ${change.families.join()}`,
      })),
      state,
      disrupts: null,
      timeoutSeconds: 300,
      services: next
        .slice(0, Math.max(BATCH, Math.ceil(total / BATCHES)))
        .map(({ view, change }) => migrationOf(view, change)),
    },
  ];
}

function turnsOf(views: readonly ServiceView[], { refusals = {} }: ClusterFacts, isForward: boolean): Turns {
  const namespaces = new Set(Object.keys(refusals).map((key) => key.split('/')[0]));
  const hopeless = ({ view: { service } }: Turn): number =>
    serviceKey(service) in refusals ? 2 : Number(namespaces.has(service.namespace));
  return {
    // What was refused comes last, so that it keeps nobody waiting once more; before it come its neighbours, who may well be refused too.
    next: views
      .flatMap((view) => (view.verdict.is === 'Migrate' ? [{ view, change: view.verdict.change }] : []))
      .toSorted((a, b) => hopeless(a) - hopeless(b)),
    waiting: views.filter(({ verdict }) => verdict.is === 'Wait'),
    refused: views.filter(({ verdict }) => verdict.is === 'Blocked' && verdict.reason === 'Refused'),
    done: isForward ? views.filter(isMigrated) : [],
  };
}

const isMigrated = ({ verdict, service }: ServiceView): boolean =>
  verdict.is === 'AsWanted' && firstStateOf(service) !== null;

/**
 * The next ones begin when the last ones are proven: where nobody makes EndpointSlices, nobody would answer on new addresses. In the everyday life of a cluster
 * pods come and go, and a look that meets one in between says nothing of the migration.
 */
function stateOf({ next, waiting, refused, done }: Turns, isUnderWay: boolean): StepState {
  const isEveryday = next.length === 0 && !isUnderWay;
  const unproven = done.flatMap((view) => {
    const why = whyUnproven(view, isEveryday);
    return why === null ? [] : [{ view, why }];
  });
  const [one] = unproven;
  if (one !== undefined) {
    const names = namesOf(unproven.map(({ view }) => view));
    return { is: 'InProgress', why: `not proven yet: ${names}; ${serviceKey(one.view.service)} ${one.why}` };
  }
  if (next.length > 0) return { is: 'Pending' };
  const open = [...refused, ...waiting];
  const [first] = open;
  if (first === undefined) return { is: 'Satisfied', evidence: `${done.length} Services have both families` };
  return { is: 'Deferred', why: `${namesOf(open)} cannot be changed yet. ${verdictText(first)}` };
}

/** The proof of one Service through the API: a cluster IP of each family, and an EndpointSlice with an endpoint of each that its ready pods have. */
function whyUnproven({ service, backends }: ServiceView, isEveryday: boolean): string | null {
  const { families, clusterIPs, headless } = service;
  const without = headless ? undefined : families[clusterIPs.length];
  if (without !== undefined) return `has no ${without} cluster IP`;
  if (!backends.known || backends.value.pods === null) return null;
  const { slices, endpoints, pods } = backends.value;
  const asked = families.filter((family) => pods.having[family] > 0);
  const unmade = asked.find((family) => slices[family] === 0);
  if (unmade !== undefined) return `has no ${unmade} EndpointSlice`;
  const empty = isEveryday ? undefined : asked.find((family) => endpoints[family] === 0);
  return empty === undefined ? null : `has no ready endpoint in its ${empty} EndpointSlice`;
}

const namesOf = (views: readonly ServiceView[]): string => listText(views.map(({ service }) => serviceKey(service)));

function migrationOf({ service }: ServiceView, { policy, families }: FamilyChange): ServiceMigration {
  const { namespace, name, resourceVersion } = service;
  const first = firstStateOf(service);
  const base = { namespace, name, resourceVersion, policy, families };
  if (first === null) {
    const firstState = firstStateText(asItIs(service));
    return { ...base, firstState, ...(isLabelled(service) ? { force: true } : {}) };
  }
  const isRestored = first.policy === policy && first.families.join() === families.join();
  return isRestored ? { ...base, firstState: null } : base;
}

/** A Service whose policy is none of the three has none of its own to go back to. */
const asItIs = ({ policy, families }: ServiceView['service']): FamilyChange => ({
  policy: policy === 'PreferDualStack' || policy === 'RequireDualStack' ? policy : 'SingleStack',
  families,
});

const unreadable = (why: string): Step => ({
  kind: 'WaitFor',
  id: 'services/list',
  phase: 'Services',
  group: 'services',
  target: 'Services of all namespaces',
  why: 'What shall be changed must be known first.',
  diff: [],
  state: { is: 'Unknown', why },
  disrupts: null,
  timeoutSeconds: 300,
  what: 'a list of all Services',
});
