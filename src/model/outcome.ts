/** What carrying out one Step came to. That it was done is not proof: the next look at the cluster is. */
export type Outcome =
  | { readonly is: 'Changed'; readonly what: string }
  | { readonly is: 'Unchanged' }
  | { readonly is: 'Refused'; readonly error: OperatorError };

/**
 * `Invalid`: the user mends the resource; no retry. `Blocked`: a fact of the cluster; looked at again.
 * `Transient`: back off, heed `retryAfterSeconds`. Anything else that goes wrong is a bug and is thrown.
 */
export type OperatorError =
  | { readonly kind: 'Invalid'; readonly message: string }
  | { readonly kind: 'Blocked'; readonly message: string }
  | { readonly kind: 'Transient'; readonly message: string; readonly retryAfterSeconds?: number };
