/** Longest `nodes.gracePeriod` and `nodes.drain.timeout`. */
export const MAX_GRACE_SECONDS = 24 * 60 * 60;

const UNIT_SECONDS: Readonly<Record<string, number>> = { h: 3600, m: 60, s: 1 };

/** Seconds of a duration such as `90s`, `5m` or `1h30m`. The schema has checked its form; parts of another form count as nothing. */
export const secondsOf = (duration: string): number =>
  [...duration.matchAll(/([0-9]+)([hms])/g)].reduce(
    (total, [, amount, unit]) => total + Number(amount) * (UNIT_SECONDS[unit ?? ''] ?? 0),
    0,
  );

/** The other way round, in the largest unit that leaves no rest: `5m`, `90s`. */
export function durationOf(seconds: number): string {
  const unit = seconds > 0 && seconds % 3600 === 0 ? 'h' : seconds > 0 && seconds % 60 === 0 ? 'm' : 's';
  return `${seconds / (UNIT_SECONDS[unit] ?? 1)}${unit}`;
}
