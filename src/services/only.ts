/** What of the Services may be asked for alone. */
export const ONLY = ['single', 'trapped', 'blocked', 'pending'] as const;
export type Only = (typeof ONLY)[number];
