/** The two IP families, spelt as Kubernetes spells them. */
export type Family = 'IPv4' | 'IPv6';

export const FAMILIES: readonly Family[] = ['IPv4', 'IPv6'];

export const otherFamily = (family: Family): Family => (family === 'IPv4' ? 'IPv6' : 'IPv4');

/** The family of what is known to be an address or a network. To read it takes longer, and tells whether it is one. */
export const familyAtSight = (text: string): Family => (text.includes(':') ? 'IPv6' : 'IPv4');

export const isOfFamily = (text: string, family: Family): boolean => text.includes(':') === (family === 'IPv6');

/** Only to tell the families apart: what the API server stores was parsed there. */
export function hasFamily(texts: readonly string[], family: Family): boolean {
  for (const text of texts) if (isOfFamily(text, family)) return true;
  return false;
}

export const isIPv6 = (text: string): boolean => isOfFamily(text, 'IPv6');

/** At most one value per family. */
export type PerFamily<T> = { readonly [F in Family]?: T };
