export const FORMATS = ['json', 'yaml', 'wide'] as const;
/** `text`: no `-o` was given. */
export type Format = (typeof FORMATS)[number] | 'text';
