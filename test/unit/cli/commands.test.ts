import { expect, test } from '@jest/globals';
import { parseAllDocuments } from 'yaml';
import { proposeCIDRs } from '../../../src/cli/asked.ts';
import type { Observation, ObserveError } from '../../../src/cli/session.ts';
import type { NodeFacts } from '../../../src/model/facts.ts';
import type { Finding } from '../../../src/model/finding.ts';
import type { Network } from '../../../src/model/networks.ts';
import { at } from '../../../src/model/object.ts';
import type { Diagnosis } from '../../../src/nodes/cause.ts';
import { err, ok, type Result } from '../../../src/result.ts';
import { clusterFacts, nodeFacts } from '../../support/facts.ts';
import { play } from './fake-session.ts';
import { ready, stalled, working } from './status-resource.ts';
import { finished, midway, tooLong } from './support.ts';

const manifest = `
apiVersion: v1
kind: Namespace
metadata: {name: dualstack-system}
---
apiVersion: dualstack.dev/v1alpha1
kind: DualStackCluster
metadata: {name: mine}
spec: {ipFamilies: [IPv4, IPv6]}
`;

test.each([
  [['check'], {}, 0],
  [['check'], { plan: midway }, 3],
  [['plan'], {}, 0],
  [['plan', '-o', 'json'], { plan: midway }, 3],
  [['nodes'], { plan: midway }, 0],
  [['status'], { resource: ready }, 0],
  [['status'], { resource: working }, 3],
  [['status'], { resource: stalled }, 3],
  [['status'], {}, 1],
  [['version'], {}, 0],
  [['--help'], {}, 0],
  [['plan', '--help'], {}, 0],
  [[], {}, 2],
  [['pla'], {}, 2],
  [['plan', '--nonsense'], {}, 2],
  [['plan', '-o', 'xml'], {}, 2],
  [['plan', '-f', 'x.yaml', '--service-cidr', 'fd00::/112'], {}, 2],
  [['plan', '-f', 'missing.yaml'], {}, 1],
  [['plan', '-f', 'x.yaml'], { files: { 'x.yaml': 'kind: ConfigMap' } }, 2],
  [['plan', '-f', 'x.yaml'], { files: { 'x.yaml': 'a: [' } }, 2],
  [['plan', '-f', 'x.yaml'], { files: { 'x.yaml': manifest } }, 0],
  [['plan'], { connectError: 'no kubeconfig was found: give one with --kubeconfig' }, 1],
  [['plan'], { observeError: { kind: 'Unreadable', message: 'nodes: forbidden' } }, 1],
  [['plan'], { observeError: { kind: 'Invalid', problems: [{ path: 'spec.ipFamilies', message: 'twice' }] } }, 2],
  [['agent'], {}, 2],
  [['operator', '--metrics-bind-address', 'nonsense'], {}, 2],
] as const)('%j with %j ends with %i', async (args, scene, code) => {
  const played = await play(args, { interactive: true, ...scene });
  expect(played).toMatchObject({ code });
  expect(tooLong(played.err)).toEqual([]);
  if (code === 1 || code === 2) expect(played.err).not.toBe('');
});

test('the wanted state comes from the file, the flags, the cluster or a proposal, in this order', async () => {
  const file = await play(['plan', '-f', '-'], { files: { '-': manifest }, resource: ready });
  expect(file.observed[0]).toMatchObject({ metadata: { name: 'mine' } });
  const flags = await play(['plan', '--pod-network-cidr', 'fd01::/48', '--service-cidr', 'fd02::/112'], {
    resource: ready,
  });
  expect(flags.observed[0]).toMatchObject({
    spec: {
      ipFamilies: ['IPv4', 'IPv6'],
      clusterNetwork: { pods: { cidrBlocks: ['fd01::/48'] }, services: { cidrBlocks: ['fd02::/112'] } },
    },
  });
  const live = await play(['plan'], { resource: ready });
  expect(live.observed).toEqual([ready]);
  const proposal = await play(['plan'], {});
  expect(proposal.out).toContain('a proposal');
});

const inVain = (network: Network): Finding => ({
  reason: 'ExistingCIDRImmutable',
  object: null,
  message: `spec.clusterNetwork.${network}.cidrBlocks has fd01::/48, but the live IPv6 network is fd02::/48.`,
  remedy: 'Leave it out.',
  blocks: [],
  liveNetwork: network,
});

