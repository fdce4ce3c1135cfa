import { PROBE_PATHS, type ProbedCheck, type ProbePath, type ProbeProgress } from '../model/probe.ts';
import { FAMILIES, type Family } from '../net/family.ts';
import type { ProofView } from './proof-view.ts';
import type { ConditionView } from './status-view.ts';
import { ageText, type Cell, indented, paint, plural, type PrintOptions, table, wrap } from './text.ts';

/** A proof on one screen: verdict, how much of the cluster it is about, figures, and where packets are lost. */
export function printProof(view: ProofView | null, said: ConditionView | null, options: PrintOptions): string {
  const verdict = said === null || view !== null ? [] : wrap(`${said.reason}: ${said.message}`, options.width);
  const blocks =
    view === null ? [verdict] : [headLines(view, said, options), figureLines(view, options), hopLines(view, options)];
  return `${blocks
    .filter((lines) => lines.length > 0)
    .map((lines) => lines.join('\n'))
    .join('\n\n')}\n`;
}

function headLines(view: ProofView, said: ConditionView | null, options: PrintOptions): readonly string[] {
  const { total, failed } = view.checks;
  const bad = view.hops.length > 0;
  const text = bad ? `${failed} of ${plural(total, 'check')} failed` : `all ${plural(total, 'check')} passed`;
  const { nodes, pairs } = view;
  const share =
    pairs.tested === pairs.total ? `all ${pairs.total} pairs` : `${pairs.tested} of ${pairs.total} pairs, a sample`;
  return [
    `Packets: ${paint(text, bad ? 'red' : 'green', options)}, ${ageText(view.at, options.now)} ago`,
    ...wrap(`Nodes:   ${nodes.probed} of ${nodes.ready} that are Ready, ${share}`, options.width, '         '),
    ...(nodes.leftOut.length === 0
      ? []
      : wrap(`Not Ready and left out: ${nodes.leftOut.join(', ')}`, options.width, '         ')),
    // A proof of how it was says nothing of how it is.
    ...(said === null || said.status === 'True' || bad
      ? []
      : wrap(`Now:     ${said.reason}: ${said.message}`, options.width, '         ')),
  ];
}

const figureLines = ({ families }: ProofView, options: PrintOptions): readonly string[] =>
  table(
    [{ title: 'FAMILY' }, { title: 'CHECKS' }, { title: 'FAILED' }, { title: 'MEDIAN' }, { title: 'P99' }],
    families.map(({ family, total, failed, median, p99 }): readonly Cell[] => [
      { text: family },
      { text: String(total) },
      { text: String(failed), tone: failed === 0 ? 'green' : 'red' },
      { text: latency(median) },
      { text: latency(p99) },
    ]),
    options,
  );

const latency = (microseconds: number | null): string =>
  microseconds === null ? '-' : `${(microseconds / 1000).toFixed(1)} ms`;

const hopLines = ({ hops }: ProofView, options: PrintOptions): readonly string[] =>
  hops.flatMap(({ hop, checks, message, remedy }) => {
    const counted = checks === 0 ? '' : ` (${plural(checks, 'check')})`;
    const [head = '', ...rest] = indented(`${hop}: ${message}${counted}`, '    ', options.width);
    return [
      `  ${paint('✗', 'red', options)} ${head.slice(4)}`,
      ...rest,
      ...(remedy === '' ? [] : indented(`Do: ${remedy}`, '    ', options.width)),
    ];
  });

/** What a run has brought so far: a row for each way that packets take, a column for each family. */
export function printProgress(progress: ProbeProgress, options: PrintOptions): string {
  const paths = Object.keys(PROBE_PATHS) as ProbePath[];
  const rows = paths.map((path): readonly Cell[] => [
    { text: PROBE_PATHS[path] },
    ...FAMILIES.map((family) =>
      resultCell(progress.probed.filter((check) => check.path === path && check.family === family)),
    ),
  ]);
  const titles = [{ title: 'PATH' }, ...FAMILIES.map((family: Family) => ({ title: family }))];
  return `${[progressLine(progress), ...table(titles, rows, options)].join('\n')}\n`;
}

function resultCell(checks: readonly ProbedCheck[]): Cell {
  if (checks.length === 0) return { text: '-', tone: 'dim' };
  const failed = checks.filter(({ result }) => !result.ok).length;
  return failed === 0
    ? { text: `${checks.length} passed`, tone: 'green' }
    : { text: `${failed} of ${checks.length} failed`, tone: 'red' };
}

export function progressLine({ servers, runners }: ProbeProgress): string {
  if (runners[1] === 0) return `starting pods: ${servers[0]} of ${servers[1]} run`;
  return `trying: ${runners[0]} of ${runners[1]} pods have reported`;
}
