import { expect, test } from '@jest/globals';
import { array, assert, boolean, integer, property, record } from 'fast-check';
import type { NodeFacts } from '../../../src/model/facts.ts';
import type { HostReport } from '../../../src/model/host.ts';
import {
  type Attempt,
  attemptOf,
  CALM_S,
  FIRST_PAUSE_S,
  MAX_ATTEMPTS,
  PATIENCE_S,
  tokenOf,
} from '../../../src/nodes/attempt.ts';
import { correctionOf, type RemedyOutlook } from '../../../src/nodes/correction.ts';
import { pausedUntil, restartOf, triedOf } from '../../../src/nodes/remedy.ts';
import { AT, before, type Deep, nodeFacts, running } from '../../support/facts.ts';
import { own4, own6, V4, V6 } from './situation.ts';

const OUTLOOK: RemedyOutlook = { families: ['IPv4', 'IPv6'], settings: { gracePeriod: 300 }, now: AT };
const NOW = AT / 1000;

test('a token holds all of an attempt, and fits where tokens go', () => {
  const longest: Attempt = {
    count: MAX_ATTEMPTS,
    at: 9_999_999_999,
    since: 9_999_999_999,
    address: '2001:db8:aaaa:bbbb:cccc:dddd:eeee:ffff',
  };
  expect(tokenOf(longest)).toMatch(/^[A-Za-z0-9._:-]{1,64}$/u);
  for (const attempt of [longest, { count: 1, at: 5, since: 4, address: V4 }]) {
    expect(attemptOf(tokenOf(attempt))).toEqual(attempt);
  }
  for (const other of [undefined, '', 'by-hand', '1.2.3', '12.1.1.::1']) expect(attemptOf(other)).toBeNull();
});

/** A kubelet that a script started without IPv6, `started` seconds ago; the address came `came` seconds ago. */
interface Late {
  readonly started?: number;
  readonly came?: number;
  readonly attempt?: Attempt;
  readonly node?: Deep<NodeFacts>;
  readonly host?: Deep<HostReport>;
}

const CAME = 1000;
const late = ({ started = 9000, came = CAME, attempt, node = {}, host = {} }: Late): NodeFacts => {
  const facts = nodeFacts(1, {}, node, {
    addresses: [own4, own6({ since: before(came) })],
    kubelet: { running: running({ 'node-ip': V4 }, before(started)), nodeIPFrom: 'KUBELET_NODE_IP' },
    ...host,
  });
  if (facts.agent === null || attempt === undefined) return facts;
  return { ...facts, agent: { ...facts.agent, spec: { restart: { kubelet: tokenOf(attempt) } } } };
};

/** Asked so many seconds ago, for the present address unless told otherwise. */
const asked = (ago: number, change: Partial<Attempt> = {}): Attempt => ({
  count: 1,
  at: NOW - ago,
  since: NOW - CAME,
  address: V6,
  ...change,
});
/** For an address that was there before the present one. */
const earlier = (ago: number, count = 1): Attempt => asked(ago, { count, since: NOW - ago - 400 });

const cloud = (nodeIP: string) => ({
  kubelet: { running: running({ 'node-ip': nodeIP, 'cloud-provider': 'external' }, before(9000)), nodeIPFrom: 'X' },
});

