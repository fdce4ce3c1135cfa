import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { VERSION } from '../version.ts';
import type { Family } from '../net/family.ts';
import type { AgentOptions, Dependencies, LogOptions, OperatorOptions, ServeProbeOptions } from './dependencies.ts';
import { EXIT, type ExitCode } from './exit-code.ts';
import { FORMATS } from './formats.ts';
import type { NodesOptions } from './nodes.ts';
import type { LookOptions } from './look.ts';
import { complain } from './terminal.ts';
import { ONLY } from '../services/only.ts';
import type { ServicesOptions } from './services.ts';
import type { StatusOptions } from './status.ts';
import type { VerifyOptions } from './verify.ts';
import type { WorkloadsOptions } from './workloads.ts';

/**
 * Runs one command line and tells how it ended; never throws for what a user can do wrong. What a command is made of is loaded when it is called: the operator
 * and the agents have no use for the others'.
 */
export async function runCli(args: readonly string[], dependencies: Dependencies): Promise<ExitCode> {
  let code: ExitCode = EXIT.OK;
  const { program, addGenerators } = describe(dependencies, (ended) => {
    code = ended;
  });
  try {
    if (args.includes('generate')) await addGenerators();
    await program.parseAsync(args, { from: 'user' });
    return code;
  } catch (error) {
    // Commander throws for --help too, with exit code 0.
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.OK : EXIT.Usage;
    throw error;
  }
}

interface Described {
  readonly program: Command;
  /** Adds the commands of `generate`. */
  readonly addGenerators: () => Promise<void>;
}

function describe(dependencies: Dependencies, end: (code: ExitCode) => void): Described {
  const { terminal } = dependencies;
  const program = new Command('kubectl dualstack')
    .description('Turns a running Kubernetes cluster into IPv4/IPv6 dual-stack, one safe step at a time.')
    .usage('COMMAND [options]')
    .option('--kubeconfig <file>', 'kubeconfig to use, instead of KUBECONFIG or ~/.kube/config')
    .option('--context <name>', 'context of the kubeconfig to use')
    .helpCommand(false)
    .showHelpAfterError('Run with --help for usage.')
    .addHelpText('after', EXIT_HELP)
    .exitOverride()
    .configureOutput({
      writeOut: (text) => terminal.write(text),
      writeErr: (text) => complain(terminal, text.trimEnd()),
      getOutHelpWidth: () => Math.min(terminal.size()?.columns ?? 80, 100),
      getErrHelpWidth: () => Math.min(terminal.size()?.columns ?? 80, 100),
    });

  /** A subcommand. Its options, together with the global ones, have the shape that `shape` gave them: hence the casts below. */
  const add = (
    name: string,
    summary: string,
    run: (options: unknown) => Promise<ExitCode>,
    shape: (command: Command) => Command,
    parent: Command = program,
  ): void => {
    const command = parent.command(name).summary(summary).description(summary);
    command.copyInheritedSettings(program);
    shape(command).action(async () => end(await run(command.optsWithGlobals())));
  };

  add(
    'check',
    'Tell whether a cluster can become dual-stack, and what stands in the way. Changes nothing and needs nothing installed.',
    async (options) => (await import('./check.ts')).check(options as LookOptions, dependencies),
    asking,
  );
  add(
    'plan',
    'Show the ordered steps to dual-stack with their differences, restarts and interruptions. Changes nothing.',
    async (options) => (await import('./plan.ts')).plan(options as LookOptions, dependencies),
    asking,
  );
  add(
    'status',
    'Show how far the conversion is, what it does now and what it waits for.',
    async (options) => (await import('./status.ts')).status(options as StatusOptions, dependencies),
    (command) =>
      command
        .addOption(output())
        .option('--name <name>', 'name of the DualStackCluster; else the one that governs')
        .option('-w, --watch', 'follow it until it is ready (exit code 0) or needs you (3)'),
  );
  add(
    'nodes',
    'List the nodes with their families; why one is missing, since when, and what to do.',
    async (options) => (await import('./nodes.ts')).nodes(options as NodesOptions, dependencies),
    (command) =>
      asking(command)
        .addOption(new Option('--only <which>', 'missing: leave out the nodes that are as wanted').choices(['missing']))
        .option('-w, --watch', 'go on and print each node that changes, until Ctrl-C'),
  );
  add(
    'workloads',
    'List what keeps pods, those with pods of one family first, and what becomes of them.',
    async (options) => (await import('./workloads.ts')).workloads(options as WorkloadsOptions, dependencies),
    (command) =>
      asking(command).addOption(
        new Option('--only <which>', 'single: leave out those whose pods are all as wanted').choices(['single']),
      ),
  );
  add(
    'services',
    'List the Services with their families, what is behind them, and what becomes of each or stands in its way.',
    async (options) => (await import('./services.ts')).services(options as ServicesOptions, dependencies),
    (command) =>
      asking(command).addOption(
        new Option(
          '--only <which>',
          'single: of one family; trapped: of those, that ask for both; blocked: that need you; pending: that are changed next',
        ).choices(ONLY),
      ),
  );
  add(
    'verify',
    'Show whether packets flow in both families between all nodes, and where they are lost; --run tries it now.',
    async (options) => (await import('./verify.ts')).verify(options as VerifyOptions, dependencies),
    (command) =>
      command
        .addOption(output())
        .option('--run', 'try it now: makes pods and Services in namespace dualstack-system and removes them')
        .option('--ip-families <list>', 'with --run: families to try; else those that the cluster shall have', families)
        .option('--probe-image <image>', "with --run: image for the pods; else the operator's"),
  );
  const generate = program
    .command('generate')
    .summary('Write the files with which a new cluster gets both families, or IPv6 alone; needs no cluster.')
    .description('Writes the files with which a new cluster gets both families, or IPv6 alone.')
    .helpCommand(false);
  generate
    .copyInheritedSettings(program)
    .allowExcessArguments()
    .allowUnknownOption()
    .action(() => {
      const [system] = generate.args;
      if (system === undefined) generate.help({ error: true });
      generate.error(
        `error: there are no files for '${system}': choose ${generate.commands.map((each) => each.name()).join(', ')}`,
      );
    });
  const probe = program.command('probe', { hidden: true }).summary('Parts of a proof with packets (in the cluster).');
  probe.copyInheritedSettings(program);
  add(
    'serve',
    'Answer the probes of other pods until it is ended.',
    (options) => dependencies.serveProbe(options as ServeProbeOptions),
    (command) => command.requiredOption('--port <port>', 'port to answer on; 0 chooses one', port),
    probe,
  );
  add(
    'run',
    'Try what PROBE_ORDER (JSON) asks, and tell the results in one line.',
    () => dependencies.runProbe(),
    (command) => command,
    probe,
  );
  add(
    'operator',
    'Run the operator (in the cluster).',
    (options) => dependencies.runOperator(options as OperatorOptions),
    (command) =>
      command
        .option('--metrics-bind-address <host:port>', 'where metrics are served', bindAddress, '127.0.0.1:27871')
        .option('--health-probe-bind-address <host:port>', 'where probes are answered', bindAddress, '127.0.0.1:27872')
        .option('--no-leader-elect', 'run alone, without a Lease')
        .option('--probe-image <image>', "image for probe pods, instead of that of the operator's own pod")
        .addOption(logLevel()),
  );
  add(
    'agent',
    'Run the agent of one node (in the cluster).',
    (options) => dependencies.runAgent(options as AgentOptions),
    (command) =>
      command
        .addOption(
          new Option('--node-name <name>', 'node that this agent serves').env('NODE_NAME').makeOptionMandatory(),
        )
        .option('--host-root <folder>', "folder below which the host's files are seen", '/host')
        .option('--health-probe-bind-address <host:port>', 'where probes are answered', bindAddress, '127.0.0.1:27873')
        .option(
          '--undo-after-seconds <seconds>',
          'undo an edit whose component is not back after that time',
          positive,
          180,
        )
        .addOption(logLevel()),
  );
  add(
    'version',
    'Print the version of this program.',
    async () => {
      terminal.write(`${VERSION}\n`);
      return EXIT.OK;
    },
    (command) => command,
  );
  program.action(() => program.help({ error: true }));
  return {
    program,
    addGenerators: async () => (await import('./generate-commands.ts')).addGenerate(add, generate, dependencies),
  };
}

