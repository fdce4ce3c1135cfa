import { expect, test } from '@jest/globals';
import { nodeRows, nodesDocument, printNodes } from '../../../src/cli/print-nodes.ts';
import type { NodeFacts } from '../../../src/model/facts.ts';
import type { Family } from '../../../src/net/family.ts';
import { clusterFacts, nodeFacts } from '../../support/facts.ts';
import { NOW, screen, tooLong } from './support.ts';

const created = (hours: number): string => new Date(NOW - hours * 3_600_000).toISOString();

const facts = clusterFacts(
  {},
  {
    nodes: [
      {
        ...nodeFacts(1),
        name: 'cp-1',
        controlPlane: true,
        internalIPs: ['192.0.2.11', '2001:db8::11'],
        createdAt: created(100),
      },
      { ...nodeFacts(2), name: 'worker-1', controlPlane: false, internalIPs: ['192.0.2.12'], createdAt: created(30) },
      {
        ...nodeFacts(3),
        name: 'worker-2',
        controlPlane: false,
        internalIPs: ['192.0.2.13', '2001:db8::13'],
        ready: false,
        createdAt: created(1),
      },
    ],
  },
);
const why = ({ internalIPs }: NodeFacts, family: Family) =>
  internalIPs.some((ip) => ip.includes(':') === (family === 'IPv6'))
    ? null
    : { cause: 'NoAddress', sentence: `No interface has an address of ${family}.` };
const rows = nodeRows(facts, ['IPv4', 'IPv6'], why);

test('nodes that lack a family come first, with the cause', () => {
  expect(printNodes(rows, screen())).toBe(`\
NAME      READY  FAMILIES   PRIMARY-IP  SECOND-IP     CAUSE      AGE
worker-1  True   IPv4       192.0.2.12  -             NoAddress  30h
cp-1      True   IPv4,IPv6  192.0.2.11  2001:db8::11  -          4d
worker-2  False  IPv4,IPv6  192.0.2.13  2001:db8::13  -          60m
`);
});

test('wide tells the role, the pod networks and the cause in full', () => {
  const [, first = ''] = printNodes(rows, screen({ wide: true })).split('\n');
  expect(first).toContain('worker');
  expect(first).toContain('No interface has an address of IPv6.');
});

test('long names give way before addresses do', () => {
  const long = rows.map((row) => ({
    ...row,
    name: `ip-10-0-12-34.eu-central-1.compute.internal.${row.name}`,
    internalIPs: ['192.0.2.12', '2001:db8:aaaa:bbbb::1'],
  }));
  const text = printNodes(long, screen());
  expect(text).toContain('2001:db8:aaaa:bbbb::1');
  expect(tooLong(text)).toEqual([]);
});

test('even the longest addresses and causes fit on a screen', () => {
  const longest = rows.map((row) => ({
    ...row,
    name: 'n'.repeat(253),
    internalIPs: ['2001:0db8:aaaa:bbbb:cccc:dddd:eeee:ffff', '198.51.100.100'],
    cause: { cause: 'DuplicateAddressDetectionFailed', sentence: '' },
  }));
  expect(tooLong(printNodes(longest, screen()))).toEqual([]);
});

test('only wanted families are asked about', () => {
  const asked = new Set<Family>();
  nodeRows(facts, ['IPv4'], (_, family) => {
    asked.add(family);
    return null;
  });
  expect([...asked]).toEqual(['IPv4']);
});

test('a node that new pods are kept off says so, whatever its cause', () => {
  const taints = [{ key: 'dualstack.dev/family-missing', value: 'IPv6', effect: 'NoSchedule' }];
  const guarded = { ...facts, nodes: facts.nodes.map((node) => ({ ...node, taints })) };
  const shown = nodeRows(guarded, ['IPv4', 'IPv6'], why);
  const [, lacking, whole] = printNodes(shown, screen({ width: 120 })).split('\n');
  expect(lacking).toContain('NoAddress (guarded)');
  expect(whole).toContain(' (guarded)');
  expect(nodesDocument(shown)).toMatchObject({ nodes: [{ guarded: true }, { guarded: true }, { guarded: true }] });
});

test('the document for machines', () => {
  expect(nodesDocument(rows)).toMatchObject({
    nodes: [
      { name: 'worker-1', cause: 'NoAddress', families: ['IPv4'], role: 'worker' },
      { name: 'cp-1', cause: null, role: 'control-plane' },
      { name: 'worker-2', ready: false },
    ],
  });
});
