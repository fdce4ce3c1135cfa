/** One direction between two nodes, tried. */
export interface Attempt {
  readonly source: string;
  readonly target: string;
  readonly ok: boolean;
}

/** The smallest thing that explains attempts that failed. */
export type Place =
  | { readonly is: 'Everywhere' }
  /** In both directions. */
  | { readonly is: 'Node'; readonly node: string }
  | { readonly is: 'FromNode'; readonly node: string }
  | { readonly is: 'ToNode'; readonly node: string }
  | { readonly is: 'Pair'; readonly source: string; readonly target: string };

export type Located<T extends Attempt> = { readonly place: Place; readonly explains: readonly T[] };

/**
 * Explains the failures by as few places as can be told: all attempts, then nodes all of whose attempts fail (the one that explains most
 * first), and what is left pair by pair. A single attempt does not accuse a node: its other end may be as guilty.
 */
export function locate<T extends Attempt>(attempts: readonly T[]): readonly Located<T>[] {
  const failed = attempts.filter(({ ok }) => !ok);
  if (failed.length === 0) return [];
  if (failed.length === attempts.length && failed.length > 1)
    return [{ place: { is: 'Everywhere' }, explains: failed }];
  const found: Located<T>[] = [];
  let open: readonly T[] = failed;
  for (;;) {
    const best = bestPlace(attempts, open);
    if (best === null) break;
    found.push(best);
    const explained = new Set(best.explains);
    open = open.filter((attempt) => !explained.has(attempt));
  }
  const pairs = open.map(
    (attempt): Located<T> => ({
      place: { is: 'Pair', source: attempt.source, target: attempt.target },
      explains: [attempt],
    }),
  );
  return [...found, ...pairs];
}

function bestPlace<T extends Attempt>(attempts: readonly T[], open: readonly T[]): Located<T> | null {
  const nodes = [...new Set(open.flatMap(({ source, target }) => [source, target]))].sort();
  const candidates = nodes.flatMap((node): readonly Located<T>[] => {
    const from = ({ source }: Attempt): boolean => source === node;
    const to = ({ target }: Attempt): boolean => target === node;
    return [
      candidate({ is: 'Node', node }, attempts, open, (attempt) => from(attempt) || to(attempt)),
      candidate({ is: 'FromNode', node }, attempts, open, from),
      candidate({ is: 'ToNode', node }, attempts, open, to),
    ].filter((each) => each !== null);
  });
  // Strictly more: of equal ones the first stands, so that the answer does not hang on chance.
  return candidates.reduce<Located<T> | null>(
    (best, each) => (best === null || each.explains.length > best.explains.length ? each : best),
    null,
  );
}

function candidate<T extends Attempt>(
  place: Place,
  attempts: readonly T[],
  open: readonly T[],
  isOfPlace: (attempt: Attempt) => boolean,
): Located<T> | null {
  const own = attempts.filter(isOfPlace);
  const explains = open.filter(isOfPlace);
  return own.length > 1 && explains.length > 1 && own.every(({ ok }) => !ok) ? { place, explains } : null;
}
