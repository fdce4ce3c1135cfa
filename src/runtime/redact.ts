/** What stands where a secret was. */
export const REDACTED = '[redacted]';

/** Names of fields whose values nobody should read in a log. */
const SECRET_NAME =
  /^(authorization|password|passwd|token|.*[-_]?token|secret|clientkey|client-key-data|client-certificate-data|privatekey|.*password)$/i;
const SECRET_TEXT =
  /\b(?:Bearer|Basic)\s+[\w.~+/=-]{8,}|\beyJ[\w-]{8,}\.[\w-]+\.[\w-]*|-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)/g;
/** Deep enough for any Kubernetes object; ends cycles. */
const MAX_DEPTH = 12;

/**
 * A copy that may be logged: values of secret-like fields, the contents of Secrets, and tokens and private keys inside longer texts are
 * left out; errors become plain objects.
 */
export function redact(value: unknown, depth = 0): unknown {
  if (typeof value === 'string') return value.replaceAll(SECRET_TEXT, REDACTED);
  if (typeof value === 'bigint') return value.toString();
  if (typeof value !== 'object' || value === null) return value;
  if (depth >= MAX_DEPTH) return '[…]';
  if (Array.isArray(value)) return value.map((item) => redact(item, depth + 1));
  if (value instanceof Date) return value.toISOString();
  if (value instanceof Error) return redactError(value, depth);
  const isSecret = 'kind' in value && value.kind === 'Secret';
  return Object.fromEntries(
    Object.entries(value).map(([name, item]) => {
      if (SECRET_NAME.test(name) && typeof item === 'string') return [name, REDACTED];
      if (isSecret && (name === 'data' || name === 'stringData')) return [name, contentsHidden(item)];
      return [name, redact(item, depth + 1)];
    }),
  );
}

function redactError(error: Error, depth: number): unknown {
  const { name, message, stack, cause } = error;
  return {
    name,
    message: redact(message),
    stack: redact(stack),
    ...(cause === undefined ? {} : { cause: redact(cause, depth + 1) }),
  };
}

/** The keys of a Secret are no secret, and help to find out what is missing. */
const contentsHidden = (data: unknown): unknown =>
  typeof data === 'object' && data !== null
    ? Object.fromEntries(Object.keys(data).map((key) => [key, REDACTED]))
    : REDACTED;
