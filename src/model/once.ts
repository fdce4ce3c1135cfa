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

/** The same function of an object and of something else, which makes its result anew only where `text`, which stands for that, is another than last time. */
export function oncePerText<A extends object, B, T>(make: (a: A, b: B) => T): (a: A, b: B, text: string) => T {
  const made = new WeakMap<A, { readonly text: string; readonly result: T }>();
  return (a, b, text) => {
    const before = made.get(a);
    if (before?.text === text) return before.result;
    const result = make(a, b);
    made.set(a, { text, result });
    return result;
  };
}
