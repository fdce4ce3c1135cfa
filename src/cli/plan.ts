import { isBlocker } from '../model/finding.ts';
import type { Dependencies } from './dependencies.ts';
import { EXIT, type ExitCode } from './exit-code.ts';
import { look, type LookOptions } from './look.ts';
import { documentText } from './output.ts';
import { planDocument, printPlan } from './print-plan.ts';
import { printOptions } from './terminal.ts';
import { wrap } from './text.ts';

/** `kubectl dualstack plan`. */
export const plan = (options: LookOptions, dependencies: Dependencies): Promise<ExitCode> =>
  look(options, dependencies, (seen) => {
    const { terminal } = dependencies;
    const format = options.output ?? 'text';
    const screen = printOptions(terminal, format === 'wide', seen.facts.at);
    terminal.write(
      documentText(planDocument(seen.plan), format) ??
        `${wrap(`Wanted by ${seen.source}`, screen.width).join('\n')}\n${printPlan(seen.plan, screen)}`,
    );
    return seen.plan.findings.some(isBlocker) ? EXIT.Attention : EXIT.OK;
  });