test.each<[string, Late, string | null]>([
  ['the address came after the kubelet, longer ago than the grace period', {}, 'Due'],
  ['within the grace period', { came: 299 }, 'Waiting'],
  ['at its end', { came: 300 }, 'Due'],
  ['the address was there when the kubelet started', { started: 900 }, 'Pointless'],
  ['it came in the very second', { started: CAME }, 'Pointless'],
  ['asked for a moment ago', { attempt: asked(10) }, 'Asked'],
  ['the kubelet is up again, and the Node is not yet told', { attempt: asked(10), started: 5 }, 'Asked'],
  [
    'the script gave it both, and the Node is not yet told',
    { attempt: asked(10), host: { kubelet: { running: running({ 'node-ip': `${V4},${V6}` }), nodeIPFrom: 'X' } } },
    'Asked',
  ],
  [
    'that takes its time, which is not for a restart to mend',
    { attempt: asked(900), host: { kubelet: { running: running({ 'node-ip': `${V4},${V6}` }), nodeIPFrom: 'X' } } },
    null,
  ],
  ['for long enough', { attempt: asked(PATIENCE_S), started: PATIENCE_S - 5 }, 'InVain'],
  ['its agent has not done it', { attempt: asked(PATIENCE_S) }, 'InVain'],
  ['never again for the same address, however long ago', { attempt: asked(900 * CALM_S) }, 'InVain'],
  ['another address has come since, too soon', { attempt: earlier(FIRST_PAUSE_S + 399) }, 'Due'],
  ['another address has come, and the pause lasts', { attempt: asked(599, { address: '2001:db8::99' }) }, 'Waiting'],
  ['the pause is over', { attempt: asked(600, { address: '2001:db8::99' }) }, 'Due'],
  ['the same address has gone and come back', { attempt: earlier(1200) }, 'Due'],
  ['twice as long after the second', { attempt: earlier(1199, 2) }, 'Waiting'],
  ['which ends', { attempt: earlier(1200, 2) }, 'Due'],
  ['eight times after the fourth', { attempt: earlier(4799, 4) }, 'Waiting'],
  ['enough is enough', { attempt: earlier(CALM_S - 1, MAX_ATTEMPTS) }, 'GivenUp'],
  ['a calm time makes good for it', { attempt: earlier(CALM_S, MAX_ATTEMPTS) }, 'Due'],
  ['a token of somebody else', { node: { agent: { spec: { restart: { kubelet: 'by-hand' } } } } }, 'Due'],
  ['the Node shows both', { node: { internalIPs: [V4, V6] } }, null],
  [
    'the kubelet is told both',
    { host: { kubelet: { running: running({ 'node-ip': `${V4},${V6}` }), nodeIPFrom: 'X' } } },
    null,
  ],
  ['the host has none', { host: { addresses: [own4] } }, null],
  ['only one that goes again', { host: { addresses: [own4, own6({ flags: ['temporary'] })] } }, null],
  ['nobody looks at the host', { node: { agent: null } }, null],
  ['no kubelet', { host: { kubelet: { running: null, nodeIPFrom: 'X' } } }, null],
  ['a cloud writes the addresses', { host: cloud('') }, null],
  ['a cloud is asked for both', { host: cloud(`${V4},${V6}`) }, null],
  ['a cloud is asked for both since the restart', { attempt: asked(300), host: cloud(`${V4},${V6}`) }, 'Asked'],
  ['a cloud is asked for one, which it then publishes alone', { host: cloud(V4) }, 'Due'],
  [
    'the cloud wrote an address that is not on the host',
    { node: { internalIPs: [V4, '2001:db8::dead'] }, host: cloud(V4) },
    null,
  ],
  ['renumbered', { node: { internalIPs: [V4, '2001:db8::dead'] } }, 'Due'],
  [
    'the primary is renumbered: it is what people reach the node by',
    { node: { internalIPs: ['192.0.2.99', V6] } },
    null,
  ],
])('a restart: %s: %s', (_, situation, is) => {
  expect(restartOf(late(situation), OUTLOOK)?.is ?? null).toBe(is);
});

test('without a script a restart brings nothing', () => {
  const node = nodeFacts(1, {}, {}, { kubelet: { running: running({ 'node-ip': V4 }, before(9000)) } });
  expect(restartOf(node, OUTLOOK)).toBeNull();
});

test('what was tried is told while it is about what ails the node now', () => {
  const at = before(10);
  expect(triedOf(late({}), OUTLOOK)).toBeNull();
  expect(triedOf(late({ attempt: asked(10) }), OUTLOOK)).toEqual({ remedy: 'RestartKubelet', times: 1, at });
  expect(triedOf(late({ attempt: asked(500, { count: 3 }) }), OUTLOOK)).toMatchObject({ times: 3, inVain: true });
  expect(triedOf(late({ attempt: earlier(700) }), OUTLOOK)).toBeNull();
});

