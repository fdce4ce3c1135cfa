import type { FlagValues, Flag, Generated, GeneratedFile, Generator, Refusal } from '../generate/contract.ts';
import { nodeJoin } from '../generate/kubeadm/node-join.ts';
import { ok, type Result, unreachable } from '../result.ts';
import type { Dependencies } from './dependencies.ts';
import { EXIT, type ExitCode } from './exit-code.ts';
import { type NetworkOptions, newCluster } from './generate-request.ts';
import { withOpenSession } from './look.ts';
import type { Connection } from './session.ts';
import { complain } from './terminal.ts';

/** Where the files go. */
export interface FilesOptions {
  /** A folder; absent: standard output. */
  readonly output?: string;
  /** Replace files that are there. */
  readonly force?: true;
}

/** `kubectl dualstack generate <system>`: needs no cluster. */
export async function generate(
  generator: Generator,
  options: NetworkOptions & FilesOptions,
  values: FlagValues,
  dependencies: Dependencies,
): Promise<ExitCode> {
  const cluster = await newCluster(options, generator.defaults(values), dependencies);
  if (!cluster.ok) {
    complain(dependencies.terminal, `Error: ${cluster.error.message}`);
    return cluster.error.code;
  }
  return finish(generator.generate(cluster.value, values), options, dependencies);
}

/** `kubectl dualstack generate node-join --from-cluster`: reads the cluster and changes nothing. */
export const generateNodeJoin = (
  options: Connection & FilesOptions,
  values: FlagValues,
  dependencies: Dependencies,
): Promise<ExitCode> =>
  withOpenSession(options, dependencies, async (session) => {
    const facts = await session.joinFacts();
    return facts.ok ? ok(await finish(nodeJoin(facts.value, values), options, dependencies)) : facts;
  });

async function finish(
  generated: Result<Generated, Refusal>,
  options: FilesOptions,
  dependencies: Dependencies,
): Promise<ExitCode> {
  const { terminal } = dependencies;
  if (!generated.ok) {
    complain(terminal, refusalText(generated.error));
    return codeOf(generated.error);
  }
  const { files, notes } = generated.value;
  if (options.output === undefined) terminal.write(onePage(files));
  else {
    const written = await dependencies.writeFiles(options.output, files, options.force === true);
    if (!written.ok) {
      complain(terminal, `Error: ${written.error}`);
      return EXIT.Error;
    }
    terminal.write(written.value.map((path) => `${path}\n`).join(''));
  }
  for (const each of notes) complain(terminal, `Note: ${each}`);
  return EXIT.OK;
}

const refusalText = ({ problems }: Refusal): string =>
  problems.length === 1
    ? `Error: ${problems[0] ?? ''}`
    : ['Error: there are no files yet:', ...problems.map((each) => `  ${each}`)].join('\n');

function codeOf({ is }: Refusal): ExitCode {
  switch (is) {
    case 'Asked':
      return EXIT.Usage;
    case 'Impossible':
      return EXIT.Attention;
    default:
      return unreachable(is);
  }
}

/** All files as one stream of YAML documents, each file behind its name. */
const onePage = (files: readonly GeneratedFile[]): string =>
  files.length === 1 ? (files[0]?.text ?? '') : files.map(({ name, text }) => `# file: ${name}\n${text}`).join('---\n');

/** The values of a generator's flags as the command line has them. `attributeOf` says under which name a flag is kept. */
export function flagValues(
  flags: readonly Flag[],
  options: Readonly<Record<string, unknown>>,
  attributeOf: (flag: Flag) => string,
): FlagValues {
  return Object.fromEntries(
    flags.flatMap((flag) => {
      const value = options[attributeOf(flag)];
      if (typeof value === 'string') return [[flag.name, [value]]];
      return Array.isArray(value) ? [[flag.name, value.map(String)]] : [];
    }),
  );
}
