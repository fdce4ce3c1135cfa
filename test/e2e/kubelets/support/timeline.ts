import type { Done } from './conversion.ts';
import type { Gap } from './watch-components.ts';
import type { Failure } from './traffic.ts';

/** One step of a conversion, from when it was begun until the next one was. */
export interface Span {
  readonly step: string;
  readonly from: number;
  readonly to: number;
}

/** A step that was carried out in several acts is one span for as long as the acts follow each other. */
export function spansOf(done: readonly Done[], end: number): readonly Span[] {
  const spans: Span[] = [];
  for (const { at, step } of done) {
    const last = spans.at(-1);
    if (last?.step === step) continue;
    if (last !== undefined) spans[spans.length - 1] = { ...last, to: at };
    spans.push({ step, from: at, to: end });
  }
  return spans;
}

/** A table: step, begin, seconds, what was away meanwhile, requests lost. */
export function timelineText(
  spans: readonly Span[],
  begun: number,
  gaps: readonly Gap[],
  failures: readonly Failure[],
): string {
  const rows = spans.map((span) => {
    const within = (at: number): boolean => at >= span.from && at < span.to;
    const away = gaps.filter(({ from }) => within(from)).map(({ what, from, to }) => `${what} ${seconds(to - from)} s`);
    const lost = failures.filter(({ at }) => within(at)).length;
    return [
      seconds(span.from - begun).padStart(6),
      seconds(span.to - span.from).padStart(6),
      span.step.padEnd(44),
      [...away, ...(lost === 0 ? [] : [`${lost} requests lost`])].join(', '),
    ].join('  ');
  });
  return ['  at s  took s  step', ...rows].join('\n');
}

const seconds = (ms: number): string => (ms / 1000).toFixed(1);
