import { structuredPatch } from 'diff';
import { type Finding, isBlocker } from '../model/finding.ts';
import type { Plan } from '../model/plan.ts';
import { type Change, type Disruption, type Handoff, isSatisfied, type Step, type StepState } from '../model/step.ts';
import { unreachable } from '../result.ts';
import { printFindings } from './print-findings.ts';
import {
  breakWord,
  harmless,
  indented,
  indentedAdvice,
  paint,
  plural,
  type PrintOptions,
  spanText,
  type Tone,
  wrap,
} from './text.ts';

/** A plan for people: what stands in the way, then each step in order with its reason, its difference and what it disrupts. */
export function printPlan(plan: Plan, options: PrintOptions): string {
  const blocks = [planHeader(plan, options)];
  if (plan.findings.length > 0) blocks.push(printFindings(plan.findings, options));
  blocks.push(stepLines(plan, options), planFooter(plan, options));
  return blocks
    .filter((lines) => lines.length > 0)
    .map((lines) => `${lines.join('\n')}\n`)
    .join('\n');
}

/** What a plan comes to in figures; only what is still to do counts. */
interface PlanSummary {
  readonly total: number;
  readonly done: number;
  /** Steps ahead that interrupt something. */
  readonly disruptions: number;
  /** Sum over them, one after another, from and to. */
  readonly disruptionSeconds: readonly [number, number];
  readonly blockers: number;
  readonly warnings: number;
}

export function summarise(plan: Plan): PlanSummary {
  const ahead = plan.steps.filter((step) => !isSatisfied(step)).flatMap((step) => step.disrupts ?? []);
  const blockers = plan.findings.filter(isBlocker).length;
  return {
    total: plan.steps.length,
    done: plan.steps.filter(isSatisfied).length,
    disruptions: ahead.length,
    disruptionSeconds: ahead.reduce<readonly [number, number]>(
      ([from, to], { seconds }) => [from + seconds[0], to + seconds[1]],
      [0, 0],
    ),
    blockers,
    warnings: plan.findings.length - blockers,
  };
}

/** The plan as a document for machines (`-o json`, `-o yaml`). Fields are only ever added to it. */
export function planDocument(plan: Plan): object {
  const { disruptionSeconds, ...counts } = summarise(plan);
  const [from, to] = disruptionSeconds;
  return {
    hash: plan.hash,
    direction: plan.direction,
    ipFamilies: plan.wanted.families,
    summary: { ...counts, disruptionSeconds: { from, to } },
    blockers: plan.findings.filter(isBlocker).map(findingDocument),
    warnings: plan.findings.filter((finding) => !isBlocker(finding)).map(findingDocument),
    steps: plan.steps.map((step) => ({
      id: step.id,
      phase: step.phase,
      group: step.group,
      kind: step.kind,
      target: step.target,
      why: step.why,
      state: step.state.is,
      ...(step.state.is === 'Pending' ? {} : { message: stateText(step.state) }),
      diff: step.diff,
      disrupts: step.disrupts,
      timeoutSeconds: step.timeoutSeconds,
      ...(step.kind === 'Handoff'
        ? { command: step.command, watches: step.watches, snippets: step.snippets ?? [] }
        : {}),
    })),
  };
}

export const findingDocument = (finding: Finding): object => ({
  reason: finding.reason,
  object: finding.object,
  message: finding.message,
  remedy: finding.remedy,
  blocks: finding.blocks,
});

function planHeader(plan: Plan, options: PrintOptions): readonly string[] {
  const { total, done } = summarise(plan);
  const goal = `Plan to ${plan.direction === 'Forward' ? 'become' : 'go back to'} ${plan.wanted.families.join(', ')}`;
  return [
    paint(goal, 'bold', options),
    ...wrap(`${plural(total, 'step')}: ${done} done, ${total - done} to do. Hash ${plan.hash}`, options.width),
  ];
}

function planFooter(plan: Plan, options: PrintOptions): readonly string[] {
  const { total, done, disruptions, disruptionSeconds, blockers } = summarise(plan);
  const text =
    done === total
      ? blockers === 0
        ? 'Nothing to do: the cluster is as wanted.'
        : 'No steps could be worked out.'
      : `Ahead: ${plural(total - done, 'step')}, of which ${disruptions} ${disruptions === 1 ? 'interrupts' : 'interrupt'} something, one after another` +
        (disruptions === 0 ? '.' : `, together ${spanText(disruptionSeconds)}.`);
  const blocked = blockers === 0 ? '' : ` ${plural(blockers, 'blocker')} to clear first: see the top.`;
  return wrap(`${text}${blocked}`, options.width);
}

