import { type PrintOptions, wrap } from './text.ts';

/** Where output goes. Handed in, so that tests read what a person would see. */
export interface Terminal {
  /** To standard output. */
  write(text: string): void;
  /** To standard error. */
  complain(text: string): void;
  /** Standard output is a terminal: it has colours and a cursor. */
  readonly interactive: boolean;
  /** How large it is now; a pipe has none. */
  size(): { readonly columns: number; readonly rows: number } | null;
  readonly environment: Readonly<Record<string, string | undefined>>;
}

const DEFAULT_WIDTH = 80;
const WIDEST = 160;

/** Colour only for people: on a terminal, unless `NO_COLOR` (any value but empty) or `TERM=dumb` says no. */
const wantsColour = (terminal: Terminal): boolean =>
  terminal.interactive && (terminal.environment['NO_COLOR'] ?? '') === '' && terminal.environment['TERM'] !== 'dumb';

export function printOptions(terminal: Terminal, wide: boolean, now: number): PrintOptions {
  const columns = terminal.size()?.columns ?? DEFAULT_WIDTH;
  return { width: Math.max(40, Math.min(columns, WIDEST)), colour: wantsColour(terminal), wide, now };
}

/** An error for people is wrapped; in a log it stays one line, so that it can be searched for. */
export function complain(terminal: Terminal, message: string): void {
  const width = printOptions(terminal, false, 0).width;
  terminal.complain(`${terminal.interactive ? wrap(message, width).join('\n') : message}\n`);
}

const ESC = '\u001B';

/**
 * Paints a text over the one that it painted before. Text that is taller than the terminal is cut, since what has scrolled away
 * can not be painted over.
 */
export function painter(terminal: Terminal): (text: string) => void {
  let painted = 0;
  return (text) => {
    const rows = terminal.size()?.rows ?? 24;
    const lines = text
      .trimEnd()
      .split('\n')
      .slice(0, rows - 1);
    const back = painted === 0 ? '' : `${ESC}[${painted}A\r${ESC}[0J`;
    terminal.write(`${back}${lines.join('\n')}\n`);
    painted = lines.length;
  };
}
