import { describe, expect, test } from '@jest/globals';
import { parse } from 'yaml';
import type { ClusterFacts } from '../../../src/model/facts.ts';
import { known } from '../../../src/model/reader.ts';
import type { Handoff, Step } from '../../../src/model/step.ts';
import { byHand } from '../../../src/plan/by-hand.ts';
import { basics, POD_RANGES, SERVICE_RANGES, wantedDual } from '../../support/facts.ts';
import { asked, askedBack, clusterScene, planScene, someStep } from '../../support/plan-scene.ts';

/** A cluster of kubeadm's on which nothing of ours is installed. */
function oldCluster(kubernetesVersion: string, dual = false): ClusterFacts {
  const scene = clusterScene({ agents: false, dual });
  const nodes = scene.nodes.map((node) => ({ ...node, kubeletVersion: kubernetesVersion }));
  return { ...scene, nodes, basics: basics({ nodes, kubernetesVersion }), serviceCIDR: known([]) };
}

const stepsOf = (version: string, request = asked(), dual = false): readonly Step[] =>
  planScene(oldCluster(version, dual), request).plan.steps;

function handoff(steps: readonly Step[], id: string): Step & Handoff {
  const step = steps.find((each) => each.id === id);
  if (step?.kind !== 'Handoff')
    throw new Error(`no step ${id} for the user among ${steps.map((each) => each.id).join()}`);
  return step;
}

test('what the operator would do is told, and what is its own business is not', () => {
  const steps = stepsOf('v1.28.4');
  expect(new Set(steps.map(({ kind }) => kind))).toEqual(new Set(['Handoff', 'WaitFor']));
  expect(steps.map(({ phase }) => phase)).not.toContain('Record');
  expect(steps.map(({ group }) => group)).toEqual(
    expect.arrayContaining(['node-ips', 'api-server', 'controller-manager', 'kube-proxy']),
  );
});

test('where the operator can run, plans are as they were', () => {
  const kinds = stepsOf('v1.31.0').map(({ kind }) => kind);
  expect(kinds).toContain('EditHost');
  expect(kinds).toContain('ApplyObject');
});

describe.each([
  ['v1.20.15', true],
  ['v1.21.14', false],
  ['v1.24.17', false],
  ['v1.30.9', false],
])('%s', (version, isGated) => {
  const gate = '--feature-gates=IPv6DualStack=true';
  const steps = stepsOf(version);
  const says = (text: string | undefined) =>
    isGated ? expect(text).toContain(gate) : expect(text).not.toContain('feature-gates');

  test('kubelet', () => {
    const { command, snippets } = handoff(steps, 'node-ips/worker-1');
    expect(command).toContain('--node-ip=192.0.2.12,<its IPv6 address>');
    expect(snippets?.[0]?.text).toBe('net.ipv4.ip_forward = 1\nnet.ipv6.conf.all.forwarding = 1\n');
    says(command);
  });

  test('API server', () => {
    const { command, snippets } = handoff(steps, 'api-server/cp-1');
    expect(command).toContain(`set --service-cluster-ip-range=${SERVICE_RANGES.dual}`);
    expect(command).toContain('/etc/kubernetes/manifests/kube-apiserver.yaml');
    says(command);
    says(snippets?.[0]?.text);
  });

  test('controller manager', () => {
    const { command } = handoff(steps, 'controller-manager/cp-1');
    expect(command).toContain(`--cluster-cidr=${POD_RANGES.dual}`);
    expect(command).toContain('and remove --node-cidr-mask-size in');
    says(command);
  });

  test('kube-proxy and kubeadm-config, each a file that can be applied', () => {
    for (const name of ['kube-proxy', 'kubeadm-config']) {
      const step = steps.find(
        (each) =>
          each.kind === 'Handoff' &&
          each.command.startsWith(
            `kubectl apply --server-side --field-manager=dualstack-operator --force-conflicts -f ${name}.yaml`,
          ),
      );
      if (step?.kind !== 'Handoff') throw new Error(`nothing sets ${name}`);
      const [snippet] = step.snippets ?? [];
      expect(snippet?.file).toBe(`${name}.yaml`);
      expect(parse(snippet?.text ?? '')).toMatchObject({
        kind: 'ConfigMap',
        metadata: { name, namespace: 'kube-system' },
        data: expect.any(Object),
      });
      if (isGated) expect(step.command).toContain('IPv6DualStack: true');
      else expect(step.command).not.toContain('IPv6DualStack');
    }
  });
});

