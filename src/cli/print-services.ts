import type { Backends } from '../model/service.ts';
import type { ServicePackets } from '../model/service-packets.ts';
import { FAMILIES } from '../net/family.ts';
import { servicePacketsText } from '../services/packets.ts';
import { type ServiceCounts, type ServiceView, type Stack, verdictText, verdictWord } from '../services/inventory.ts';
import {
  type Cell,
  type Column,
  indentedAdvice,
  paint,
  plural,
  type PrintOptions,
  table,
  type Tone,
  wrap,
} from './text.ts';

const COLUMNS: readonly Column[] = [
  { title: 'NAMESPACE' },
  { title: 'NAME', gives: 'First' },
  { title: 'TYPE' },
  { title: 'POLICY' },
  { title: 'FAMILIES' },
  { title: 'PODS-4/6' },
  { title: 'MIGRATION', gives: 'Last' },
];

const MORE: readonly Column[] = [
  { title: 'CLUSTER-IPS' },
  { title: 'SLICES' },
  { title: 'KEPT-BY' },
  { title: 'NOTE' },
];

/** What is told of all of them, also where a part is shown. */
interface AllServices {
  readonly counts: ServiceCounts;
  readonly packets: ServicePackets | null;
}

/**
 * The table of `kubectl dualstack services`, and below it what to do about those that are not migrated by themselves. `wide` has that in the table,
 * Service by Service, with addresses, EndpointSlices and who keeps it.
 */
export function printServices(views: readonly ServiceView[], whole: AllServices, options: PrintOptions): string {
  if (views.length === 0) return 'No Service to show.\n';
  const lines = table(
    [...COLUMNS, ...(options.wide ? MORE : [])],
    views.map((view) => [...cells(view, options), ...(options.wide ? moreCells(view) : [])]),
    options.wide ? { ...options, width: Number.MAX_SAFE_INTEGER } : options,
  );
  return `${[...lines, ...(options.wide ? [] : [...countLines(whole.counts, options), ...packetLines(whole.packets, options), ...todoLines(views, options)])].join('\n')}\n`;
}

const TONES: Readonly<Record<Stack, Tone>> = { Dual: 'green', Single: 'yellow', Trapped: 'red', None: 'dim' };

const cells = ({ service, stack, verdict, backends }: ServiceView, { wide }: PrintOptions): readonly Cell[] => [
  { text: service.namespace },
  { text: service.name },
  { text: service.headless ? 'Headless' : service.type },
  { text: (wide ? service.policy : shortPolicy(service.policy)) || '-' },
  { text: service.families.join(',') || '-', tone: TONES[stack] },
  { text: backends.known ? podsText(backends.value) : '?' },
  { text: verdictWord(verdict) },
];

/** `Single`, `Prefer`, `Require`: the rest of the word says nothing more. */
const shortPolicy = (policy: string): string => policy.replace(/(?:Dual)?Stack$/u, '');

/** Ready pods with an address of a family: `3/3` IPv4 and IPv6. Without a selector the ready endpoints of its slices. */
const podsText = ({ pods, endpoints }: Backends): string =>
  pods === null
    ? FAMILIES.map((family) => endpoints[family]).join('/')
    : FAMILIES.map((family) => pods.having[family]).join('/');

function moreCells(view: ServiceView): readonly Cell[] {
  const { service, backends } = view;
  const keepers = [...(service.owner === null ? [] : [service.owner.text]), ...service.appliedBy];
  return [
    { text: service.clusterIPs.join(',') || '-' },
    { text: backends.known ? FAMILIES.map((family) => backends.value.slices[family]).join('/') : '?' },
    { text: keepers.join(', ') || '-' },
    { text: [verdictText(view), ...view.notes].filter((text) => text !== '').join(' ') || '-' },
  ];
}

function countLines(
  { total, dualStack, trapped, blocked, pending }: ServiceCounts,
  { width }: PrintOptions,
): readonly string[] {
  const parts = [
    `${dualStack} of ${plural(total, 'Service')} dual-stack`,
    ...(pending > 0 ? [`${pending} pending`] : []),
    ...(blocked > 0 ? [`${blocked} blocked`] : []),
    ...(trapped > 0 ? [`${trapped} trapped (they ask for both families and have one)`] : []),
  ];
  return ['', ...wrap(parts.join(', '), width)];
}

const packetLines = (packets: ServicePackets | null, { width }: PrintOptions): readonly string[] =>
  packets === null ? [] : wrap(`Those that were changed last: ${servicePacketsText(packets)}.`, width);

/** So many Services are told one by one; the rest is in `-o wide`. */
const TOLD = 8;

function todoLines(views: readonly ServiceView[], options: PrintOptions): readonly string[] {
  const concerned = views.filter(({ verdict }) => verdict.is === 'Blocked' || verdict.is === 'Wait');
  if (concerned.length === 0) return [];
  const more = concerned.length - TOLD;
  return [
    '',
    paint('What stands in the way', 'bold', options),
    ...concerned
      .slice(0, TOLD)
      .flatMap((view) => [
        ...indentedAdvice(`${view.service.namespace}/${view.service.name}: ${verdictText(view)}`, '  ', options.width),
        ...view.notes.flatMap((note) => indentedAdvice(note, '    ', options.width)),
      ]),
    ...(more > 0 ? [`  and ${plural(more, 'other Service')}: -o wide`] : []),
  ];
}

/** The same for machines. */
export const servicesDocument = (views: readonly ServiceView[], { counts, packets }: AllServices): object => ({
  counts,
  packets,
  services: views.map(serviceDocument),
});

function serviceDocument(view: ServiceView): object {
  const { service, backends, stack, verdict, notes } = view;
  return {
    namespace: service.namespace,
    name: service.name,
    type: service.type,
    headless: service.headless,
    selector: service.selector,
    ipFamilyPolicy: service.policy === '' ? null : service.policy,
    ipFamilies: service.families,
    clusterIPs: service.clusterIPs,
    state: stack,
    endpointSlices: backends.known ? backends.value.slices : null,
    endpoints: backends.known ? backends.value.endpoints : null,
    pods: backends.known ? backends.value.pods : null,
    owner: service.owner?.text ?? null,
    appliedBy: service.appliedBy,
    migration: verdict.is,
    reason: 'reason' in verdict ? verdict.reason : null,
    change: 'change' in verdict ? { ipFamilyPolicy: verdict.change.policy, ipFamilies: verdict.change.families } : null,
    message: verdictText(view),
    notes,
  };
}