function stepLines(plan: Plan, options: PrintOptions): readonly string[] {
  const lines: string[] = [];
  let phase: string | null = null;
  let number = 0;
  for (const group of groupsInOrder(plan.steps)) {
    const first = group[0];
    if (first === undefined) continue;
    if (first.phase !== phase) {
      phase = first.phase;
      lines.push(paint(phase, 'bold', options));
    }
    lines.push(...groupLines(group, number + 1, options));
    number += group.length;
  }
  return lines;
}

function groupLines(group: readonly Step[], number: number, options: PrintOptions): readonly string[] {
  const title = options.wide ? null : sharedTitle(group.map((step) => step.target));
  return title === null
    ? group.flatMap((step, index) => oneStep(step, number + index, options))
    : manySteps(title, group, number, options);
}

/** Neighbours of one group and phase, together; the order of the plan is kept, since it is the order of the work. */
function groupsInOrder(steps: readonly Step[]): readonly (readonly Step[])[] {
  const groups: Step[][] = [];
  for (const step of steps) {
    const last = groups.at(-1);
    if (last?.[0]?.group === step.group && last[0].phase === step.phase) last.push(step);
    else groups.push([step]);
  }
  return groups;
}

const INDENT = ' '.repeat(9);
/** Nodes of one step that are told singly because they are not just waiting for their turn. */
const MOST_NOTED = 5;

function oneStep(step: Step, number: number, options: PrintOptions): readonly string[] {
  const head = stepHead(`${number}`, step.state, step.target, options);
  if (isSatisfied(step)) return [...head, ...(options.wide ? detail(stateText(step.state), 'dim', options) : [])];
  return [
    ...head,
    ...detail(step.why, 'dim', options),
    ...(step.state.is === 'Pending' ? [] : detail(stateText(step.state), STATE_TONES[step.state.is], options)),
    ...(step.kind === 'Handoff' ? handoffLines(step, options) : []),
    ...diffLines(step.diff, options),
    ...disruptionLines(step.disrupts, options),
  ];
}

/** The same work on many nodes: one line with counts, then what differs from the ordinary, and one example of the difference. */
function manySteps(title: string, steps: readonly Step[], number: number, options: PrintOptions): readonly string[] {
  const ahead = steps.filter((step) => !isSatisfied(step));
  const done = steps.length - ahead.length;
  const numbers = `${number}–${number + steps.length - 1}`;
  const worst = ahead.reduce<Step | undefined>(
    (found, step) => (found === undefined || SEVERITY[step.state.is] > SEVERITY[found.state.is] ? step : found),
    undefined,
  );
  const counts = `(${ahead.length === 0 ? 'all' : done} of ${steps.length} done)`;
  const head = stepHead(numbers, worst?.state ?? { is: 'Satisfied', evidence: '' }, `${title} ${counts}`, options);
  const example = ahead[0];
  if (example === undefined) return head;
  const notable = ahead.filter((step) => step.state.is !== 'Pending');
  return [
    ...head,
    ...detail(example.why, 'dim', options),
    ...notable
      .slice(0, MOST_NOTED)
      .flatMap((step) => detail(`${step.target}: ${stateText(step.state)}`, STATE_TONES[step.state.is], options)),
    ...(notable.length > MOST_NOTED
      ? detail(`and ${notable.length - MOST_NOTED} more: see -o wide`, 'dim', options)
      : []),
    ...(ahead.length > 1 && example.diff.length > 0 ? detail(`For example ${example.target}:`, 'dim', options) : []),
    ...(example.kind === 'Handoff' ? handoffLines(example, options) : []),
    ...diffLines(example.diff, options),
    ...disruptionLines(example.disrupts, options, ahead.length),
  ];
}

/** `kubelet on 3 nodes: a, b, c` for `kubelet on a`, `kubelet on b` …; null where the targets are not the same thing on many nodes. */
export function sharedTitle(targets: readonly string[]): string | null {
  const split = targets.map((target) => /^(?<what>.+) on (?<node>\S+)$/u.exec(target)?.groups);
  const what = split[0]?.['what'];
  if (targets.length < 2 || what === undefined || split.some((parts) => parts?.['what'] !== what)) return null;
  const names = split.map((parts) => parts?.['node'] ?? '');
  const shown = names.slice(0, 6).join(', ');
  return `${what} on ${plural(names.length, 'node')}: ${shown}${names.length > 6 ? `, and ${names.length - 6} more` : ''}`;
}

