import { expect, test } from '@jest/globals';
import type { ClusterFacts, PodFacts } from '../../../src/model/facts.ts';
import { known } from '../../../src/model/reader.ts';
import { outlookOf } from '../../../src/nodes/outlook.ts';
import { podFacts, workloadFacts } from '../../support/facts.ts';
import { kubeadmFacts } from '../../support/kubeadm.ts';
import { asked, clusterScene, planScene } from '../../support/plan-scene.ts';
import { unmanagedFacts } from '../../support/unmanaged.ts';

const outlook = (facts: ClusterFacts, request: Record<string, unknown> = {}) => {
  const { plugins, plan } = planScene(facts, asked(request));
  return outlookOf(plan, plugins, asked(request), facts.at);
};

const withProxies = (pods: readonly PodFacts[]): ClusterFacts => {
  const facts = clusterScene({ dual: true });
  const own = { ...kubeadmFacts(facts.nodes, { dual: true }), proxy: known(workloadFacts('kube-proxy', [], { pods })) };
  return { ...facts, distribution: { ...facts.distribution, own } };
};

const pod = (node: string, change: Partial<PodFacts> = {}): PodFacts =>
  podFacts({ name: `kube-proxy-${node}`, node, podIPs: ['192.0.2.11'], ...change });

test('what is wanted, and what the plan and the network plug-in come to', () => {
  expect(outlook(clusterScene())).toMatchObject({
    families: ['IPv4', 'IPv6'],
    settings: { nodeIP: 'Manage', gracePeriod: 300, podCIDRs: 'Keep', remediation: 'Auto' },
    usesPodCIDRs: false,
    editsHosts: true,
  });
  const unmanaged = { name: 'Unmanaged', detectedBy: '', own: unmanagedFacts() };
  expect(outlook({ ...clusterScene(), distribution: unmanaged }).editsHosts).toBe(false);
});

test('what pods on the network of a node are told of it: by kube-proxy, as far as its pods run', () => {
  const { hostPodIPs } = outlook(
    withProxies([
      pod('worker-1'),
      pod('worker-2', { terminating: true }),
      pod('worker-3', { podIPs: [] }),
      pod('worker-4', { hostNetwork: false }),
    ]),
  );
  expect([...hostPodIPs]).toEqual([['worker-1', ['192.0.2.11']]]);
});

test('where it cannot be read nothing is known of them', () => {
  const facts = clusterScene();
  const own = { ...kubeadmFacts(facts.nodes), proxy: { known: false, why: '503' } as const };
  expect(outlook({ ...facts, distribution: { ...facts.distribution, own } }).hostPodIPs.size).toBe(0);
});

test.each([
  [{}, null],
  [{ paused: true }, 'spec.paused is true.'],
  [{ mode: 'Plan' }, 'spec.mode is Plan.'],
  [{ approvedPlanHash: '0123456789abcdef' }, 'spec.approvedPlanHash names another plan.'],
])('what holds the operator: %j', (request, heldBy) => {
  expect(outlook(clusterScene(), request).heldBy).toBe(heldBy);
});