test('what is done already counts as done', () => {
  const open = stepsOf('v1.28.4', asked(), true).filter(
    ({ phase, state }) =>
      ['APIServer', 'ControllerManager', 'ClusterConfig'].includes(phase) && state.is !== 'Satisfied',
  );
  expect(open).toEqual([]);
});

test('back as well', () => {
  const { command } = handoff(stepsOf('v1.28.4', askedBack(), true), 'controller-manager/cp-1');
  expect(command).toContain('remove --node-cidr-mask-size-ipv6');
});

const REF = { apiVersion: 'apps/v1', kind: 'DaemonSet', namespace: 'kube-system', name: 'some' } as const;
const told = (change: Partial<Step>): Step & Handoff => {
  const step = someStep('some', { is: 'Pending' }, change);
  return handoff(byHand([step], wantedDual(), oldCluster('v1.28.4')), 'some');
};

test.each<[string, Partial<Step>, string]>([
  [
    'apply',
    { write: { is: 'Apply', body: { data: {} }, force: true } },
    'kubectl apply --server-side --field-manager=dualstack-operator --force-conflicts -f some.yaml',
  ],
  ['create', { write: { is: 'Create', body: { data: {} } } }, 'kubectl create -f some.yaml'],
  [
    'a merge patch',
    { write: { is: 'MergePatch', body: { data: {} }, resourceVersion: '7' } },
    'kubectl patch -n kube-system configmap/some --type merge --patch-file some.yaml',
  ],
  [
    'a JSON patch of a kind with a group',
    {
      ref: { apiVersion: 'crd.projectcalico.org/v1', kind: 'IPPool', name: 'some' },
      write: { is: 'JsonPatch', body: [] },
    },
    'kubectl patch ippool.v1.crd.projectcalico.org/some --type json --patch-file some.yaml',
  ],
  ['a deletion', { write: { is: 'Delete', uid: 'u' } }, 'kubectl delete -n kube-system configmap/some'],
  [
    'an annotation',
    { kind: 'RolloutWorkload', ref: REF, next: { is: 'Annotate', annotation: 'a/b', value: 'c' } },
    `kubectl patch -n kube-system daemonset.v1.apps/some --type merge -p '{"spec":{"template":{"metadata":{"annotations":{"a/b":"c"}}}}}'`,
  ],
  [
    'a restart',
    { kind: 'RolloutWorkload', ref: REF, next: { is: 'Restart', mark: 'm', value: 'v', resourceVersion: '1' } },
    'kubectl rollout restart -n kube-system daemonset.v1.apps/some',
  ],
  [
    'new pods',
    { kind: 'RolloutWorkload', ref: REF, next: { is: 'DeletePods', pods: [{ name: 'a', uid: '1' }] } },
    'kubectl delete -n kube-system pod/a',
  ],
  [
    'a Service',
    {
      kind: 'MigrateService',
      ref: { apiVersion: 'v1', kind: 'Service', namespace: 'shop', name: 'web' },
      policy: 'PreferDualStack',
      families: ['IPv4', 'IPv6'],
    },
    `kubectl patch -n shop service web --type merge -p '{"spec":{"ipFamilyPolicy":"PreferDualStack","ipFamilies":["IPv4","IPv6"]}}'`,
  ],
])('%s as a command', (_name, change, command) => expect(told(change).command).toBe(command));

test.each([
  [['10.244.1.0/24', 'fd00::/64'], 'spec.podCIDR, spec.podCIDRs and status'],
  [['10.244.1.0/24'], 'all but the first of spec.podCIDRs'],
])('a Node that is to be replaced is made anew from what is stored: %j', (podCIDRs, cut) => {
  const step = told({ kind: 'ReplaceNode', node: 'worker-1', uid: 'u', podCIDRs });
  expect(step).toMatchObject({
    command: expect.stringMatching(
      /^one Node at a time: .*worker-1\.json.*kubectl delete node worker-1 --cascade=orphan/u,
    ),
    node: 'worker-1',
  });
  expect(step.command).toContain(cut);
});

const service = (name: string) => ({
  namespace: 'shop',
  name,
  resourceVersion: '1',
  policy: 'PreferDualStack' as const,
  families: ['IPv4', 'IPv6'] as const,
});

test('many Services are one file', () => {
  const step = told({ kind: 'MigrateServices', services: [service('a'), service('b')] });
  expect(step.command).toContain('services.sh');
  expect(step.snippets?.[0]?.text.trim().split('\n')).toHaveLength(2);
});
