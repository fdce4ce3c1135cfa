import { parseAllDocuments } from 'yaml';
import type { FlagValues, Generated, Generator, NewCluster } from '../../../src/generate/contract.ts';
import { at } from '../../../src/model/object.ts';
import type { Family } from '../../../src/net/family.ts';

export const DUAL: readonly Family[] = ['IPv4', 'IPv6'];
export const DUAL_IPV6_FIRST: readonly Family[] = ['IPv6', 'IPv4'];
export const IPV6_ONLY: readonly Family[] = ['IPv6'];
export const IPV4_ONLY: readonly Family[] = ['IPv4'];

/** Families by a name for the title of a test. */
export const CASES = [
  ['IPv4,IPv6', DUAL],
  ['IPv6,IPv4', DUAL_IPV6_FIRST],
  ['IPv6', IPV6_ONLY],
  ['IPv4', IPV4_ONLY],
] as const;

/** A request with the generator's own networks, as the command makes it. */
export function clusterFor(
  generator: Generator,
  families: readonly Family[],
  change: Partial<NewCluster> = {},
  values: FlagValues = {},
): NewCluster {
  const defaults = generator.defaults(values);
  const pick = (network: 'pods' | 'services') =>
    Object.fromEntries(families.map((family) => [family, defaults[family][network]]));
  return {
    name: 'new',
    families,
    pods: pick('pods'),
    services: pick('services'),
    nodeMask: {},
    options: {},
    ...change,
  };
}

/** What it writes; fails with its reasons where it refuses. */
export function filesOf(generator: Generator, cluster: NewCluster, values: FlagValues = {}): Generated {
  const result = generator.generate(cluster, values);
  if (!result.ok) throw new Error(result.error.problems.join('\n'));
  return result.value;
}

/** All documents of all files, by kind. */
export function byKind(generated: Generated): Record<string, unknown> {
  return Object.fromEntries(
    generated.files.flatMap(({ text }) =>
      documentsOf(text).map((document) => [String(at(document, 'kind')), document]),
    ),
  );
}

export function documentsOf(text: string): readonly unknown[] {
  const documents = parseAllDocuments(text);
  if (!Array.isArray(documents)) throw new Error('the file is empty');
  return documents.map((document) => {
    if (document.errors.length > 0) throw new Error(String(document.errors[0]));
    return document.toJS() as unknown;
  });
}

export const fileNamed = (generated: Generated, name: string): string => {
  const file = generated.files.find((each) => each.name === name);
  if (file === undefined)
    throw new Error(`there is no ${name} among ${generated.files.map((each) => each.name).join(', ')}`);
  return file.text;
};

/** Nodes as flags name them, with an address of each of the families. */
export function nodeFlag(name: string, number: number, families: readonly Family[]): string {
  const addresses = { IPv4: `192.0.2.${number}`, IPv6: `2001:db8::${number}` };
  return `${name}=${families.map((family) => addresses[family]).join(',')}`;
}
