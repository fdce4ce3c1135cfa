import {
  type ConditionView,
  condition,
  type FindingView,
  type NodesView,
  type PlanView,
  standing,
  type Standing,
  type StatusView,
  type StepView,
} from './status-view.ts';
import { ageText, indented, paint, plural, type PrintOptions, secondsText, table, type Tone, wrap } from './text.ts';

/** The state of a conversion on one screen: verdict, progress, current step, what stands in the way, conditions. */
export function printStatus(view: StatusView, options: PrintOptions): string {
  const blocks = [
    headLines(view, options),
    view.plan === null ? [] : planLines(view.plan, options),
    view.rollBack === null ? [] : rollBackLines(view.rollBack, options),
    factLines(view, options),
    options.wide ? componentLines(view, options) : [],
    conditionLines(view, options),
  ];
  return blocks
    .filter((lines) => lines.length > 0)
    .map((lines) => `${lines.join('\n')}\n`)
    .join('\n');
}

const VERDICTS: Readonly<Record<Standing, { readonly text: string; readonly tone: Tone }>> = {
  Unseen: { text: 'not seen by the operator yet', tone: 'yellow' },
  Working: { text: 'working', tone: 'cyan' },
  Stalled: { text: 'stalled, it needs you', tone: 'red' },
  Ready: { text: 'ready', tone: 'green' },
  NotReady: { text: 'not ready', tone: 'yellow' },
};

/** The condition that explains the verdict best. */
const EXPLAINED_BY: Readonly<Record<Standing, string>> = {
  Unseen: 'Ready',
  Working: 'Reconciling',
  Stalled: 'Stalled',
  Ready: 'Ready',
  NotReady: 'Ready',
};

function headLines(view: StatusView, options: PrintOptions): readonly string[] {
  const now = standing(view);
  const { text, tone } = VERDICTS[now];
  const name = paint(`DualStackCluster ${view.name}`, 'bold', options);
  const hint = 'Is the operator running? kubectl -n dualstack-system get pods';
  const message = now === 'Unseen' ? hint : (condition(view, EXPLAINED_BY[now])?.message ?? '');
  return [
    `${name}: ${paint(text, tone, options)}`,
    ...(view.families.length === 0 ? [] : wrap(`Wanted: ${view.families.join(', ')}`, options.width)),
    ...(message === '' ? [] : wrap(message, options.width)),
  ];
}

function planLines(plan: PlanView, options: PrintOptions): readonly string[] {
  return [
    progressLine(plan, options),
    ...(plan.current === null ? [] : currentLines(plan.current, options)),
    ...findingLines('Blockers', '✗', 'red', plan.blockers, options),
    ...findingLines('Warnings', '!', 'yellow', plan.warnings, options),
    ...plan.steps.filter((step) => options.wide || step.state === 'Failed').flatMap((step) => stepLine(step, options)),
  ];
}

function progressLine(plan: PlanView, options: PrintOptions): string {
  const share = plan.total === 0 ? 1 : Math.min(1, plan.done / plan.total);
  const full = Math.round(share * 24);
  const bar = `${paint('█'.repeat(full), 'green', options)}${paint('░'.repeat(24 - full), 'dim', options)}`;
  return `${bar} ${plan.done} of ${plural(plan.total, 'step')} done`;
}

function currentLines(step: StepView, options: PrintOptions): readonly string[] {
  const seconds = (options.now - Date.parse(step.startedAt)) / 1000;
  const since = Number.isFinite(seconds) && seconds >= 0 ? `, for ${secondsText(seconds)}` : '';
  const tone: Tone = step.state === 'Failed' ? 'red' : 'cyan';
  return [
    ...wrap(`Now: ${step.target}${since}`, options.width, '     ').map((line) => paint(line, tone, options)),
    ...(step.message === '' ? [] : indented(step.message, '     ', options.width)),
  ];
}

function stepLine(step: StepView, options: PrintOptions): readonly string[] {
  const counts = step.total > 1 ? ` (${step.done} of ${step.total})` : '';
  const message = step.state === 'Satisfied' || step.message === '' ? '' : `: ${step.message}`;
  const text = `${step.phase}: ${step.target}${counts} – ${step.state}${message}`;
  const tone: Tone = step.state === 'Failed' ? 'red' : step.state === 'Satisfied' ? 'green' : 'dim';
  return indented(text, '  ', options.width).map((line) => paint(line, tone, options));
}

function findingLines(
  title: string,
  mark: string,
  tone: Tone,
  findings: readonly FindingView[],
  options: PrintOptions,
): readonly string[] {
  if (findings.length === 0) return [];
  return [
    paint(`${title} (${findings.length})`, 'bold', options),
    ...findings.flatMap(({ reason, message, remedy }) => {
      const [head = '', ...rest] = indented(`${reason}: ${message}`, '    ', options.width);
      return [
        `  ${paint(mark, tone, options)} ${head.slice(4)}`,
        ...rest,
        ...(remedy === '' ? [] : indented(`Do: ${remedy}`, '    ', options.width)),
      ];
    }),
  ];
}