const MARKS: Readonly<Record<StepState['is'], string>> = {
  Satisfied: '✓',
  Pending: '·',
  InProgress: '▸',
  Failed: '✗',
  Deferred: '…',
  Unknown: '?',
};

const STATE_TONES: Readonly<Record<StepState['is'], Tone>> = {
  Satisfied: 'green',
  Pending: 'cyan',
  InProgress: 'cyan',
  Failed: 'red',
  Deferred: 'yellow',
  Unknown: 'yellow',
};

const SEVERITY: Readonly<Record<StepState['is'], number>> = {
  Satisfied: 0,
  Pending: 1,
  Deferred: 2,
  Unknown: 3,
  InProgress: 4,
  Failed: 5,
};

function stepHead(numbers: string, state: StepState, title: string, options: PrintOptions): readonly string[] {
  const label = numbers.padStart(6);
  const [first = '', ...rest] = wrap(title, options.width - label.length - 3);
  return [
    `${label} ${paint(MARKS[state.is], STATE_TONES[state.is], options)} ${first}`,
    ...rest.map((line) => `${INDENT}${line}`),
  ];
}

const detail = (text: string, tone: Tone, options: PrintOptions): readonly string[] =>
  indented(text, INDENT, options.width).map((line) => paint(line, tone, options));

/** Snippets are shown as they are, not wrapped: they are there to be copied. */
const handoffLines = (step: Handoff, options: PrintOptions): readonly string[] => [
  ...indentedAdvice(`Yours to do: ${step.command}`, INDENT, options.width).map((line) =>
    paint(line, 'yellow', options),
  ),
  ...detail(`Watched for: ${step.watches}`, 'dim', options),
  ...(step.snippets ?? []).flatMap(({ file, text }) => [
    ...detail(`For ${file}:`, 'yellow', options),
    ...text
      .trimEnd()
      .split('\n')
      .map((line) => `${INDENT}  ${harmless(line)}`),
  ]),
];

/** The state of a step in words. */
function stateText(state: StepState): string {
  switch (state.is) {
    case 'Satisfied':
      return `Done: ${state.evidence}`;
    case 'Pending':
      return 'To do';
    case 'InProgress':
      return `Under way: ${state.why}`;
    case 'Failed':
      return `Failed: ${state.why} ${state.remedy}`;
    case 'Deferred':
      return `Put off: ${state.why}`;
    case 'Unknown':
      return `Cannot be told: ${state.why}`;
    default:
      return unreachable(state);
  }
}

function disruptionLines(disrupts: Disruption | null, options: PrintOptions, times = 1): readonly string[] {
  if (disrupts === null) return [];
  const each = times > 1 ? ` each, ${times} times` : '';
  return detail(`Interrupts: ${disrupts.text}, ${spanText(disrupts.seconds)}${each}`, 'yellow', options);
}

/** A value of one line is shown before and after; a text of many lines as a unified diff. */
function diffLines(changes: readonly Change[], options: PrintOptions): readonly string[] {
  return changes.flatMap((change) => {
    const lines = isLong(change) ? unified(change) : shortChange(change);
    return lines.flatMap((line) => {
      const tone: Tone = line.startsWith('+') ? 'green' : line.startsWith('-') ? 'red' : 'dim';
      return breakWord(harmless(line), options.width - INDENT.length, '    ').map(
        (piece) => `${INDENT}${paint(piece, tone, options)}`,
      );
    });
  });
}

const isLong = ({ before, after }: Change): boolean => [before, after].some((text) => text?.trimEnd().includes('\n'));

const shortChange = ({ path, before, after }: Change): readonly string[] => [
  path,
  ...(before === null ? [] : [`- ${before.trimEnd()}`]),
  ...(after === null ? [] : [`+ ${after.trimEnd()}`]),
];

function unified({ path, before, after }: Change): readonly string[] {
  const patch = structuredPatch(path, path, before ?? '', after ?? '', '', '', { context: 2 });
  return [
    path,
    ...patch.hunks.flatMap((hunk) => [
      `@@ -${hunk.oldStart},${hunk.oldLines} +${hunk.newStart},${hunk.newLines} @@`,
      ...hunk.lines.filter((line) => !line.startsWith('\\')),
    ]),
  ];
}
