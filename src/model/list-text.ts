/** Names for people. No more than a few of them, so that a message stays one sentence: `a, b and 3 more`. */
export function listText(names: readonly string[], most = 5): string {
  const rest = names.length - most;
  return rest > 0 ? `${names.slice(0, most).join(', ')} and ${rest} more` : names.join(', ');
}

/** The same of nodes, and of all else that has a name. */
export const nameList = (named: readonly { readonly name: string }[]): string =>
  listText(named.map(({ name }) => name));
