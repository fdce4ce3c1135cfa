import type { Dependencies } from './dependencies.ts';
import { EXIT, type ExitCode } from './exit-code.ts';
import { look, type LookOptions } from './look.ts';
import { documentText } from './output.ts';
import { printWorkloads, workloadRows, workloadsDocument } from './print-workloads.ts';
import { complain, printOptions } from './terminal.ts';

export interface WorkloadsOptions extends LookOptions {
  readonly only?: 'single';
}

/** `kubectl dualstack workloads`: a list, so it ends with 0 whatever it shows. */
export const workloads = (options: WorkloadsOptions, dependencies: Dependencies): Promise<ExitCode> =>
  look(options, dependencies, ({ facts, plan }) => {
    if (!facts.workloads.known) {
      complain(dependencies.terminal, `Error: pods and what keeps them cannot be listed: ${facts.workloads.why}`);
      return EXIT.Error;
    }
    const format = options.output ?? 'text';
    const all = workloadRows(facts.workloads.value, plan);
    const rows = options.only === 'single' ? all.filter((row) => row.singleStack > 0) : all;
    const screen = printOptions(dependencies.terminal, format === 'wide', facts.at);
    dependencies.terminal.write(documentText(workloadsDocument(rows), format) ?? printWorkloads(rows, screen));
    return EXIT.OK;
  });
