/** Words for a terminal: wrapping, tables and colour. Pure: who prints decides on width and colour. */

export interface PrintOptions {
  /** Columns that the reader has. */
  readonly width: number;
  readonly colour: boolean;
  /** Everything, not only what fits on a screen. */
  readonly wide: boolean;
  /** Milliseconds since the epoch: ages are told from here. */
  readonly now: number;
}

export type Tone = 'bold' | 'dim' | 'red' | 'green' | 'yellow' | 'cyan';

const SGR: Readonly<Record<Tone, readonly [number, number]>> = {
  bold: [1, 22],
  dim: [2, 22],
  red: [31, 39],
  green: [32, 39],
  yellow: [33, 39],
  cyan: [36, 39],
};

const ESC = '\u001B';
// oxlint-disable-next-line no-control-regex -- colour is written with this very control character
const CONTROL = /[\u0000-\u0008\u000B-\u001F\u007F\u0080-\u009F]/gu;
// oxlint-disable-next-line no-control-regex -- see above
const COLOUR = /\u001B\[\d+m/gu;

export const paint = (text: string, tone: Tone, options: Pick<PrintOptions, 'colour'>): string =>
  options.colour && text !== '' ? `${ESC}[${SGR[tone][0]}m${text}${ESC}[${SGR[tone][1]}m` : text;

/** Columns that a text takes; colour takes none. */
export const visibleLength = (text: string): number => Array.from(text.replace(COLOUR, '')).length;

/**
 * Makes text from the cluster fit to print: a name or message there must not be able to move the cursor or set colours.
 * Line ends and tabs stay.
 */
export const harmless = (text: string): string => text.replace(CONTROL, '\uFFFD');

/**
 * Breaks text at spaces so that no line is longer than `width`; a word that is too long by itself is broken where the line ends.
 * Each line after the first of a paragraph begins with `hang`.
 */
export function wrap(text: string, width: number, hang = ''): readonly string[] {
  return harmless(text)
    .split('\n')
    .flatMap((paragraph) => wrapParagraph(paragraph, Math.max(width, hang.length + 8), hang));
}

function wrapParagraph(paragraph: string, width: number, hang: string): readonly string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of paragraph.split(' ')) {
    const joined = line === '' ? word : `${line} ${word}`;
    if (visibleLength(joined) <= width) {
      line = joined;
      continue;
    }
    if (line.trim() !== '') lines.push(line);
    const tooLong = line.trim() === '' ? joined : `${hang}${word}`;
    const pieces = NAME.test(word) ? breakName(tooLong, width, hang) : breakWord(tooLong, width, hang);
    lines.push(...pieces.slice(0, -1));
    line = pieces.at(-1) ?? '';
  }
  return [...lines, line];
}

/** `KubeletNodeIPSingleFamily`. */
const NAME = /^[A-Z][A-Za-z]+$/u;

/** Cuts where one of its words begins, where there is such a place. */
function breakName(text: string, width: number, hang: string): readonly string[] {
  const cut = [...text.slice(0, width + 1).matchAll(/(?<=[a-z])[A-Z]/gu)].at(-1)?.index;
  if (text.length <= width || cut === undefined || cut <= hang.length) return breakWord(text, width, hang);
  return [text.slice(0, cut), ...breakName(`${hang}${text.slice(cut)}`, width, hang)];
}

/** Cuts a text without regard for spaces: for addresses, paths and lines of a diff. */
export function breakWord(text: string, width: number, hang: string): readonly string[] {
  const pieces: string[] = [];
  let rest = Array.from(text);
  while (rest.length > width) {
    pieces.push(rest.slice(0, width).join(''));
    rest = Array.from(hang).concat(rest.slice(width));
  }
  return [...pieces, rest.join('')];
}

/** Wrapped text, each line behind `indent`. */
export const indented = (text: string, indent: string, width: number): readonly string[] =>
  wrap(text, width - indent.length).map((line) => `${indent}${line}`);

/** What a text ends with when it says what to run. */
const COMMAND =
  /^(?<words>.*?(?::|; then)) (?<command>(?:kubectl|helm|systemctl|k0s|k0sctl) (?:(?!\. [A-Z]).)*?)\.?$/su;

/** Wrapped text, but for a command at its end that would be broken: that is a line of its own, to be copied as it stands. */
export function indentedAdvice(text: string, indent: string, width: number): readonly string[] {
  const lines = indented(text, indent, width);
  const { words, command } = COMMAND.exec(text)?.groups ?? {};
  if (lines.length === 1 || words === undefined || command === undefined) return lines;
  return [...indented(words, indent, width), `${indent}  ${harmless(command)}`];
}

