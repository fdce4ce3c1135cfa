/**
 * A copy without fields that are null, as an API server stores it where the schema does not allow null: `mode:` without a value in
 * YAML is as good as no `mode`. Null in a list stays, and is a mistake.
 */
export function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNulls);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).flatMap(([key, field]) => (field === null ? [] : [[key, withoutNulls(field)]])),
  );
}
