/** More than the addresses of 50,000 nodes: were it less, each pass over these would empty it again and again. */
const MOST = 262_144;

/**
 * The same function, which keeps what it made of each text. A pass over thousands of nodes asks for the same addresses again and again, and
 * reading one takes some microseconds. What is kept is emptied when it is full: the next pass fills it again in no time.
 */
export function remembered<T>(read: (text: string) => T): (text: string) => T {
  const known = new Map<string, T>();
  return (text) => {
    const before = known.get(text);
    if (before !== undefined) return before;
    if (known.size >= MOST) known.clear();
    const value = read(text);
    known.set(text, value);
    return value;
  };
}
