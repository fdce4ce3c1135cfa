import { isBlocker } from '../model/finding.ts';
import type { Dependencies } from './dependencies.ts';
import { EXIT, type ExitCode } from './exit-code.ts';
import { look, type LookOptions } from './look.ts';
import { documentText } from './output.ts';
import { checkDocument, printCheck } from './print-check.ts';
import { printOptions } from './terminal.ts';

/** `kubectl dualstack check`. */
export const check = (options: LookOptions, dependencies: Dependencies): Promise<ExitCode> =>
  look(options, dependencies, (seen) => {
    const format = options.output ?? 'text';
    const screen = printOptions(dependencies.terminal, format === 'wide', seen.facts.at);
    dependencies.terminal.write(documentText(checkDocument(seen), format) ?? printCheck(seen, screen));
    return seen.plan.findings.some(isBlocker) ? EXIT.Attention : EXIT.OK;
  });
