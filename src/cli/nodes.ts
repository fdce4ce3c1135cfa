import type { Dependencies } from './dependencies.ts';
import { EXIT, type ExitCode } from './exit-code.ts';
import { look, type LookOptions } from './look.ts';
import { documentText } from './output.ts';
import { nodeRows, nodesDocument, printNodes } from './print-nodes.ts';
import { printOptions } from './terminal.ts';

export interface NodesOptions extends LookOptions {
  readonly only?: 'missing';
}

/** `kubectl dualstack nodes`: a list, so it ends with 0 whatever it shows. */
export const nodes = (options: NodesOptions, dependencies: Dependencies): Promise<ExitCode> =>
  look(options, dependencies, ({ facts, diagnose }) => {
    const format = options.output ?? 'text';
    const all = nodeRows(facts, diagnose);
    const rows = options.only === 'missing' ? all.filter((row) => row.diagnosis !== null) : all;
    const screen = printOptions(dependencies.terminal, format === 'wide', facts.at);
    dependencies.terminal.write(documentText(nodesDocument(rows), format) ?? printNodes(rows, screen));
    return EXIT.OK;
  });