function rollBackLines(rollBack: NonNullable<StatusView['rollBack']>, options: PrintOptions): readonly string[] {
  const because = rollBack.step === '' ? rollBack.reason : `${rollBack.reason} at ${rollBack.step}`;
  const text =
    rollBack.state === 'Done'
      ? `Rolled back (${because}). Change the spec to try again.`
      : `Rolling back (${because}).`;
  return wrap(text, options.width).map((line) => paint(line, 'yellow', options));
}

function factLines(view: StatusView, options: PrintOptions): readonly string[] {
  const { kubernetesVersion, distribution, cni, primaryFamily } = view.detected;
  const found = [kubernetesVersion, distribution, cni, primaryFamily && `${primaryFamily} first`].filter(Boolean);
  const { total, dualStack, pending, blocked, trapped } = view.services;
  const services = [
    `${dualStack ?? 0} of ${total ?? 0} dual-stack`,
    ...(pending ? [`${pending} pending`] : []),
    ...(blocked ? [`${blocked} blocked`] : []),
    ...(trapped ? [`${trapped} trapped`] : []),
  ];
  return [
    ...(found.length === 0 ? [] : wrap(`Cluster:   ${found.join(', ')}`, options.width, '           ')),
    ...(view.nodes === null ? [] : nodeLines(view.nodes, options)),
    ...(total === undefined ? [] : wrap(`Services:  ${services.join(', ')}`, options.width)),
    ...workloadLines(view, options),
  ];
}

function nodeLines(nodes: NodesView, options: PrintOptions): readonly string[] {
  const others: readonly (readonly [number, string])[] = [
    [nodes.ipv4Only, 'IPv4 only'],
    [nodes.ipv6Only, 'IPv6 only'],
    [nodes.none, 'without address'],
    [nodes.delayed, 'overdue'],
  ];
  const text = [
    `${nodes.dualStack} of ${nodes.total} dual-stack`,
    ...others.filter(([count]) => count > 0).map(([count, what]) => `${count} ${what}`),
  ].join(', ');
  const shown = options.wide ? nodes.exceptions : nodes.exceptions.slice(0, 3);
  const hidden = nodes.exceptions.length - shown.length;
  return [
    ...wrap(`Nodes:     ${text}`, options.width, '           '),
    ...shown.flatMap(({ name, cause, message }) =>
      indented(`${name}: ${[cause, message].filter(Boolean).join(', ')}`, '  ', options.width),
    ),
    ...(hidden > 0 ? [`  and ${hidden} more: kubectl dualstack nodes`] : []),
  ];
}

function workloadLines({ workloads: { counts, restarting } }: StatusView, options: PrintOptions): readonly string[] {
  const { total, dualStack } = counts;
  if (total === undefined) return [];
  const parts = [
    `${dualStack ?? 0} of ${total} dual-stack`,
    ...(restarting === '' ? [] : [`restarting ${restarting}`]),
  ];
  return wrap(`Workloads: ${parts.join(', ')}`, options.width, '           ');
}

function componentLines(view: StatusView, options: PrintOptions): readonly string[] {
  if (view.components.length === 0) return [];
  const columns = [{ title: 'COMPONENT' }, { title: 'WHERE' }, { title: 'SETTINGS', gives: 'First' } as const];
  const rows = view.components.map(({ component, where, settings }) => [
    { text: component },
    { text: where },
    { text: settings },
  ]);
  return table(columns, rows, options);
}

/** True is good news, but for the conditions that say that something is under way or stuck. */
const GOOD_WHEN_FALSE: readonly string[] = ['Reconciling', 'Stalled'];

function conditionTone({ type, status }: ConditionView): Tone {
  if (status === 'Unknown') return 'yellow';
  return (status === 'True') === GOOD_WHEN_FALSE.includes(type) ? 'yellow' : 'green';
}

function conditionLines(view: StatusView, options: PrintOptions): readonly string[] {
  if (view.conditions.length === 0) return [];
  const columns = [
    { title: 'CONDITION' },
    { title: 'STATUS' },
    { title: 'REASON', gives: 'Last' } as const,
    { title: 'AGE' },
    { title: 'MESSAGE', gives: 'First' } as const,
  ];
  const rows = view.conditions.map((each) => [
    { text: each.type },
    { text: each.status, tone: conditionTone(each) },
    { text: each.reason },
    { text: ageText(each.since, options.now) },
    { text: each.message },
  ]);
  return table(columns, rows, options);
}

/** One line for logs and pipes: what changed since the last look is told by comparing these. */
export function statusLine(view: StatusView): string {
  const { text } = VERDICTS[standing(view)];
  const plan = view.plan;
  if (plan === null) return `${text}: ${condition(view, EXPLAINED_BY[standing(view)])?.message ?? 'no plan yet'}`;
  const first = plan.blockers[0];
  const doing =
    plan.current !== null
      ? `: ${plan.current.target} ${plan.current.state}${plan.current.message === '' ? '' : ` (${plan.current.message})`}`
      : first === undefined
        ? ''
        : `: blocked by ${first.reason}: ${first.message}`;
  return `${text}, ${plan.done} of ${plural(plan.total, 'step')} done${doing}`;
}