test('nothing is proposed for networks that the cluster has in both families already', async () => {
  const half = await play(['plan'], { plan: { ...finished, findings: [inVain('services')] } });
  expect(half.observed.map(({ spec }) => Object.keys(at(spec, 'clusterNetwork') ?? {}))).toEqual([
    ['pods', 'services'],
    ['pods'],
  ]);
  const whole = await play(['plan'], { plan: { ...finished, findings: [inVain('services'), inVain('pods')] } });
  expect(whole.observed.at(-1)?.['spec']).toEqual({ ipFamilies: ['IPv4', 'IPv6'] });
  const asked = await play(['plan', '--service-cidr', 'fd09::/112'], {
    plan: { ...finished, findings: [inVain('services')] },
  });
  expect(at(asked.observed.at(-1), 'spec', 'clusterNetwork', 'services')).toEqual({ cidrBlocks: ['fd09::/112'] });
});

test('one family asks for no networks', async () => {
  const { observed } = await play(['plan', '--ip-families', 'IPv4']);
  expect(observed[0]?.['spec']).toEqual({ ipFamilies: ['IPv4'] });
});

test('a proposal belongs to its cluster and keeps pods and Services apart', () => {
  const one = proposeCIDRs({ uid: 'a', primaryFamily: 'IPv4' });
  expect(proposeCIDRs({ uid: 'a', primaryFamily: 'IPv4' })).toEqual(one);
  expect(proposeCIDRs({ uid: 'b', primaryFamily: 'IPv4' })).not.toEqual(one);
  expect(one.pods).toMatch(/^fd[0-9a-f]{2}(:[0-9a-f]{1,4}){2}::\/52$/u);
  expect(one.services).toBe(one.pods.replace('::/52', ':f000::/112'));
});

test('check tells facts, findings and the verdict within 80 columns', async () => {
  const { out } = await play(['check'], { plan: midway });
  expect(out).toContain('Kubernetes     v1.');
  expect(out).toContain('NodesWithoutFamily');
  expect(out.trimEnd().split('\n').at(-1)).toBe('Not yet: 1 blocker to clear first. 1 warning to read.');
  expect(tooLong(out)).toEqual([]);
});

test('documents for machines are whole and without colour', async () => {
  const { out } = await play(['check', '-o', 'json'], { plan: midway, interactive: true });
  expect(JSON.parse(out)).toMatchObject({ ready: false, blockers: [{ reason: 'NodesWithoutFamily' }] });
});

test('colour only on a terminal, and not with NO_COLOR', async () => {
  expect((await play(['plan'], { interactive: true })).out).toContain('\u001B[');
  expect((await play(['plan'])).out).not.toContain('\u001B[');
  expect((await play(['plan'], { interactive: true, environment: { NO_COLOR: '1' } })).out).not.toContain('\u001B[');
});

test('watching in a pipe writes one line for each change and ends when it is ready', async () => {
  const { out, code } = await play(['status', '--watch'], {
    resource: working,
    changes: [working, working, ready, stalled],
  });
  expect(out).toBe(
    '12:00:00 working, 6 of 14 steps done: kube-apiserver on cp-2 InProgress (the new process is not ready yet)\n' +
      '12:00:00 ready, 14 of 14 steps done\n',
  );
  expect(code).toBe(0);
});