test('whatever comes and goes: not before the grace period, once for each address, further and further apart, and not for ever', () => {
  const event = record({
    pass: integer({ min: 1, max: 2000 }),
    renumber: boolean(),
    reboot: boolean(),
    agentDown: boolean(),
  });
  assert(
    property(array(event, { minLength: 1, maxLength: 120 }), (events) => {
      let [now, came, started, spec] = [NOW, NOW - 50, NOW - 100, ''];
      const asks: Attempt[] = [];
      for (const { pass, renumber, reboot, agentDown } of events) {
        now += pass;
        if (renumber) came = now - 1;
        if (reboot) [started, came] = [now - 60, now - 30];
        const restart = restartOf(
          {
            ...late({ started: NOW - started, came: NOW - came }),
            agent: {
              ...nonNull(late({ started: NOW - started, came: NOW - came }).agent),
              spec: { restart: { kubelet: spec } },
            },
          },
          { ...OUTLOOK, now: now * 1000 },
        );
        if (restart?.is !== 'Due') continue;
        const attempt = nonNull(attemptOf(restart.token));
        expect(now - came).toBeGreaterThanOrEqual(300);
        expect(came).toBeGreaterThan(started);
        expect(asks.some(({ since, address }) => since === attempt.since && address === attempt.address)).toBe(false);
        const last = asks.at(-1);
        if (last !== undefined && now - last.at < CALM_S) {
          expect(attempt.count).toBe(last.count + 1);
          expect(now - last.at).toBeGreaterThanOrEqual(FIRST_PAUSE_S * 2 ** (last.count - 1));
        } else expect(attempt.count).toBe(1);
        expect(attempt.count).toBeLessThanOrEqual(MAX_ATTEMPTS);
        asks.push(attempt);
        spec = restart.token;
        if (!agentDown) started = now + 1;
      }
    }),
  );
});

function nonNull<T>(value: T | null): T {
  if (value === null) throw new Error('null');
  return value;
}

const OLD = '2001:db8:dead::1';
const GONE_SINCE = before(400);
/** A kubelet that is told an address that its host no longer has. */
const renumbered = (node: Deep<NodeFacts> = {}, host: Deep<HostReport> = {}): NodeFacts =>
  nodeFacts(
    1,
    {},
    { internalIPs: [V4, OLD], ...node },
    {
      addresses: [own4, own6({ since: before(CAME) })],
      kubelet: { running: running({ 'node-ip': `${V4},${OLD}` }) },
      ...host,
    },
  );
const wantsPair = { kubelet: { nodeIPs: [V4, V6] } };
/** The pair was asked for so many seconds ago. */
const askedPair = (ago: number, change: Partial<Attempt> = {}) => ({
  ...wantsPair,
  restart: { kubelet: tokenOf(asked(ago, change)) },
});
/** Another one was, which is gone by now. */
const askedOther = (ago: number, count = 1) => ({
  kubelet: { nodeIPs: [V4, OLD] },
  restart: { kubelet: tokenOf(asked(ago, { count, address: OLD })) },
});
const drifted = {
  type: 'Applied',
  status: 'False',
  reason: 'Drifted',
  message: '',
  observedGeneration: 0,
  lastTransitionTime: '',
} as const;
const refusal = {
  component: 'kubelet',
  flag: 'node-ip',
  value: `${V4},${V6}`,
  generation: 0,
  why: 'it ended',
} as const;
const runsWith = (seconds: number) => ({
  kubelet: { running: running({ 'node-ip': `${V4},${V6}` }, before(seconds)) },
});

