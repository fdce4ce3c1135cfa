import { unreachable } from '../result.ts';
import type { Dependencies } from './dependencies.ts';
import { EXIT, type ExitCode } from './exit-code.ts';
import { followNodes, look, type LookOptions } from './look.ts';
import { type NodeChange, nodeChanges } from './node-changes.ts';
import { documentText, type Format } from './output.ts';
import { nodeDocument, nodeLines, nodeRows, nodesDocument, printNodes } from './print-nodes.ts';
import { complain, printOptions } from './terminal.ts';

export interface NodesOptions extends LookOptions {
  readonly only?: 'missing';
  readonly watch?: boolean;
}

/** `kubectl dualstack nodes`: a list, so it ends with 0 whatever it shows. */
export const nodes = (options: NodesOptions, dependencies: Dependencies): Promise<ExitCode> =>
  options.watch === true ? follow(options, dependencies) : show(options, dependencies);

const show = (options: NodesOptions, dependencies: Dependencies): Promise<ExitCode> =>
  look(options, dependencies, ({ facts, diagnose, inCluster }) => {
    const format = options.output ?? 'text';
    const all = nodeRows(facts, diagnose);
    const rows = options.only === 'missing' ? all.filter((row) => row.diagnosis !== null) : all;
    const screen = printOptions(dependencies.terminal, format === 'wide', facts.at);
    dependencies.terminal.write(documentText(nodesDocument(rows), format) ?? printNodes(rows, screen, inCluster));
    return EXIT.OK;
  });

/** All rows, then each that changes, on a screen and in a pipe alike: what was printed stays where it is. */
function follow(options: NodesOptions, dependencies: Dependencies): Promise<ExitCode> {
  const { terminal } = dependencies;
  const format = options.output ?? 'text';
  const changesIn = nodeChanges({
    onlyMissing: options.only === 'missing',
    inFull: format === 'json' || format === 'yaml',
  });
  const textOf = changesText(format, dependencies);
  let isFirst = true;
  return followNodes(options, dependencies, ({ facts, diagnose }) => {
    const changes = changesIn(nodeRows(facts, diagnose));
    if (changes.length > 0) terminal.write(textOf(changes, facts.at));
    else if (isFirst) complain(terminal, 'No node to show yet.');
    isFirst = false;
  });
}

/** One document for each change, or one line of a table. */
function changesText(
  format: Format,
  { terminal }: Dependencies,
): (changes: readonly NodeChange[], now: number) => string {
  switch (format) {
    case 'json':
    case 'yaml': {
      const mark = format === 'yaml' ? '---\n' : '';
      return (changes) =>
        changes
          .map(({ event, row }) => `${mark}${documentText({ event, ...nodeDocument(row) }, format) ?? ''}`)
          .join('');
    }
    case 'wide':
    case 'text': {
      const wide = format === 'wide';
      const lines = nodeLines(wide);
      return (changes, now) =>
        lines(
          changes.map(({ row }) => row),
          printOptions(terminal, wide, now),
        );
    }
    default:
      return unreachable(format);
  }
}