test('watching on a terminal paints over what it painted', async () => {
  const { out } = await play(['status', '-w'], { resource: working, changes: [working, ready], interactive: true });
  const [, second = ''] = out.split('\u001B[0J');
  // oxlint-disable-next-line no-control-regex -- that is what is looked for
  expect(out).toMatch(/\u001B\[\d+A\r/u);
  expect(second).toContain('14 of 14 steps done');
});

test('watching ends with 3 when it stalls or is deleted', async () => {
  expect((await play(['status', '-w'], { resource: working, changes: [working, stalled] })).code).toBe(3);
  const deleted = await play(['status', '-w'], { resource: working, changes: [working, null] });
  expect(deleted).toMatchObject({ code: 3, err: 'DualStackCluster cluster was deleted.\n' });
});

const seen = (...nodes: readonly NodeFacts[]): Result<Observation, ObserveError> =>
  ok({
    facts: clusterFacts({}, { nodes }),
    plan: finished,
    diagnose: ({ internalIPs, name }) => (internalIPs.length > 1 ? null : { ...LACKS, sentence: `${name} lacks one.` }),
  });
const LACKS: Diagnosis = {
  cause: 'NoAddress',
  family: 'IPv6',
  sentence: '',
  evidence: [],
  since: '2026-11-02T11:00:00Z',
  fix: { short: 'give it one', command: null, where: 'Node' },
  operator: { may: false, why: 'It gives none.' },
};
const single = (name: string): NodeFacts => ({ ...nodeFacts(1), name, internalIPs: ['192.0.2.11'] });
const dual = (name: string): NodeFacts => ({ ...single(name), internalIPs: ['192.0.2.11', '2001:db8::11'] });

test.each([[true], [false]])(
  'nodes that are watched are printed alike on a screen (%s) and in a pipe',
  async (interactive) => {
    const {
      out,
      code,
      err: complained,
    } = await play(['nodes', '-w'], {
      nodes: [seen(single('a'), dual('b')), seen(dual('a'), dual('b')), seen(dual('a'), dual('b')), seen(dual('b'))],
      interactive,
      environment: { NO_COLOR: '1' },
    });
    expect(out).toBe(`\
NAME  READY  FAMILIES   PRIMARY-IP  SECOND-IP     CAUSE      FOR
a     True   IPv4       192.0.2.11  -             NoAddress  60m
b     True   IPv4,IPv6  192.0.2.11  2001:db8::11  -          -
a     True   IPv4,IPv6  192.0.2.11  2001:db8::11  -          -
a     Deleted  IPv4,IPv6  192.0.2.11  2001:db8::11  -          -
`);
    expect({ code, complained }).toEqual({ code: 0, complained: '' });
  },
);

test('of nodes that lack something, the last that is told is that they no longer do', async () => {
  const { out, err: complained } = await play(['nodes', '-w', '--only', 'missing', '-o', 'yaml'], {
    nodes: [
      seen(dual('a')),
      seen(single('a'), dual('b')),
      seen(dual('a'), dual('b')),
      seen(dual('b')),
      seen(single('b')),
      seen(),
    ],
  });
  const told = parseAllDocuments(out).map(
    (document) => document.toJS() as { event: string; name: string; cause: string },
  );
  expect(out).toMatch(/^---\nevent: ADDED\n/u);
  expect(told.map(({ event, name, cause }) => `${event} ${name} ${cause}`)).toEqual([
    'ADDED a NoAddress',
    'MODIFIED a null',
    'ADDED b NoAddress',
    'DELETED b NoAddress',
  ]);
  expect(complained).toBe('No node to show yet.\n');
});

test('nodes are watched against what is wanted, and whether that is in the cluster', async () => {
  const inCluster = await play(['nodes', '-w'], { resource: ready, nodes: [] });
  expect(inCluster.watched).toMatchObject([{ resource: ready, inCluster: true }]);
  const byFlags = await play(['nodes', '-w', '--ip-families', 'IPv4'], { resource: ready, nodes: [] });
  expect(byFlags.watched).toMatchObject([{ resource: { spec: { ipFamilies: ['IPv4'] } }, inCluster: false }]);
  expect(inCluster).toMatchObject({ code: 0, closed: true });
});

test.each([
  [{ kind: 'Unreadable', message: 'Nodes cannot be listed' } as const, 1],
  [{ kind: 'Invalid', problems: [{ path: 'spec', message: 'is wrong' }] } as const, 2],
])('watching what cannot be looked at ends with an error', async (error, code) => {
  const played = await play(['nodes', '-w'], { nodes: [err(error)] });
  expect(played).toMatchObject({ code, out: '', closed: true });
  expect(played.err).toMatch(/^Error: /u);
});

test('the session is closed, also after a failure', async () => {
  expect((await play(['plan'])).closed).toBe(true);
  expect((await play(['plan'], { observeError: { kind: 'Unreadable', message: 'x' } })).closed).toBe(true);
});

test('operator and agent get their options with the defaults', async () => {
  expect((await play(['operator', '--no-leader-elect', '--context', 'lab'])).started).toEqual([
    {
      context: 'lab',
      leaderElect: false,
      metricsBindAddress: '127.0.0.1:27871',
      healthProbeBindAddress: '127.0.0.1:27872',
      logLevel: 'info',
    },
  ]);
  expect((await play(['agent', '--node-name', 'cp-1', '--undo-after-seconds', '5'])).started).toEqual([
    {
      nodeName: 'cp-1',
      hostRoot: '/host',
      healthProbeBindAddress: '127.0.0.1:27873',
      undoAfterSeconds: 5,
      logLevel: 'info',
    },
  ]);
});

test('help lists each command and the exit codes within 80 columns', async () => {
  const { out } = await play(['--help'], { interactive: true });
  for (const word of ['check', 'plan', 'status', 'nodes', 'operator', 'agent', 'version', 'Exit codes']) {
    expect(out).toContain(word);
  }
  expect(tooLong(out)).toEqual([]);
});
