/** The same function of an object, which makes its result once. Nothing is held longer than the object is. */
export function once<A extends object, T>(make: (a: A) => T): (a: A) => T {
  const made = new WeakMap<A, { readonly result: T }>();
  return (a) => {
    const before = made.get(a);
    if (before !== undefined) return before.result;
    const result = make(a);
    made.set(a, { result });
    return result;
  };
}

/**
 * The same function of two objects, which makes its result once for each pair of them. Nothing is held longer than the objects are.
 */
export function oncePer<A extends object, B extends object, T>(make: (a: A, b: B) => T): (a: A, b: B) => T {
  const withFirst = once((a: A) => once((b: B) => make(a, b)));
  return (a, b) => withFirst(a)(b);
}