export interface Column {
  readonly title: string;
  /** Gives way when the table is too wide: its cells are wrapped. Those that give way `Last` do so only when it must be. */
  readonly gives?: 'First' | 'Last';
}

export interface Cell {
  readonly text: string;
  readonly tone?: Tone;
}

/** A table as kubectl prints it: columns two spaces apart, no lines. Only columns that give way are ever wrapped. */
export function table(
  columns: readonly Column[],
  rows: readonly (readonly Cell[])[],
  options: PrintOptions,
): readonly string[] {
  return growingTable(columns)(rows, options);
}

/** A table to which rows are added as they come: the heads are printed once, and no column gets narrower than it was. */
export function growingTable(
  columns: readonly Column[],
): (rows: readonly (readonly Cell[])[], options: PrintOptions) => readonly string[] {
  let heads: readonly Cell[] | null = columns.map((column): Cell => ({ text: column.title, tone: 'bold' }));
  let wanted = columns.map(({ title }) => title.length);
  return (rows, options) => {
    wanted = wanted.map((least, index) =>
      rows.reduce((most, row) => Math.max(most, visibleLength(row[index]?.text ?? '')), least),
    );
    const widths = columnWidths(columns, wanted, options.width);
    const printed = heads === null ? rows : [heads, ...rows];
    heads = null;
    return printed.flatMap((row) => tableRow(row, widths, options));
  };
}

const LEAST_WIDTH = 10;

function columnWidths(columns: readonly Column[], wanted: readonly number[], width: number): readonly number[] {
  const widths = [...wanted];
  const excess = (): number => widths.reduce((sum, each) => sum + each + 2, -2) - width;
  for (const turn of ['First', 'Last'] as const) {
    while (excess() > 0) {
      const widest = columns.reduce((best, column, index) => {
        const can = column.gives === turn && (widths[index] ?? 0) > Math.max(column.title.length, LEAST_WIDTH);
        return can && (best === -1 || (widths[index] ?? 0) > (widths[best] ?? 0)) ? index : best;
      }, -1);
      if (widest === -1) break;
      widths[widest] = (widths[widest] ?? 0) - 1;
    }
  }
  return widths;
}

function tableRow(row: readonly Cell[], widths: readonly number[], options: PrintOptions): readonly string[] {
  const cells = row.map((cell, index) => wrap(cell.text, widths[index] ?? 0));
  const height = Math.max(1, ...cells.map((lines) => lines.length));
  return Array.from({ length: height }, (_, line) =>
    row
      .map((cell, index) => {
        const text = cells[index]?.[line] ?? '';
        const padding = ' '.repeat(Math.max(0, (widths[index] ?? 0) - visibleLength(text)));
        return `${cell.tone === undefined ? text : paint(text, cell.tone, options)}${padding}`;
      })
      .join('  ')
      .trimEnd(),
  );
}

/** An age as kubectl tells it: `45s`, `12m`, `3h`, `8d`. */
export function ageText(since: string, now: number): string {
  const seconds = Math.floor((now - Date.parse(since)) / 1000);
  if (Number.isNaN(seconds)) return '<unknown>';
  if (seconds < 120) return `${Math.max(0, seconds)}s`;
  if (seconds < 2 * 3600) return `${Math.floor(seconds / 60)}m`;
  if (seconds < 2 * 86_400) return `${Math.floor(seconds / 3600)}h`;
  return `${Math.floor(seconds / 86_400)}d`;
}

/** A span of seconds for people: `40 s`, `2 min 5 s`, `1 h 3 min`. */
export function secondsText(seconds: number): string {
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return [`${Math.floor(whole / 60)} min`, ...(whole % 60 > 0 ? [`${whole % 60} s`] : [])].join(' ');
  const minutes = Math.floor((whole % 3600) / 60);
  return [`${Math.floor(whole / 3600)} h`, ...(minutes > 0 ? [`${minutes} min`] : [])].join(' ');
}

export const spanText = ([from, to]: readonly [number, number]): string =>
  from === to ? secondsText(from) : to < 60 ? `${from}–${to} s` : `${secondsText(from)} – ${secondsText(to)}`;

export const plural = (count: number, one: string): string => `${count} ${one}${count === 1 ? '' : 's'}`;
