/** JSON with all keys in order: equal values give equal texts, whoever made them. */
export function canonicalText(value: unknown): string {
  return JSON.stringify(value, sortKeys) ?? '';
}

const sortKeys = (_: string, value: unknown): unknown =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
    ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
    : value;
