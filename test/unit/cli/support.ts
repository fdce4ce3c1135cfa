import { visibleLength, type PrintOptions } from '../../../src/cli/text.ts';
import type { Plan } from '../../../src/model/plan.ts';
import type { Finding } from '../../../src/model/finding.ts';
import type { ApplyObject, Step, StepBase } from '../../../src/model/step.ts';
import { wantedDual } from '../../support/facts.ts';

export const NOW = Date.parse('2026-11-02T12:00:00Z');

export const screen = (change: Partial<PrintOptions> = {}): PrintOptions => ({
  width: 80,
  colour: false,
  wide: false,
  now: NOW,
  ...change,
});

/** Lines that do not fit, for a message that shows them. */
export const tooLong = (text: string, width = 80): readonly string[] =>
  text.split('\n').filter((line) => visibleLength(line) > width);

const create: ApplyObject = {
  kind: 'ApplyObject',
  ref: { apiVersion: 'v1', kind: 'ConfigMap', namespace: 'kube-system', name: 'example' },
  write: { is: 'Create', body: {} },
};

export const step = (change: Partial<StepBase> & { readonly id: string }): Step => ({
  phase: 'Pools',
  group: change.id,
  target: change.id,
  why: 'Pods take their second address from it.',
  diff: [],
  state: { is: 'Pending' },
  disrupts: null,
  timeoutSeconds: 60,
  ...create,
  ...change,
});

export const blocker: Finding = {
  reason: 'NodesWithoutFamily',
  object: { apiVersion: 'v1', kind: 'Node', name: 'worker-2' },
  message: 'Node worker-2 has no IPv6 address, so its CNI agent would lose its IPv4 as well when told to find one.',
  remedy: 'Give its interface eth0 an IPv6 address, or taint and remove the node.',
  blocks: ['CNIAgents', 'DNS', 'Services', 'Workloads', 'Verify'],
};

export const warning: Finding = {
  reason: 'NodesOnDifferentLinks',
  object: null,
  message: 'Nodes cp-1 and worker-1 are in different IPv6 networks.',
  remedy: 'See that the routers between them know the pod networks.',
  blocks: [],
};

const plan = (steps: readonly Step[], findings: readonly Finding[] = []): Plan => ({
  direction: 'Forward',
  wanted: wantedDual(),
  hash: '3f9a1c0d5b7e',
  steps,
  findings,
  recordables: [],
});

const apiServer = (node: string, state: Step['state']): Step =>
  step({
    id: `api-server/${node}`,
    phase: 'APIServer',
    group: 'api-server',
    target: `kube-apiserver on ${node}`,
    why: 'It gives Services their addresses, so it must know a range of each family.',
    diff: [{ path: 'service-cluster-ip-range', before: '10.96.0.0/16', after: '10.96.0.0/16,fd00:10:96::/112' }],
    state,
    disrupts: { text: 'this API server is away', seconds: [10, 40] },
  });

/** A plan under way with each way to be shown in it. */
export const midway: Plan = plan(
  [
    step({
      id: 'record',
      phase: 'Record',
      target: 'Secret dualstack-system/dualstack-records',
      state: { is: 'Satisfied', evidence: '9 first states are recorded' },
    }),
    apiServer('cp-1', { is: 'Satisfied', evidence: 'the running process has both ranges' }),
    apiServer('cp-2', { is: 'InProgress', why: 'the new process is not ready yet' }),
    apiServer('cp-3', { is: 'Pending' }),
    step({
      id: 'calico/cni-config',
      phase: 'CNIConfig',
      target: 'ConfigMap kube-system/calico-config',
      diff: [
        {
          path: 'data.cni_network_config',
          before: '{\n  "type": "calico",\n  "ipam": {\n      "type": "calico-ipam"\n  },\n  "mtu": __CNI_MTU__\n}\n',
          after:
            '{\n  "type": "calico",\n  "ipam": {\n      "type": "calico-ipam",\n      "assign_ipv6": "true"\n  },\n  "mtu": __CNI_MTU__\n}\n',
        },
      ],
    }),
    step({
      id: 'dns/rollout',
      phase: 'DNS',
      target: 'Deployment kube-system/coredns',
      state: { is: 'Failed', why: 'a pod does not become ready.', remedy: 'Read its log.' },
    }),
  ],
  [warning, blocker],
);

export const finished: Plan = plan([
  apiServer('cp-1', { is: 'Satisfied', evidence: 'the running process has both ranges' }),
]);
