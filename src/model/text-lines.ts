/** For edits of a file's text that leave every other byte of it as it is. */

export const splice = (text: string, from: number, to: number, insert: string): string =>
  text.slice(0, from) + insert + text.slice(to);

/** How its lines end. */
export const eolOf = (text: string): string => (text.includes('\r\n') ? '\r\n' : '\n');

/** Where the line begins that a position is in. */
export const lineStart = (text: string, position: number): number => text.lastIndexOf('\n', position - 1) + 1;
