import { type Finding, isBlocker } from '../model/finding.ts';
import { refText } from '../model/object.ts';
import { PHASES } from '../model/phase.ts';
import { indented, indentedAdvice, paint, type PrintOptions } from './text.ts';

/** Blockers first, then warnings; each says what is wrong, what to do and what it holds up. */
export function printFindings(findings: readonly Finding[], options: PrintOptions): readonly string[] {
  const blockers = findings.filter(isBlocker);
  const warnings = findings.filter((finding) => !isBlocker(finding));
  return [...section('Blockers', blockers, options), ...section('Warnings', warnings, options)];
}

function section(title: string, findings: readonly Finding[], options: PrintOptions): readonly string[] {
  if (findings.length === 0) return [];
  return [
    paint(`${title} (${findings.length})`, 'bold', options),
    ...findings.flatMap((each) => finding(each, options)),
  ];
}

function finding(each: Finding, options: PrintOptions): readonly string[] {
  const blocker = isBlocker(each);
  const mark = paint(blocker ? '✗' : '!', blocker ? 'red' : 'yellow', options);
  const [head = '', ...more] = indented(
    `${each.reason}${each.object === null ? '' : ` – ${refText(each.object)}`}`,
    '    ',
    options.width,
  );
  return [
    `  ${mark} ${head.slice(4)}`,
    ...more,
    ...indented(each.message, '    ', options.width),
    ...indentedAdvice(`Do: ${each.remedy}`, '    ', options.width),
    ...(blocker ? indented(`Holds up: ${phasesText(each.blocks)}`, '    ', options.width) : []),
  ];
}

/** A run of phases to the end is told by its first: the list would be long and say no more. */
export function phasesText(blocked: readonly (typeof PHASES)[number][]): string {
  if (blocked.length === PHASES.length) return 'everything';
  const first = PHASES.findIndex((phase) => blocked.includes(phase));
  const tail = PHASES.slice(first);
  const isTail = blocked.length > 2 && tail.length === blocked.length && tail.every((phase) => blocked.includes(phase));
  return isTail ? `${PHASES[first] ?? ''} and all that follows` : blocked.join(', ');
}
