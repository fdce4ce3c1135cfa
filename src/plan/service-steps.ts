import type { ClusterFacts } from '../model/facts.ts';
import type { ServiceMigration, Step, StepState } from '../model/step.ts';
import { serviceKey } from '../model/service.ts';
import type { Wanted } from '../model/wanted.ts';
import { firstStateOf, firstStateText } from '../services/back.ts';
import { serviceViews, type ServiceView, verdictText } from '../services/inventory.ts';
import { isClusterDNS } from '../services/rules.ts';
import type { FamilyChange } from '../services/verdict.ts';

/** So many Services are changed before the cluster is looked at again. */
const BATCH = 100;
const SHOWN = 10;
const NAMED = 5;

/**
 * One step for all Services, in batches: a step for each would have the whole cluster looked at once for each of thousands. How far it is shows in the
 * Services themselves, so it goes on wherever it was interrupted.
 */
export function serviceSteps(wanted: Wanted, facts: ClusterFacts): readonly Step[] {
  const isForward = wanted.families.length > 1;
  const seen = serviceViews(facts, wanted);
  if (!seen.known) return isForward && wanted.serviceMigration !== 'None' ? [unreadable(seen.why)] : [];
  const views = seen.value.filter(({ service }) => !isClusterDNS(service));
  const next = views.flatMap((view) => (view.verdict.is === 'Migrate' ? [{ view, change: view.verdict.change }] : []));
  const waiting = views.filter(({ verdict }) => verdict.is === 'Wait');
  const done = isForward ? views.filter(isMigrated) : [];
  if (next.length + waiting.length + done.length === 0) return [];
  return [
    {
      kind: 'MigrateServices',
      id: 'services/families',
      phase: 'Services',
      group: 'services',
      target: `Services (${next.length} to change, ${waiting.length} waiting, ${done.length} done)`,
      why: isForward
        ? 'A Service keeps its families until it is changed, and clients of the new family do not reach it.'
        : 'What was given to Services is taken back while the API servers still know it.',
      diff: next.slice(0, SHOWN).map(({ view, change }) => ({
        path: `Service ${serviceKey(view.service)} spec.ipFamilyPolicy, ipFamilies`,
        before: `${view.service.policy} ${view.service.families.join()}`,
        after: `${change.policy} ${change.families.join()}`,
      })),
      state: stateOf(next.length, waiting, done),
      disrupts: null,
      timeoutSeconds: 300,
      services: next.slice(0, BATCH).map(({ view, change }) => migrationOf(view, change)),
    },
  ];
}

const isMigrated = ({ verdict, service }: ServiceView): boolean =>
  verdict.is === 'AsWanted' && firstStateOf(service) !== null;

/** The next ones begin when the last ones have got their EndpointSlices: where nobody makes these, nobody would answer on new addresses. */
function stateOf(next: number, waiting: readonly ServiceView[], done: readonly ServiceView[]): StepState {
  const settling = done.filter(lacksSlices);
  if (settling.length > 0) {
    return { is: 'InProgress', why: `EndpointSlices of a new family are not there yet for ${namesOf(settling)}` };
  }
  if (next > 0) return { is: 'Pending' };
  const [first] = waiting;
  if (first === undefined) return { is: 'Satisfied', evidence: `${done.length} Services have both families` };
  return { is: 'Deferred', why: `${namesOf(waiting)} cannot be changed yet. ${verdictText(first)}` };
}

function lacksSlices({ service, backends }: ServiceView): boolean {
  if (!backends.known || backends.value.pods === null) return false;
  const { slices, pods } = backends.value;
  return service.families.some((family) => pods.having[family] > 0 && slices[family] === 0);
}

function namesOf(views: readonly ServiceView[]): string {
  const names = views.slice(0, NAMED).map(({ service }) => serviceKey(service));
  const more = views.length - names.length;
  return `${names.join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}

function migrationOf({ service }: ServiceView, { policy, families }: FamilyChange): ServiceMigration {
  const { namespace, name, resourceVersion } = service;
  const first = firstStateOf(service);
  const base = { namespace, name, resourceVersion, policy, families };
  if (first === null) return { ...base, firstState: firstStateText(asItIs(service)) };
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
