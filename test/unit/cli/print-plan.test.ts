import { expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { sharedTitle, planDocument, printPlan, summarise } from '../../../src/cli/print-plan.ts';
import { phasesText } from '../../../src/cli/print-findings.ts';
import { PHASES } from '../../../src/model/phase.ts';
import type { Step } from '../../../src/model/step.ts';
import { finished, midway, screen, step, tooLong } from './support.ts';

test('a plan shows what stands in the way, then each step with reason, difference and disruption', () => {
  expect(printPlan(midway, screen())).toBe(`Plan to become IPv4, IPv6
6 steps: 2 done, 4 to do. Hash 3f9a1c0d5b7e

Blockers (1)
  ✗ NodesWithoutFamily – Node worker-2
    Node worker-2 has no IPv6 address, so its CNI agent would lose its IPv4 as
    well when told to find one.
    Do: Give its interface eth0 an IPv6 address, or taint and remove the node.
    Holds up: CNIAgents and all that follows
Warnings (1)
  ! NodesOnDifferentLinks
    Nodes cp-1 and worker-1 are in different IPv6 networks.
    Do: See that the routers between them know the pod networks.

Record
     1 ✓ Secret dualstack-system/dualstack-records
APIServer
   2–4 ▸ kube-apiserver on 3 nodes: cp-1, cp-2, cp-3 (1 of 3 done)
         It gives Services their addresses, so it must know a range of each
         family.
         kube-apiserver on cp-2: Under way: the new process is not ready yet
         For example kube-apiserver on cp-2:
         service-cluster-ip-range
         - 10.96.0.0/16
         + 10.96.0.0/16,fd00:10:96::/112
         Interrupts: this API server is away, 10–40 s each, 2 times
CNIConfig
     5 · ConfigMap kube-system/calico-config
         Pods take their second address from it.
         data.cni_network_config
         @@ -2,5 +2,6 @@
            "type": "calico",
            "ipam": {
         -      "type": "calico-ipam"
         +      "type": "calico-ipam",
         +      "assign_ipv6": "true"
            },
            "mtu": __CNI_MTU__
DNS
     6 ✗ Deployment kube-system/coredns
         Pods take their second address from it.
         Failed: a pod does not become ready. Read its log.

Ahead: 4 steps, of which 2 interrupt something, one after another, together 20 s
– 1 min 20 s. 1 blocker to clear first: see the top.
`);
});

test('wide shows each node of a group and what proves a step that is done', () => {
  const text = printPlan(midway, screen({ wide: true }));
  expect(text).toContain('2 ✓ kube-apiserver on cp-1\n         Done: the running process has both ranges');
  expect(text).toContain('4 · kube-apiserver on cp-3');
});

test('a plan with nothing left says so', () => {
  expect(printPlan(finished, screen())).toContain('Nothing to do: the cluster is as wanted.');
});

test('of hundreds of nodes that are put off only the first are named', () => {
  const steps = Array.from({ length: 300 }, (_, n) =>
    step({ id: `n/${n}`, group: 'n', target: `kubelet on w${n}`, state: { is: 'Deferred', why: 'it is away' } }),
  );
  const text = printPlan({ ...midway, steps }, screen());
  expect(text).toContain(' 1–300 … kubelet on 300 nodes: w0, w1, w2, w3, w4, w5, and 294 more (0 of 300\n');
  expect(text).toContain('and 295 more: see -o wide');
  expect(text.split('\n').length).toBeLessThan(40);
});

test('a plan without steps is not taken for a finished one while something blocks', () => {
  const text = printPlan({ ...midway, steps: [] }, screen());
  expect(text).toContain('No steps could be worked out. 1 blocker to clear first');
  expect(text).not.toContain('as wanted.');
});

test('colour changes no word', () => {
  const colours = printPlan(midway, screen({ colour: true }));
  expect(colours).toContain('\u001B[31m');
  // oxlint-disable-next-line no-control-regex -- that is what is looked for
  expect(colours.replace(/\u001B\[\d+m/gu, '')).toBe(printPlan(midway, screen()));
});

test('no line is longer than the screen, whatever the texts', () => {
  const text = fc.string({ maxLength: 200, unit: fc.constantFrom('a', 'Z', ' ', ' ', ':', '\n', 'ü', '-', '{') });
  fc.assert(
    fc.property(
      text,
      text,
      text,
      text,
      fc.integer({ min: 40, max: 130 }),
      fc.boolean(),
      (target, why, before, after, width, wide) => {
        const change = { path: 'data', before, after };
        const plan = { ...midway, steps: [step({ id: 'x', target, why, diff: [change] }), ...midway.steps] };
        expect(tooLong(printPlan(plan, screen({ width, wide, colour: true })), width)).toEqual([]);
      },
    ),
  );
});

test('texts of the cluster cannot steer the terminal', () => {
  const plan = { ...midway, steps: [step({ id: 'x', target: 'evil\u001B[2J\u009B2J', why: 'a\rb' })] };
  // oxlint-disable-next-line no-control-regex -- that is what is looked for
  expect(printPlan(plan, screen())).not.toMatch(/[\u001B\u009B\r]/u);
});

test('only what is ahead counts as disruption', () => {
  expect(summarise(midway)).toEqual({
    total: 6,
    done: 2,
    disruptions: 2,
    disruptionSeconds: [20, 80],
    blockers: 1,
    warnings: 1,
  });
});

test('the document for machines holds each step once, in order, and survives JSON', () => {
  const document = planDocument(midway);
  expect(JSON.parse(JSON.stringify(document))).toEqual(document);
  expect(document).toMatchObject({
    hash: midway.hash,
    ipFamilies: ['IPv4', 'IPv6'],
    summary: { total: 6, done: 2, disruptionSeconds: { from: 20, to: 80 } },
    blockers: [{ reason: 'NodesWithoutFamily' }],
    warnings: [{ reason: 'NodesOnDifferentLinks' }],
    steps: midway.steps.map(({ id, state }) => ({ id, state: state.is })),
  });
});

test.each([
  [['kubelet on a', 'kubelet on b'], 'kubelet on 2 nodes: a, b'],
  [['kubelet on a', 'kube-proxy on b'], null],
  [['ConfigMap kube-system/kube-proxy', 'DaemonSet kube-system/kube-proxy'], null],
  [['kubelet on a'], null],
  [Array.from({ length: 9 }, (_, n) => `kubelet on w${n}`), 'kubelet on 9 nodes: w0, w1, w2, w3, w4, w5, and 3 more'],
])('the targets %j are told together as %s', (targets, title) => {
  expect(sharedTitle(targets)).toBe(title);
});

test.each([
  [PHASES, 'everything'],
  [PHASES.slice(5), 'PodCIDRs and all that follows'],
  [['Verify'] as const, 'Verify'],
  [['APIServer', 'Pools'] as const, 'APIServer, Pools'],
])('blocked phases %j are told shortly', (phases, text) => {
  expect(phasesText(phases)).toBe(text);
});

test("what is the user's to do has its command, what is watched for, and parts of files as they are", () => {
  const long = `      cluster-cidr: ${'10.244.0.0/16,fd00:10:244::/56'.repeat(3)}`;
  const handoff: Extract<Step, { readonly kind: 'Handoff' }> = {
    ...step({
      id: 'k0s-config/c1',
      phase: 'APIServer',
      target: 'k0s controller c1',
      why: 'k0s reads it when it starts.',
    }),
    kind: 'Handoff',
    command: 'on c1: edit the file; then restart k0s',
    watches: 'kube-apiserver on c1 with both networks',
    snippets: [{ file: '/etc/k0s/k0s.yaml', text: `spec:\n${long}\n` }],
  };
  expect(printPlan({ ...finished, steps: [handoff] }, screen())).toContain(`     1 · k0s controller c1
         k0s reads it when it starts.
         Yours to do: on c1: edit the file; then restart k0s
         Watched for: kube-apiserver on c1 with both networks
         For /etc/k0s/k0s.yaml:
           spec:
           ${long}
`);
  const { command, watches, snippets } = handoff;
  expect(planDocument({ ...finished, steps: [handoff] })).toMatchObject({ steps: [{ command, watches, snippets }] });
});
