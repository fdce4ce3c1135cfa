import winston from 'winston';
import { redact } from './redact.ts';

const LOG_LEVELS = ['error', 'warn', 'info', 'debug'] as const;
type LogLevel = (typeof LOG_LEVELS)[number];
type LogFields = Readonly<Record<string, unknown>>;

export interface Logger {
  error(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  debug(message: string, fields?: LogFields): void;
  /** A logger that adds these fields to each line. */
  child(fields: LogFields): Logger;
}

export interface LogOptions {
  readonly level: LogLevel;
  /** `json`: one object a line, for machines. `text`: for a person at a terminal. */
  readonly format: 'json' | 'text';
  readonly sink: NodeJS.WritableStream;
  /** Wall-clock time in milliseconds. */
  readonly now: () => number;
}

/** Structured logs. Secrets are taken out of everything that passes through here. */
export function createLogger(options: LogOptions): Logger {
  const print = winston.format.printf((info) => {
    const { level, message, fields } = info as unknown as { level: string; message: string; fields: LogFields };
    const time = new Date(options.now()).toISOString();
    return options.format === 'json' ? jsonLine(time, level, message, fields) : textLine(time, level, message, fields);
  });
  const sink = winston.createLogger({
    levels: { error: 0, warn: 1, info: 2, debug: 3 },
    level: options.level,
    format: print,
    transports: [new winston.transports.Stream({ stream: options.sink, eol: '\n' })],
  });
  return loggerWith((level, message, fields) => sink.log({ level, message, fields }), {});
}

/** For those who want no logs, above all tests. */
export const silentLogger: Logger = loggerWith(() => {}, {});

function loggerWith(write: (level: LogLevel, message: string, fields: LogFields) => void, always: LogFields): Logger {
  const at =
    (level: LogLevel) =>
    (message: string, fields: LogFields = {}): void =>
      write(level, message, { ...always, ...fields });
  return {
    error: at('error'),
    warn: at('warn'),
    info: at('info'),
    debug: at('debug'),
    child: (fields) => loggerWith(write, { ...always, ...fields }),
  };
}

function jsonLine(ts: string, level: string, message: string, fields: LogFields): string {
  // The three names of the line itself come last, so that no field can take their place.
  return JSON.stringify({ ...(redact(fields) as object), ts, level, msg: redact(message) });
}

function textLine(ts: string, level: string, message: string, fields: LogFields): string {
  const shown = Object.entries(redact(fields) as object).map(([name, value]) => `${name}=${textOf(value)}`);
  return [ts.slice(11, 19), level.toUpperCase().padEnd(5), String(redact(message)), ...shown].join(' ');
}

const textOf = (value: unknown): string =>
  typeof value === 'string' && /^[^\s"=]+$/.test(value) ? value : (JSON.stringify(value) ?? 'undefined');
