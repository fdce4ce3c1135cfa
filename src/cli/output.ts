import { stringify } from 'yaml';
import type { Format } from './formats.ts';
import type { ObserveError } from './session.ts';
import { unreachable } from '../result.ts';

export type { Format } from './formats.ts';

/** The document in that format; null: the format is one for people. */
export function documentText(document: object, format: Format): string | null {
  switch (format) {
    case 'json':
      return `${JSON.stringify(document, null, 2)}\n`;
    case 'yaml':
      return stringify(document);
    case 'wide':
    case 'text':
      return null;
    default:
      return unreachable(format);
  }
}

export function observeErrorText(error: ObserveError): string {
  switch (error.kind) {
    case 'Invalid':
      return ['The resource is not valid:', ...error.problems.map(({ path, message }) => `  ${path}: ${message}`)].join(
        '\n',
      );
    case 'Unreadable':
      return error.message;
    default:
      return unreachable(error);
  }
}
