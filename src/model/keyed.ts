/** A Map made of thousands of things, each pass anew: `new Map` would want a pair for each, which is thrown away at once. */
export function keyed<T, V>(
  items: Iterable<T>,
  keyOf: (item: T) => string,
  valueOf: (item: T) => V,
): ReadonlyMap<string, V> {
  const made = new Map<string, V>();
  for (const item of items) made.set(keyOf(item), valueOf(item));
  return made;
}
