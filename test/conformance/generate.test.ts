import { expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import type { FlagValues, Generator } from '../../src/generate/contract.ts';
import type { Family } from '../../src/net/family.ts';
import { parseCidr } from '../../src/net/cidr.ts';
import { generators } from '../../src/registry.ts';
import { CASES, clusterFor, documentsOf, nodeFlag } from '../unit/generate/support.ts';

/** What every generator has to keep, whichever system it is for. */

const each = generators.map((generator) => [generator.name, generator] as const);

/** Whatever one of them cannot do without; each takes the flags that are its own. */
const valuesFor = (families: readonly Family[]): FlagValues => ({
  'kubernetes-version': ['1.34.1'],
  'control-plane': [nodeFlag('cp-1', 11, families)],
  worker: [nodeFlag('worker-1', 21, families)],
  controller: [nodeFlag('c-1', 11, families)],
  provider: ['hetzner'],
  datacenter: ['hetzner-fsn1'],
  // In its other mode Cilium takes the networks from the Nodes, and its file names none.
  ipam: ['cluster-pool'],
});

const ownOf = (generator: Generator, values: FlagValues): FlagValues =>
  Object.fromEntries(Object.entries(values).filter(([name]) => generator.flags.some((flag) => flag.name === name)));

test('names are unique, and none is that of the command beside them', () => {
  const names = [...generators.map(({ name }) => name), 'node-join'];
  expect(new Set(names).size).toBe(names.length);
});

test.each(each)('%s: its flags are its own, and described', (_, { flags, summary }) => {
  const taken = [
    'filename',
    'name',
    'ip-families',
    'pod-network-cidr',
    'service-cidr',
    'output',
    'force',
    'kubeconfig',
    'context',
  ];
  const names = flags.map(({ name }) => name);
  expect(new Set([...taken, ...names]).size).toBe(taken.length + names.length);
  for (const { name, description } of flags) {
    expect(name).toMatch(/^[a-z][a-z-]+$/u);
    expect(description.length).toBeGreaterThan(10);
  }
  expect(summary).toMatch(/^[A-Z].*\.$/u);
});

const everyWay = each.flatMap(([name, generator]) =>
  CASES.map(([families, list]) => [name, families, generator, list] as const),
);

test.each(everyWay)('%s for %s: the same request gives the same files, or a reason', (_, __, generator, families) => {
  const values = ownOf(generator, valuesFor(families));
  const cluster = clusterFor(generator, families, {}, values);
  const result = generator.generate(cluster, values);
  expect(generator.generate(cluster, values)).toEqual(result);
  if (!result.ok) {
    // With all that it asks for only the system itself can be the reason.
    expect(result.error.is).toBe('Impossible');
    expect(result.error.problems.length).toBeGreaterThan(0);
    return;
  }
  const { files } = result.value;
  expect(new Set(files.map(({ name }) => name)).size).toBe(files.length);
  for (const { name, text } of files) {
    expect(name).toMatch(/^[a-z0-9][a-z0-9.-]*\.yaml$/u);
    // A comment on top of each document says what it is for.
    for (const document of text.split('---\n')) expect(document).toMatch(/^# [A-Z/k]/u);
    for (const document of documentsOf(text)) expect(document).toEqual(expect.any(Object));
    expect(text.endsWith('\n')).toBe(true);
  }
});

test.each(each)('%s: two families, IPv4 first, are possible', (_, generator) => {
  const values = ownOf(generator, valuesFor(['IPv4', 'IPv6']));
  expect(generator.generate(clusterFor(generator, ['IPv4', 'IPv6'], {}, values), values)).toMatchObject({ ok: true });
});

/** IPv6 networks that all of them can cut with the mask beside them. */
const networks = fc
  .record({
    site: fc.integer({ min: 1, max: 0xffff }),
    prefix: fc.integer({ min: 48, max: 64 }),
    longer: fc.integer({ min: 1, max: 16 }),
  })
  .map(({ site, prefix, longer }) => {
    const pods = parseCidr(`fd77:${site.toString(16)}::/${prefix}`);
    if (!pods.ok) throw new Error(pods.error.message);
    return { pods: pods.value.text, services: `fd78:${site.toString(16)}::/112`, mask: prefix + longer };
  });

test.each(each)('%s: networks that were given are those that are written, and no other', (_, generator) => {
  const values = ownOf(generator, valuesFor(['IPv4', 'IPv6']));
  fc.assert(
    fc.property(networks, ({ pods, services, mask }) => {
      const proposed = clusterFor(generator, ['IPv4', 'IPv6'], {}, values);
      const cluster = {
        ...proposed,
        pods: { ...proposed.pods, IPv6: pods },
        services: { ...proposed.services, IPv6: services },
        nodeMask: { IPv6: mask },
      };
      const result = generator.generate(cluster, values);
      if (!result.ok) throw new Error(result.error.problems.join('\n'));
      const text = result.value.files.map((file) => file.text).join('');
      expect(text).toContain(pods);
      expect(text).not.toContain(proposed.pods.IPv6!);
      expect(text).not.toContain(proposed.services.IPv6!);
    }),
    { numRuns: 25 },
  );
});