/** Options of the commands that look at a cluster for a wanted state. */
const asking = (command: Command): Command =>
  command
    .addOption(output())
    .option(
      '-f, --filename <file>',
      'DualStackCluster to look at instead of the one in the cluster; - is standard input',
    )
    .option('--ip-families <list>', 'wanted families, the live primary first, such as IPv4,IPv6')
    .option('--pod-network-cidr <list>', 'network for pods of the added family, or one per family')
    .option('--service-cidr <list>', 'network for Services of the added family, or one per family')
    .addHelpText(
      'after',
      '\nWithout -f and flags the DualStackCluster in the cluster is taken; where there is none, networks are proposed.',
    );

const output = (): Option => new Option('-o, --output <format>', 'how to print').choices(FORMATS);

const logLevel = (): Option =>
  new Option('--log-level <level>', 'least level that is logged')
    .choices(['error', 'warn', 'info', 'debug'] satisfies LogOptions['logLevel'][])
    .default('info');

function bindAddress(value: string): string {
  const port = Number(/^(?:\[[0-9a-f:.]+\]|[^:\s]*):(\d{1,5})$/u.exec(value)?.[1] ?? Number.NaN);
  if (port <= 65_535) return value;
  throw new InvalidArgumentError('Give host:port, such as 127.0.0.1:8080, [::1]:8080 or, for all addresses, :8080.');
}

function port(value: string): number {
  const number = Number(value);
  if (Number.isInteger(number) && number >= 0 && number <= 65_535) return number;
  throw new InvalidArgumentError('Give a port from 0 to 65535.');
}

function families(value: string): readonly Family[] {
  const named = value.split(',');
  const known = named.filter((each): each is Family => each === 'IPv4' || each === 'IPv6');
  if (known.length === named.length && new Set(known).size === known.length) return known;
  throw new InvalidArgumentError('Give IPv4, IPv6, or both with a comma between them.');
}

function positive(value: string): number {
  const number = Number(value);
  if (Number.isFinite(number) && number > 0) return number;
  throw new InvalidArgumentError('Give a number of seconds above 0.');
}

const EXIT_HELP = `
Exit codes:
  0  done; check and plan: nothing blocks; status: ready
  1  the command failed: no connection, no permission, unreadable file
  2  wrong usage, or the resource that was asked for is not valid
  3  the answer is no: blockers were found, the resource is not ready,
     or the system can have no such cluster`;
