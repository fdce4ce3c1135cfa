/** Flags of a command line: `--a=b`, `--a b` and `--a` alone, which means true. The last of several counts, as for the component. */
export function parseFlags(words: readonly string[]): Readonly<Record<string, string>> {
  const flags: Record<string, string> = {};
  words.forEach((word, index) => {
    const match = /^--?([a-z0-9][-a-z0-9]*)(?:=(.*))?$/s.exec(word);
    if (match?.[1] === undefined) return;
    const next = words[index + 1];
    flags[match[1]] = match[2] ?? (next !== undefined && !next.startsWith('-') ? next : 'true');
  });
  return flags;
}
