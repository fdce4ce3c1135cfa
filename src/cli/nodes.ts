import { familiesOf } from './asked.ts';
import type { Dependencies } from './dependencies.ts';
import { EXIT, type ExitCode } from './exit-code.ts';
import { look, type LookOptions } from './look.ts';
import { documentText } from './output.ts';
import { nodeRows, nodesDocument, printNodes } from './print-nodes.ts';
import { printOptions } from './terminal.ts';

/** `kubectl dualstack nodes`: a list, so it ends with 0 whatever it shows. */
export const nodes = (options: LookOptions, dependencies: Dependencies): Promise<ExitCode> =>
  look(options, dependencies, (seen) => {
    const format = options.output ?? 'text';
    const rows = nodeRows(seen.facts, familiesOf(seen.resource), seen.whyMissing);
    const screen = printOptions(dependencies.terminal, format === 'wide', seen.facts.at);
    dependencies.terminal.write(documentText(nodesDocument(rows), format) ?? printNodes(rows, screen));
    return EXIT.OK;
  });
