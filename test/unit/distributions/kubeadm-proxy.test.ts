import { expect, test } from '@jest/globals';
import { kubeadm } from '../../../src/distributions/kubeadm/index.ts';
import type { ClusterFacts } from '../../../src/model/facts.ts';
import { known } from '../../../src/model/reader.ts';
import type { Step } from '../../../src/model/step.ts';
import { AT, before, POD_RANGES, wantedDual } from '../../support/facts.ts';
import { kubeadmCluster, proxyConfigText } from '../../support/kubeadm.ts';

const stepOf = (steps: readonly Step[], id: string): Step => {
  const step = steps.find((candidate) => candidate.id === id);
  if (step === undefined) throw new Error(`no step ${id} among ${steps.map((one) => one.id).join(' ')}`);
  return step;
};

const DUAL_TEXT = proxyConfigText(POD_RANGES.dual);
const proxyCluster = (change: Parameters<typeof kubeadmCluster>[1]) => kubeadmCluster({ dual: true }, change);

test('pods from before the configuration are not enough, whatever their template says', () => {
  const config = known({ text: DUAL_TEXT, resourceVersion: '9', changedAt: before(60) });
  const { facts, own } = proxyCluster({ proxyConfig: config });
  const step = stepOf(kubeadm.steps(wantedDual(), facts, own), 'kube-proxy/rollout');
  expect(step.state.is).toBe('Pending');
  expect(step).toMatchObject({ next: { is: 'Annotate', annotation: 'dualstack.dev/config-hash' } });
});

test('pods that started after the configuration are, also when nobody annotated them', () => {
  const { facts, own } = proxyCluster({});
  expect(stepOf(kubeadm.steps(wantedDual(), facts, own), 'kube-proxy/rollout').state.is).toBe('Satisfied');
});

test('a node that is down holds the DaemonSet up: the stale pods are replaced one by one', () => {
  const { facts, own } = proxyCluster({});
  const hash = stepOf(
    kubeadm.steps(
      wantedDual(),
      facts,
      proxyCluster({ proxyConfig: known({ text: DUAL_TEXT, resourceVersion: '9', changedAt: before(60) }) }).own,
    ),
    'kube-proxy/rollout',
  );
  const value = hash.kind === 'RolloutWorkload' && hash.next.is === 'Annotate' ? hash.next.value : null;
  const nodes = facts.nodes.map((node) => (node.name === 'worker-2' ? { ...node, ready: false } : node));
  if (!own.proxy.known || own.proxy.value === null || value === null) throw new Error('no kube-proxy');
  const stuck = {
    ...own.proxy.value,
    newestHash: 'rev-2',
    templateAnnotations: { 'dualstack.dev/config-hash': value },
  };
  const step = stepOf(
    kubeadm.steps(wantedDual({ tolerateUnavailable: 1 }), { ...facts, nodes }, { ...own, proxy: known(stuck) }),
    'kube-proxy/rollout',
  );
  expect(step).toMatchObject({
    state: { is: 'Pending' },
    next: { is: 'DeletePods', pods: [{ name: 'kube-proxy-cp-1' }] },
  });
  const renewed = {
    ...stuck,
    pods: stuck.pods.map((pod) => (pod.node === 'worker-2' ? pod : { ...pod, hash: 'rev-2', startedAt: before(5) })),
  };
  const rest = stepOf(
    kubeadm.steps(wantedDual({ tolerateUnavailable: 1 }), { ...facts, nodes }, { ...own, proxy: known(renewed) }),
    'kube-proxy/rollout',
  );
  expect(rest.state.is).toBe('Deferred');
});

test('no kube-proxy, no steps for it', () => {
  const { facts, own } = kubeadmCluster({}, { proxy: known(null) });
  expect(kubeadm.steps(wantedDual(), facts, own).filter((step) => step.phase === 'Proxy')).toEqual([]);
});

test('before 1.33 there is no ServiceCIDR to wait for', () => {
  const { facts, own } = kubeadmCluster();
  const old = { ...facts, basics: { ...facts.basics, kubernetesVersion: 'v1.32.9' } };
  const ids = (one: ClusterFacts) => kubeadm.steps(wantedDual(), one, own).map((step) => step.id);
  expect(ids(facts)).toContain('service-cidr');
  expect(ids(old)).not.toContain('service-cidr');
  expect(facts.at).toBe(AT);
});
