/** The two IP families, spelt as Kubernetes spells them. */
export type Family = 'IPv4' | 'IPv6';

export const FAMILIES: readonly Family[] = ['IPv4', 'IPv6'];

export const otherFamily = (family: Family): Family => (family === 'IPv4' ? 'IPv6' : 'IPv4');

/** At most one value per family. */
export type PerFamily<T> = { readonly [F in Family]?: T };
