import { type Command, InvalidArgumentError, Option } from 'commander';
import type { Flag } from '../generate/contract.ts';
import { NODE_JOIN_FLAGS } from '../generate/kubeadm/node-join.ts';
import { generators } from '../registry.ts';
import type { Dependencies } from './dependencies.ts';
import type { ExitCode } from './exit-code.ts';
import { type FilesOptions, flagValues, generate, generateNodeJoin } from './generate.ts';
import type { NetworkOptions } from './generate-request.ts';
import type { Connection } from './session.ts';

/** Adds a subcommand to a command. */
type AddCommand = (
  name: string,
  summary: string,
  run: (options: unknown) => Promise<ExitCode>,
  shape: (command: Command) => Command,
  parent: Command,
) => void;

/** `generate` with one command for each generator of the registry. */
export function addGenerate(add: AddCommand, parent: Command, dependencies: Dependencies): void {
  for (const generator of generators) {
    add(
      generator.name,
      generator.summary,
      (options) =>
        generate(
          generator,
          options as NetworkOptions & FilesOptions,
          flagValues(generator.flags, options as Record<string, unknown>, attributeOf),
          dependencies,
        ),
      (command) => withFlags(files(networks(command)), generator.flags),
      parent,
    );
  }
  add(
    'node-join',
    'Files for "kubeadm join" to a live cluster: for the nodes that are named, or for all that it has.',
    (options) =>
      generateNodeJoin(
        options as Connection & FilesOptions,
        flagValues(NODE_JOIN_FLAGS, options as Record<string, unknown>, attributeOf),
        dependencies,
      ),
    (command) =>
      withFlags(
        files(command.requiredOption('--from-cluster', 'read families, endpoint and authority from the cluster')),
        NODE_JOIN_FLAGS,
      ),
    parent,
  );
}

const networks = (command: Command): Command =>
  command
    .option('-f, --filename <file>', 'DualStackCluster that says which network it shall have; - is standard input')
    .option('--name <name>', 'name of the new cluster; else that of the DualStackCluster, or cluster', clusterName)
    .option('--ip-families <list>', 'families, primary first, such as IPv6; else IPv4,IPv6')
    .option('--pod-network-cidr <list>', 'network for pods, one per family; else proposed')
    .option('--service-cidr <list>', 'network for Services, one per family; else proposed')
    .option('--node-cidr-mask-size-ipv4 <bits>', 'prefix length of the IPv4 pod network of one node', bits)
    .option('--node-cidr-mask-size-ipv6 <bits>', 'prefix length of the IPv6 pod network of one node', bits);

const files = (command: Command): Command =>
  command
    .option('-o, --output <folder>', 'folder for the files, made if need be; else all go to standard output')
    .option('--force', 'replace files that are there already');

const withFlags = (command: Command, flags: readonly Flag[]): Command =>
  flags.reduce((all, flag) => all.addOption(optionOf(flag)), command);

function optionOf({ name, value, description, choices, many }: Flag): Option {
  const option = new Option(`--${name} <${value}>`, description);
  if (choices !== undefined) return option.choices(choices);
  return many === true
    ? option.argParser((given: string, before: readonly string[] | undefined) => [...(before ?? []), given])
    : option;
}

const attributeOf = (flag: Flag): string => optionOf(flag).attributeName();

/** A DNS label, which all of the systems take. */
function clusterName(value: string): string {
  if (/^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$/u.test(value)) return value;
  throw new InvalidArgumentError('Give lower-case letters, digits and hyphens, beginning with a letter.');
}

function bits(value: string): number {
  const number = Number(value);
  if (Number.isInteger(number) && number >= 8 && number <= 128) return number;
  throw new InvalidArgumentError('Give a prefix length from 8 to 128.');
}