test.each<[string, NodeFacts, string | null, string | null]>([
  ['the old one has been gone for long enough, and the new one there', renumbered(), GONE_SINCE, 'Due'],
  ['it has just gone', renumbered(), before(299), 'Waiting'],
  ['nobody has told yet that it is gone', renumbered(), null, 'Waiting'],
  [
    'the new one has just come',
    renumbered({}, { addresses: [own4, own6({ since: before(299) })] }),
    GONE_SINCE,
    'Waiting',
  ],
  ['there is none in its place', renumbered({}, { addresses: [own4] }), GONE_SINCE, null],
  ['a virtual IP alone', renumbered({}, { addresses: [own4, own6({ prefixLength: 128 })] }), GONE_SINCE, null],
  [
    'a leased one stays with its host',
    renumbered({}, { addresses: [own4, own6({ prefixLength: 128, flags: [] })] }),
    GONE_SINCE,
    'Due',
  ],
  ['the primary has gone too', renumbered({ internalIPs: ['192.0.2.99', OLD] }), GONE_SINCE, null],
  ['asked for', renumbered({ agent: { spec: wantsPair } }), GONE_SINCE, 'Asked'],
  ['the Node does not show it yet', renumbered({ agent: { spec: wantsPair } }, runsWith(60)), GONE_SINCE, 'Asked'],
  ['nor after minutes', renumbered({ agent: { spec: wantsPair } }, runsWith(400)), GONE_SINCE, 'InVain'],
  ['somebody took it back', renumbered({ agent: { spec: wantsPair, conditions: [drifted] } }), GONE_SINCE, 'Due'],
  ['the agent undid it', renumbered({}, { refused: [refusal] }), GONE_SINCE, 'Refused'],
  ['its agent has some minutes', renumbered({ agent: { spec: askedPair(PATIENCE_S - 1) } }), GONE_SINCE, 'Asked'],
  ['and has not done it', renumbered({ agent: { spec: askedPair(PATIENCE_S) } }), GONE_SINCE, 'InVain'],
  ['renumbered once more, too soon', renumbered({ agent: { spec: askedOther(599) } }), GONE_SINCE, 'Waiting'],
  ['the pause is over', renumbered({ agent: { spec: askedOther(600) } }), GONE_SINCE, 'Due'],
  ['twice as long after the second', renumbered({ agent: { spec: askedOther(1199, 2) } }), GONE_SINCE, 'Waiting'],
  ['which ends', renumbered({ agent: { spec: askedOther(1200, 2) } }), GONE_SINCE, 'Due'],
  ['a fifth time', renumbered({ agent: { spec: askedOther(FIRST_PAUSE_S * 8, 4) } }), GONE_SINCE, 'Due'],
  ['enough is enough', renumbered({ agent: { spec: askedOther(CALM_S - 1, MAX_ATTEMPTS) } }), GONE_SINCE, 'GivenUp'],
  [
    'which is told, too, where nobody has noted since when it is gone',
    renumbered({ agent: { spec: askedOther(CALM_S - 1, MAX_ATTEMPTS) } }),
    null,
    'GivenUp',
  ],
  [
    'a calm time makes good for it',
    renumbered({ agent: { spec: askedOther(CALM_S, MAX_ATTEMPTS) } }),
    GONE_SINCE,
    'Due',
  ],
  [
    'somebody took it back a moment ago',
    renumbered({ agent: { spec: askedPair(599), conditions: [drifted] } }),
    GONE_SINCE,
    'Waiting',
  ],
  ['and has had his time', renumbered({ agent: { spec: askedPair(600), conditions: [drifted] } }), GONE_SINCE, 'Due'],
  [
    'and does so each time',
    renumbered({ agent: { spec: askedPair(600, { count: MAX_ATTEMPTS }), conditions: [drifted] } }),
    GONE_SINCE,
    'GivenUp',
  ],
  [
    'the kubelet is told no address: it finds another by itself',
    renumbered({}, { kubelet: { running: running({ 'node-ip': '' }) } }),
    GONE_SINCE,
    null,
  ],
  [
    'a script tells it',
    renumbered({}, { kubelet: { running: running({ 'node-ip': `${V4},${OLD}` }), nodeIPFrom: 'X' } }),
    GONE_SINCE,
    null,
  ],
  ['all is as it was', nodeFacts(1, { dual: true }), GONE_SINCE, null],
])('another --node-ip: %s', (_, node, since, is) => {
  const correction = correctionOf(node, OUTLOOK, since);
  expect(correction?.is ?? null).toBe(is);
  if (correction?.is === 'Due') expect(correction.nodeIPs).toEqual([V4, V6]);
});

const tokenAfter = (spec: object): unknown => {
  const correction = correctionOf(renumbered({ agent: { spec } }), OUTLOOK, GONE_SINCE);
  return correction?.is === 'Due' ? attemptOf(correction.token) : correction;
};

