import { expect, test } from '@jest/globals';
import { kubeadm } from '../../../src/distributions/kubeadm/index.ts';
import type { NodeFacts } from '../../../src/model/facts.ts';
import type { Finding } from '../../../src/model/finding.ts';
import type { AgentCondition, HostReport } from '../../../src/model/host.ts';
import type { Wanted } from '../../../src/model/wanted.ts';
import { wantedDual, wantedSingle } from '../../support/facts.ts';
import { kubeadmCluster } from '../../support/kubeadm.ts';

/** What is said of cp-2, whose agent reports these static pods alone and, with `unusable`, why. */
function found(
  staticPods: HostReport['staticPods'],
  wanted: Wanted,
  dual = false,
  unusable?: string,
): readonly Finding[] {
  const { facts, own } = kubeadmCluster({ controlPlanes: 3, dual });
  const conditions: AgentCondition[] =
    unusable === undefined
      ? []
      : [
          {
            type: 'Healthy',
            status: 'False',
            reason: 'ManifestUnusable',
            message: unusable,
            observedGeneration: 1,
            lastTransitionTime: '2026-01-01T00:00:00Z',
          },
        ];
  const nodes = facts.nodes.map((node): NodeFacts => {
    const { agent } = node;
    if (node.name !== 'cp-2' || agent === null || agent.report === null) return node;
    return { ...node, agent: { ...agent, conditions, report: { ...agent.report, staticPods } } };
  });
  return kubeadm.check(wanted, { ...facts, nodes }, own).filter(({ message }) => message.includes('manifest of'));
}

test('manifests in a folder that an agent does not see: told before anything is begun, with the mount that is missing', () => {
  const [first, second] = found({}, wantedDual());
  expect(first).toMatchObject({
    reason: 'ComponentUnreadable',
    object: { kind: 'Pod', name: 'kube-apiserver-cp-2' },
    message: 'kube-apiserver on cp-2 runs, and the agent there sees no manifest of it.',
    remedy: expect.stringContaining('mount it below /host in DaemonSet dualstack-agent'),
    blocks: expect.arrayContaining(['NodeIPs', 'APIServer', 'Verify']),
  });
  expect(second?.object).toMatchObject({ name: 'kube-controller-manager-cp-2' });
});

test("a manifest that cannot be used is told in the agent's words", () => {
  const { facts } = kubeadmCluster({ controlPlanes: 3 });
  const { 'kube-apiserver': _, ...rest } = facts.nodes[1]?.agent?.report?.staticPods ?? {};
  expect(found(rest, wantedDual(), false, '/etc/kubernetes/manifests/a.yaml is no YAML')).toMatchObject([
    {
      message:
        'The agent on cp-2 cannot use the manifest of kube-apiserver: /etc/kubernetes/manifests/a.yaml is no YAML.',
    },
  ]);
});

test('on the way back it holds up its own phase alone', () => {
  expect(found({}, wantedSingle(), true).map(({ blocks }) => blocks)).toEqual([['APIServer'], ['ControllerManager']]);
});

test('nothing is said where there is nothing to change', () => {
  expect(found({}, wantedDual(), true)).toEqual([]);
});
