import { expect, test } from '@jest/globals';
import type { NodesStatus } from '../../../src/api/cluster-status.ts';
import type { NodeFacts } from '../../../src/model/facts.ts';
import { known } from '../../../src/model/reader.ts';
import { missingText } from '../../../src/report/missing-text.ts';
import { nodesStatus } from '../../../src/report/nodes.ts';
import { AT, before, hostAddress, hostIPv4, hostIPv6, nodeFacts, running } from '../../support/facts.ts';
import { OUTLOOK, token } from '../nodes/situation.ts';

const told = (nodes: readonly NodeFacts[], previous?: NodesStatus, now = AT): NodesStatus =>
  nodesStatus({ ...OUTLOOK, now }, nodes, null, previous);
const whole = (n: number): NodeFacts => nodeFacts(n, { dual: true });
const lacking = (n: number, change = {}): NodeFacts => nodeFacts(n, { ipv6: false }, change);
const gone = (n: number): NodeFacts =>
  nodeFacts(n, { dual: true }, {}, { addresses: [hostAddress({ address: hostIPv4(n) })] });
const LATER = AT + 900_000;

test('since: a node that was whole at the last look has been without from now on, and stays so', () => {
  const first = told([whole(1), whole(2)]);
  const second = told([whole(1), lacking(2)], first);
  expect(second.exceptions).toMatchObject([{ name: 'worker-2', since: before(0) }]);
  expect(second.delayed).toBe(0);
  const third = told([whole(1), lacking(2)], second, LATER);
  expect(third.exceptions).toMatchObject([{ since: before(0) }]);
  expect(third.delayed).toBe(1);
});

test('since: whole in between, it begins anew', () => {
  const lost = told([lacking(1)], told([whole(1)]));
  const back = told([whole(1)], lost, LATER);
  expect(told([lacking(1)], back, LATER + 60_000).exceptions[0]?.since).toBe(before(-960));
});

test('since: where nobody remembers, it is the age of the Node', () => {
  expect(told([lacking(1)]).exceptions[0]?.since).toBe(before(86_400));
  const joined = lacking(2, { createdAt: before(20) });
  expect(told([whole(1), joined], told([whole(1)])).exceptions[0]?.since).toBe(before(20));
});

test('since: where not all could be named, nothing is concluded from a missing name', () => {
  const many = Array.from({ length: 60 }, (_, n) => lacking(n + 1));
  const first = told(many);
  expect(told([...many.slice(10), lacking(99)], first, LATER).exceptions.map(({ since }) => since)).toEqual(
    Array.from({ length: 50 }, () => before(86_400)),
  );
});

test('since when the oldest of the delayed has waited, and which they are', () => {
  const status = told([
    whole(1),
    lacking(2),
    lacking(3, { createdAt: before(90_000) }),
    lacking(4, { createdAt: before(20) }),
  ]);
  expect(status).toMatchObject({ delayed: 2, delayedSince: before(90_000) });
  expect(status.exceptions.map(({ name, delayed }) => `${name} ${delayed ?? false}`)).toEqual([
    'worker-3 true',
    'worker-2 true',
    'worker-4 false',
  ]);
  expect(told([whole(1)])).not.toHaveProperty('delayedSince');
});

test('since: an address that goes has been gone from then on, whatever was wrong with the node before', () => {
  const hostPods = new Map([['worker-1', [hostIPv4(1)]]]);
  const look = (node: NodeFacts, now: number, previous?: NodesStatus) =>
    nodesStatus({ ...OUTLOOK, hostPodIPs: hostPods, now }, [node], null, previous);
  const first = look(whole(1), AT);
  expect(first.exceptions).toMatchObject([{ cause: 'HostPodsSingleFamily', since: before(86_400) }]);
  const second = look(gone(1), LATER, first);
  expect(second.exceptions).toMatchObject([{ cause: 'AddressGone', since: before(-900) }]);
  expect(look(gone(1), LATER + 60_000, second).exceptions).toMatchObject([{ since: before(-900) }]);
});

test('addresses that are gone are told before what is merely lacking, and stay told until they are back, however many there are', () => {
  const many = Array.from({ length: 60 }, (_, n) => lacking(n + 100));
  const first = told([...many, gone(1)]);
  expect(first.exceptions).toHaveLength(50);
  expect(first.exceptions[0]).toMatchObject({ name: 'worker-1', cause: 'AddressGone', since: before(0) });
  expect(told([...many, gone(1)], first, LATER).exceptions[0]).toMatchObject({ name: 'worker-1', since: before(0) });

  const renumbered = Array.from({ length: 80 }, (_, n) => gone(n + 1));
  const told1 = told(renumbered);
  const told2 = told(renumbered, told1, LATER);
  expect(told2.exceptions.map(({ name, since }) => [name, since])).toEqual(
    told1.exceptions.map(({ name }) => [name, before(0)]),
  );
});

/** Its kubelet was restarted so many seconds ago, and the script did not find IPv6. */
const late = (ago: number) =>
  nodeFacts(
    1,
    {},
    { agent: { spec: { restart: { kubelet: token({ at: ago, count: 2 }) } } } },
    { kubelet: { running: running({ 'node-ip': hostIPv4(1) }, before(ago - 5)), nodeIPFrom: 'KUBELET_NODE_IP' } },
  );