test('a correction tells in its token the how-manieth it is, and for which address', () => {
  expect(tokenAfter({})).toEqual({ count: 1, at: NOW, since: NOW - CAME, address: V6 });
  expect(tokenAfter(askedOther(1200, 2))).toMatchObject({ count: 3, address: V6 });
  expect(tokenAfter(askedOther(CALM_S, MAX_ATTEMPTS))).toMatchObject({ count: 1 });
});

const tried = (spec: object, host: Deep<HostReport> = {}) => triedOf(renumbered({ agent: { spec } }, host), OUTLOOK);

test('what was tried of a correction is told: how often, when, and that it was in vain', () => {
  const at = before(60);
  expect(tried({})).toBeNull();
  expect(tried(askedOther(60))).toBeNull();
  expect(tried(askedPair(60, { count: 2 }))).toEqual({ remedy: 'SetNodeIP', times: 2, at });
  expect(tried(askedPair(PATIENCE_S))).toMatchObject({ remedy: 'SetNodeIP', times: 1, inVain: true });
  expect(tried(askedPair(60), { refused: [refusal] })).toEqual({ remedy: 'SetNodeIP', times: 1, at, inVain: true });
  expect(tried(askedOther(60, MAX_ATTEMPTS))).toMatchObject({ times: MAX_ATTEMPTS, inVain: true });
  // Asked by the conversion, which leaves no token.
  expect(tried(wantsPair)).toEqual({ remedy: 'SetNodeIP', times: 1 });
});

test('until when it is paused is told, and no pause where only the grace period lasts', () => {
  expect(pausedUntil(late({ attempt: asked(599, { address: '2001:db8::99' }) }), OUTLOOK)).toBe(before(-1));
  expect(pausedUntil(late({ came: 299 }), OUTLOOK)).toBeNull();
  expect(pausedUntil(renumbered({ agent: { spec: askedOther(1100, 2) } }), OUTLOOK)).toBe(before(-100));
  expect(pausedUntil(renumbered(), OUTLOOK)).toBeNull();
  expect(pausedUntil(nodeFacts(1, { dual: true }), OUTLOOK)).toBeNull();
});

test('a node whose address never comes to rest: corrections further and further apart, and not for ever', () => {
  const hosts = array(record({ pass: integer({ min: 300, max: 4000 }), drift: boolean() }), {
    minLength: 1,
    maxLength: 60,
  });
  assert(
    property(hosts, (events) => {
      let [now, shown, own, turn] = [NOW, OLD, V6, 0];
      let spec: Deep<NonNullable<NodeFacts['agent']>['spec']> = {};
      const asks: Attempt[] = [];
      for (const { pass, drift } of events) {
        now += pass;
        const node = renumbered(
          { internalIPs: [V4, shown], agent: { spec, conditions: drift ? [drifted] : [] } },
          {
            addresses: [own4, own6({ address: own, since: new Date((now - pass) * 1000).toISOString() })],
            kubelet: { running: running({ 'node-ip': `${V4},${shown}` }) },
          },
        );
        const gone = new Date((now - pass) * 1000).toISOString();
        const correction = correctionOf(node, { ...OUTLOOK, now: now * 1000 }, gone);
        if (correction?.is !== 'Due') continue;
        const attempt = nonNull(attemptOf(correction.token));
        const last = asks.at(-1);
        if (last !== undefined && now - last.at < CALM_S) {
          expect(attempt.count).toBe(last.count + 1);
          expect(now - last.at).toBeGreaterThanOrEqual(FIRST_PAUSE_S * 2 ** (last.count - 1));
        } else expect(attempt.count).toBe(1);
        expect(attempt.count).toBeLessThanOrEqual(MAX_ATTEMPTS);
        asks.push(attempt);
        spec = { kubelet: { nodeIPs: [...correction.nodeIPs] }, restart: { kubelet: correction.token } };
        // It is done, and the next address is on its way; or somebody takes it back.
        if (drift) continue;
        turn += 1;
        [shown, own] = [own, `2001:db8::${turn + 100}`];
      }
    }),
  );
});

test('one family alone is wanted: its address is the primary one, which is left alone', () => {
  expect(correctionOf(renumbered(), { ...OUTLOOK, families: ['IPv6'] }, GONE_SINCE)).toBeNull();
});
