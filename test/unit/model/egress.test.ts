import { expect, test } from '@jest/globals';
import { checkEgress, type EgressNAT, isUniqueLocal, type MasqueradeAgentFacts } from '../../../src/model/egress.ts';
import { known, unknown } from '../../../src/model/reader.ts';
import type { Wanted } from '../../../src/model/wanted.ts';
import { clusterFacts, type Deep, PODS, wantedDual, wantedSingle } from '../../support/facts.ts';

const OFF: EgressNAT = { isOn: false, object: null, off: 'translation is off', remedy: 'Switch it on' };
const ON: EgressNAT = { ...OFF, isOn: true };
const agent = (ipv6: boolean, nonMasqueradeCIDRs: readonly string[]): MasqueradeAgentFacts => ({
  ipv6,
  nonMasqueradeCIDRs,
});

function told(nat: EgressNAT, masqueradeAgent: MasqueradeAgentFacts | null = null, wanted?: Deep<Wanted>) {
  const facts = clusterFacts({}, { masqueradeAgent: known(masqueradeAgent) });
  return checkEgress(wantedDual(wanted), facts, nat);
}

test.each<[string, EgressNAT, MasqueradeAgentFacts | null, Deep<Wanted>]>([
  ['the plug-in translates', ON, null, {}],
  ['public addresses', OFF, null, { pods: { IPv6: '2001:db8:1::/56' } }],
  ['ip-masq-agent does it, and spares the pods', OFF, agent(true, ['10.0.0.0/8', 'fd00:10::/32']), {}],
  ['both do', ON, agent(true, [PODS.IPv6]), {}],
  ['the plug-in does, ip-masq-agent for IPv4 alone', ON, agent(false, ['10.0.0.0/8']), {}],
  ['IPv4 alone is wanted', OFF, null, { families: ['IPv4'] }],
])('nothing to say: %s', (_name, nat, masqueradeAgent, wanted) => {
  expect(told(nat, masqueradeAgent, wanted)).toEqual([]);
});

test.each<[string, EgressNAT, MasqueradeAgentFacts | null, string, string]>([
  ['nobody translates', OFF, null, `private IPv6 addresses of ${PODS.IPv6}, and translation is off`, 'Switch it on;'],
  [
    'ip-masq-agent could',
    OFF,
    agent(false, []),
    'translation is off',
    `--enable-ipv6, and ${PODS.IPv6} among the nonMasqueradeCIDRs`,
  ],
  ['ip-masq-agent hides pods from each other', ON, agent(true, ['10.0.0.0/8']), 'do not hold', `Add ${PODS.IPv6}`],
])('%s', (_name, nat, masqueradeAgent, message, remedy) => {
  expect(told(nat, masqueradeAgent)).toEqual([
    {
      reason: 'EgressNAT',
      object: masqueradeAgent?.ipv6 === true ? expect.objectContaining({ name: 'ip-masq-agent' }) : null,
      message: expect.stringContaining(message),
      remedy: expect.stringContaining(remedy),
      blocks: [],
    },
  ]);
});

test('an agent that is told of IPv6 networks and not of IPv6 refuses its configuration', () => {
  const half = agent(false, ['10.0.0.0/8', PODS.IPv6]);
  const refused = expect.objectContaining({
    reason: 'EgressNAT',
    message: expect.stringContaining(`name ${PODS.IPv6}`),
  });
  expect(told(ON, half)).toEqual([refused]);
  expect(told(OFF, half)).toEqual([refused, expect.objectContaining({ object: null })]);
});

test('an agent that cannot be read, or that nobody looked for, is none', () => {
  for (const facts of [clusterFacts(), clusterFacts({}, { masqueradeAgent: unknown('503') })]) {
    expect(checkEgress(wantedDual(), facts, OFF)).toHaveLength(1);
    expect(checkEgress(wantedDual(), facts, ON)).toEqual([]);
  }
});

test('on the way back nobody is told', () => {
  expect(checkEgress(wantedSingle({ families: ['IPv6'], pods: PODS }), clusterFacts(), OFF)).toEqual([]);
});

test.each([
  ['fd00:10:244::/56', true],
  ['fc00::/18', true],
  ['2001:db8::/48', false],
  ['10.0.0.0/8', false],
  ['nonsense', false],
])('%s is of RFC 4193: %s', (network, expected) => expect(isUniqueLocal(network)).toBe(expected));