test('what the operator has tried is told, in the exception and in short', () => {
  const underWay = told([late(60)]);
  expect(underWay.exceptions[0]).toMatchObject({
    message: expect.stringContaining(
      `The operator had its kubelet restarted at ${before(60)}, for the 2nd time in a row.`,
    ),
    tried: { remedy: 'RestartKubelet', times: 2, at: before(60) },
    byOperator: true,
  });
  expect(missingText(underWay, ['IPv4', 'IPv6'])).toContain('; the operator is at it)');
  const inVain = told([late(600)]);
  expect(inVain.exceptions[0]).toMatchObject({
    message: expect.stringContaining('that did not help, and it is left to you.'),
    tried: { inVain: true },
  });
  expect(inVain.exceptions[0]).not.toHaveProperty('byOperator');
  expect(missingText(inVain, ['IPv4', 'IPv6'])).toContain('; the operator tried in vain)');
});

test('the worst first: lost, without any, then those that have waited longest, then by name', () => {
  const nodes = [
    whole(1),
    lacking(2),
    lacking(3, { createdAt: before(90_000) }),
    nodeFacts(4, {}, { internalIPs: [] }),
    lacking(5),
    lacking(6),
  ];
  const proof = { is: 'LostPrimary', evidence: 'It is lost.', remedy: 'Mend it.' } as const;
  const status = nodesStatus(
    OUTLOOK,
    nodes,
    known({ inForce: true, nodes: new Map([['worker-6', proof]]) }),
    undefined,
  );
  expect(status.exceptions.map(({ name }) => name)).toEqual([
    'worker-6',
    'worker-4',
    'worker-3',
    'worker-2',
    'worker-5',
  ]);
});

test('an exception tells what to do, where, and who does it', () => {
  const mended = nodeFacts(1, {}, {}, { kubelet: { running: running({ 'node-ip': hostIPv4(1) }) } });
  expect(told([mended]).exceptions[0]).toMatchObject({
    cause: 'KubeletNodeIPSingleFamily',
    remedy: 'set --node-ip to an address of each family and restart its kubelet',
    command: expect.stringContaining(`--node-ip=${hostIPv4(1)},${hostIPv6(1)}`),
    runOn: 'Node',
    byOperator: true,
  });
  expect(told([lacking(1)]).exceptions[0]).not.toHaveProperty('byOperator');
});

test('a message for somebody tired: how many, which, why, since when, what to do', () => {
  const late = nodeFacts(
    7,
    {},
    { createdAt: '2026-11-02T11:48:00Z' },
    {
      addresses: [hostAddress({ address: hostIPv4(7) }), hostAddress({ address: hostIPv6(7), since: before(300) })],
      kubelet: { running: running({ 'node-ip': `${hostIPv4(7)},${hostIPv6(7)}` }, before(700)) },
    },
  );
  const nodes = [...Array.from({ length: 117 }, (_, n) => whole(n + 10)), late, lacking(8), lacking(9)];
  expect(missingText(told(nodes), ['IPv4', 'IPv6'])).toBe(
    '3 of 120 nodes report no IPv6: ' +
      'worker-8 and worker-9 (NoAddress since 2026-11-01 12:00 UTC; give it an IPv6 address), ' +
      'worker-7 (LateAddress since 2026-11-02 11:48 UTC; wait a minute, then restart its kubelet). ' +
      'kubectl dualstack nodes --only missing shows all.',
  );
});

test('a message for somebody tired: what the operator is going to do by itself', () => {
  const late = nodeFacts(7, {}, {}, { kubelet: { running: running({ 'node-ip': hostIPv4(7) }) } });
  const textOf = (change: Partial<typeof OUTLOOK>): string =>
    missingText(nodesStatus({ ...OUTLOOK, ...change }, [late], null, undefined), ['IPv4', 'IPv6']);
  expect(textOf({})).toContain('restart its kubelet, which the operator does). kubectl');
  expect(textOf({ heldBy: 'spec.mode is Plan.' })).toContain('restart its kubelet). kubectl');
});

test('both families can be missing, and only some nodes are named', () => {
  const nodes = [
    whole(1),
    nodeFacts(2, {}, { internalIPs: [] }),
    ...Array.from({ length: 8 }, (_, n) => lacking(n + 10)),
  ];
  const text = missingText(told(nodes), ['IPv4', 'IPv6']);
  expect(text).toMatch(/^1 of 10 nodes report no IPv4 and 9 of 10 nodes report no IPv6: worker-2 \(/u);
  expect(text).toContain(' and 4 more. kubectl');
});

const half = (count: number): readonly NodeFacts[] =>
  Array.from({ length: count }, (_, n) => (n % 2 === 0 ? whole(n) : lacking(n)));

const leastTime = (nodes: readonly NodeFacts[]): number =>
  Math.min(
    ...Array.from({ length: 7 }, () => {
      const start = process.hrtime.bigint();
      told(nodes);
      return Number(process.hrtime.bigint() - start) / 1e6;
    }),
  );

test('ten times the nodes take ten times the time, about: thousands are counted, fifty are looked into', () => {
  const [few, many] = [half(1500), half(15_000)];
  leastTime(few);
  const [short, long] = [leastTime(few), leastTime(many)];
  // Generous, for a machine that has other things to do: what is quadratic takes a hundred times as long.
  expect(long).toBeLessThan(Math.max(40 * short, 50));
});
