/**
 * The same function of two objects, which makes its result once for each pair of them. Nothing is held longer than the objects are.
 */
export function oncePer<A extends object, B extends object, T>(make: (a: A, b: B) => T): (a: A, b: B) => T {
  const made = new WeakMap<A, WeakMap<B, { readonly result: T }>>();
  return (a, b) => {
    const ofFirst = made.get(a) ?? new WeakMap<B, { readonly result: T }>();
    made.set(a, ofFirst);
    const before = ofFirst.get(b);
    if (before !== undefined) return before.result;
    const result = make(a, b);
    ofFirst.set(b, { result });
    return result;
  };
}
