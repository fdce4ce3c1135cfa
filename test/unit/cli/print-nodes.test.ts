import { expect, test } from '@jest/globals';
import { nodeRows, nodesDocument, printNodes } from '../../../src/cli/print-nodes.ts';
import type { NodeFacts } from '../../../src/model/facts.ts';
import type { Diagnosis } from '../../../src/nodes/cause.ts';
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
const NO_ADDRESS: Diagnosis = {
  cause: 'NoAddress',
  family: 'IPv6',
  sentence: 'No interface has an address of IPv6.',
  evidence: ['no IPv6 default route'],
  since: created(2),
  fix: { short: 'give it an IPv6 address', command: 'ip -6 address add ADDRESS/64 dev eth0', where: 'Node' },
  operator: { may: false, why: 'It gives none.' },
};
const why = ({ internalIPs }: NodeFacts): Diagnosis | null => (internalIPs.length > 1 ? null : NO_ADDRESS);
const rows = nodeRows(facts, why);

test('nodes that lack a family come first, with the cause', () => {
  expect(printNodes(rows, screen())).toBe(`\
NAME      READY  FAMILIES   PRIMARY-IP  SECOND-IP     CAUSE      FOR
worker-1  True   IPv4       192.0.2.12  -             NoAddress  2h
cp-1      True   IPv4,IPv6  192.0.2.11  2001:db8::11  -          -
worker-2  False  IPv4,IPv6  192.0.2.13  2001:db8::13  -          -

What to do
  NoAddress (worker-1): No interface has an address of IPv6.
    Give it an IPv6 address, on the node:
      ip -6 address add ADDRESS/64 dev eth0
`);
});

test('what the operator has tried is told', () => {
  const tried = { remedy: 'RestartKubelet', times: 1, at: '2026-11-02T11:00:00Z', inVain: true } as const;
  const told = nodeRows(facts, (node) => {
    const diagnosis = why(node);
    return diagnosis === null ? null : { ...diagnosis, tried };
  });
  const text =
    'The operator had its kubelet restarted at 2026-11-02T11:00:00Z; that did not help, and it is left to you.';
  expect(printNodes(told, screen({ wide: true }))).toContain(text);
  expect(nodesDocument(told)).toMatchObject({ nodes: [{ tried }, { tried: null }, { tried: null }] });
});

test('wide tells the role, the pod networks and the cause in full', () => {
  const [, first = ''] = printNodes(rows, screen({ wide: true })).split('\n');
  expect(first).toContain('worker');
  expect(first).toContain('30h');
  expect(first).toContain('you');
  expect(first).toContain('Give it an IPv6 address, on the node: ip -6 address add ADDRESS/64 dev eth0');
  expect(first).toContain('No interface has an address of IPv6.');
});

test('nodes with the same fix are told together, and who does it', () => {
  const many = Array.from({ length: 6 }, (_, n) => ({
    ...nodeFacts(n + 1),
    name: `worker-${n + 1}`,
    internalIPs: ['192.0.2.1'],
  }));
  const fix = { short: 'set it', command: 'set it', where: 'Node' } as const;
  const told = nodeRows(clusterFacts({}, { nodes: many }), ({ name }) => ({
    ...NO_ADDRESS,
    ...(name === 'worker-1' ? {} : { cause: 'LateAddress', fix, operator: { may: true } }),
  }));
  const text = printNodes(told, screen());
  expect(text.slice(text.indexOf('What to do'))).toBe(`\
What to do
  LateAddress (worker-2, worker-3, worker-4, worker-5 and 1 more): No interface
  has an address of IPv6.
    The operator does it when their turn comes. By hand, for worker-2: Set it,
    on the node:
      set it
  NoAddress (worker-1): No interface has an address of IPv6.
    Give it an IPv6 address, on the node:
      ip -6 address add ADDRESS/64 dev eth0
`);
  expect(printNodes(told, screen(), false)).toContain(
    'The operator does it once a DualStackCluster asks for it. By hand, for',
  );
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
    diagnosis: { ...NO_ADDRESS, cause: 'DuplicateAddressDetectionRunning' as const },
  }));
  expect(tooLong(printNodes(longest, screen()))).toEqual([]);
});

test('a node that new pods are kept off says so, whatever its cause', () => {
  const taints = [{ key: 'dualstack.dev/family-missing', value: 'IPv6', effect: 'NoSchedule' }];
  const guarded = { ...facts, nodes: facts.nodes.map((node) => ({ ...node, taints })) };
  const shown = nodeRows(guarded, why);
  const [, lacking, whole] = printNodes(shown, screen({ width: 120 })).split('\n');
  expect(lacking).toContain('NoAddress (guarded)');
  expect(whole).toContain(' (guarded)');
  expect(nodesDocument(shown)).toMatchObject({ nodes: [{ guarded: true }, { guarded: true }, { guarded: true }] });
});

test('the document for machines', () => {
  expect(nodesDocument(rows)).toMatchObject({
    nodes: [
      {
        name: 'worker-1',
        cause: 'NoAddress',
        families: ['IPv4'],
        role: 'worker',
        since: created(2),
        command: 'ip -6 address add ADDRESS/64 dev eth0',
        runOn: 'Node',
        byOperator: false,
        whyNotByOperator: 'It gives none.',
        tried: null,
        evidence: ['no IPv6 default route'],
      },
      { name: 'cp-1', cause: null, role: 'control-plane' },
      { name: 'worker-2', ready: false },
    ],
  });
});
