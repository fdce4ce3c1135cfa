import { describe, expect, test } from '@jest/globals';
import { aks, eks, gke } from '../../../src/distributions/managed/index.ts';
import { phaseOrder } from '../../../src/model/phase.ts';
import { known, unknown } from '../../../src/model/reader.ts';
import type { Step } from '../../../src/model/step.ts';
import { decide } from '../../../src/plan/next.ts';
import { registry } from '../../../src/registry.ts';
import { basics, nodeFacts, SERVICES, serviceFacts, wantedDual, wantedSingle } from '../../support/facts.ts';
import { LABELS, managedCluster, VERSIONS } from '../../support/managed.ts';
import { asked, NO_MEMORY, planScene, recordsOf } from '../../support/plan-scene.ts';

const chosen = (
  kubernetesVersion: string,
  labels: Readonly<Record<string, string>>,
  ConfigMap: readonly string[] = [],
) => {
  const nodes = [nodeFacts(1, {}, { labels: { 'kubernetes.io/os': 'linux', ...labels } })];
  const facts = basics({ nodes, kubernetesVersion });
  const found = registry.distribution('Auto', { ...facts, objects: { ...facts.objects, ConfigMap } });
  return found.ok ? found.value.plugin.name : found.error;
};

test.each<[string, string, Readonly<Record<string, string>>]>([
  ['EKS', VERSIONS.EKS, {}],
  ['EKS', 'v1.33.5', LABELS.EKS],
  ['EKS', 'v1.33.5', { 'eks.amazonaws.com/compute-type': 'fargate' }],
  ['GKE', VERSIONS.GKE, LABELS.GKE],
  ['AKS', VERSIONS.AKS, LABELS.AKS],
  // EKS Distro, which others build clusters from.
  ['Unmanaged', 'v1.33.5-eks-1-33-8', {}],
  // Google's clusters outside of its cloud.
  ['Unmanaged', VERSIONS.GKE, {}],
  // aks-engine, which ran control planes of the user's own.
  ['Unmanaged', 'v1.24.3', { 'kubernetes.azure.com/cluster': 'group' }],
  ['Unmanaged', 'v1.33.5', {}],
])('%s is recognised: %s with %j', (name, version, labels) => expect(chosen(version, labels)).toBe(name));

test('kubeadm comes first: EKS Anywhere builds its clusters with it', () => {
  expect(chosen(VERSIONS.EKS, {}, ['kube-system/kubeadm-config'])).toBe('Kubeadm');
});

test('what recognised it is said', () => {
  expect(eks.detect(basics({ nodes: [], kubernetesVersion: VERSIONS.EKS }))).toBe(`Kubernetes version ${VERSIONS.EKS}`);
  expect(aks.detect(managedCluster('AKS').facts.basics)).toMatch(
    /^label kubernetes\.azure\.com\/cluster .* of Node node-1$/u,
  );
});

describe('EKS', () => {
  test.each([wantedDual(), wantedSingle()])('is refused with the true reason, whichever way', (wanted) => {
    const { facts, own } = managedCluster('EKS');
    expect(eks.check(wanted, facts, own)).toEqual([
      {
        reason: 'NetworkImmutable',
        object: null,
        message: expect.stringContaining('no dual-stack Pods or Services'),
        remedy: expect.stringContaining('ipFamily: IPv6'),
        blocks: phaseOrder(wanted.direction),
      },
    ]);
    expect(eks.steps(wanted, facts, own)).toEqual([]);
  });

  test('nothing at all is done, and nobody is asked for networks', () => {
    const { facts } = managedCluster('EKS');
    const { plan } = planScene(facts, asked({ clusterNetwork: {} }));
    expect(plan.findings.map(({ reason }) => reason)).toContain('NetworkImmutable');
    expect(plan.findings.map(({ reason }) => reason)).not.toContain('SecondaryCIDRMissing');
    expect(decide(plan, facts, asked(), NO_MEMORY, 1)).toMatchObject({ is: 'Blocked' });
  });
});

const states = (steps: readonly Step[]): readonly (readonly [string, string])[] =>
  steps.map(({ id, state }) => [id, state.is]);

describe.each([
  [gke, 'gcloud container clusters update CLUSTER --location=LOCATION --stack-type=ipv4-ipv6'],
  [aks, 'az aks update --resource-group GROUP --name CLUSTER --ip-families ipv4,ipv6'],
] as const)('$name', (cloud, command) => {
  const name = cloud.name as 'GKE' | 'AKS';

  test('its own command is handed over, and what the API shows of it is watched', () => {
    const { facts, own } = managedCluster(name);
    const steps = cloud.steps(wantedDual(), facts, own);
    expect(states(steps)).toEqual([
      ['provider/cluster', 'Pending'],
      ['provider/nodes', 'Unknown'],
    ]);
    expect(steps[0]).toMatchObject({ kind: 'Handoff', command: expect.stringContaining(command), holdsUp: true });
    expect(cloud.check(wantedDual(), facts, own)).toEqual([]);
  });

  test('when Services have both families, its nodes follow', () => {
    const { own } = managedCluster(name, { dual: true });
    const { facts } = managedCluster(name);
    expect(states(cloud.steps(wantedDual(), facts, own))).toEqual([
      ['provider/cluster', 'Satisfied'],
      ['provider/nodes', 'Pending'],
    ]);
  });

  test('a node that is away may be tolerated', () => {
    const { facts, own } = managedCluster(name, { dual: true });
    const nodes = facts.nodes.map((node, index) =>
      index === 0 ? { ...node, ready: false, internalIPs: ['192.0.2.11'] } : node,
    );
    const wanted = wantedDual({ tolerateUnavailable: 1 });
    expect(states(cloud.steps(wanted, { ...facts, nodes }, own))[1]).toEqual(['provider/nodes', 'Deferred']);
    expect(states(cloud.steps(wantedDual(), { ...facts, nodes }, own))[1]).toEqual(['provider/nodes', 'Pending']);
  });

  test('without ServiceCIDR objects, the Services themselves tell', () => {
    const { facts } = managedCluster(name, { dual: true });
    const own = { serviceCIDR: known(null) };
    expect(states(cloud.steps(wantedDual(), facts, own))[0]).toEqual(['provider/cluster', 'Satisfied']);
    const single = known([serviceFacts({ namespace: 'default', name: 'kubernetes' })]);
    expect(states(cloud.steps(wantedDual(), { ...facts, services: single }, own))[0]).toEqual([
      'provider/cluster',
      'Pending',
    ]);
  });

  test('what cannot be read is not guessed', () => {
    const { facts, own } = managedCluster(name, {}, { serviceCIDR: unknown('forbidden') });
    expect(cloud.steps(wantedDual(), facts, own)[0]?.state).toEqual({ is: 'Unknown', why: 'forbidden' });
    expect(cloud.network(own).services).toEqual(unknown('forbidden'));
  });

  test('a network plug-in of its own is not fought with', () => {
    const { facts, own } = managedCluster(name, { cni: 'Cilium' });
    expect(cloud.check(wantedDual(), facts, own)).toMatchObject([
      {
        reason: 'AnotherOwner',
        remedy: expect.stringContaining('spec.cni: Unmanaged'),
        blocks: ['Pools', 'CNIConfig', 'CNIAgents'],
      },
    ]);
  });

  test('in a plan the user is asked for the command, and for no networks, which the cloud chooses', () => {
    const scene = managedCluster(name).facts;
    const request = asked({ clusterNetwork: {} });
    const facts = { ...scene, records: recordsOf(planScene(scene, request).plan) };
    const { plan } = planScene(facts, request);
    expect(plan.findings.filter(({ blocks }) => blocks.length > 0)).toEqual([]);
    expect(decide(plan, facts, request, NO_MEMORY, 1)).toMatchObject({
      is: 'WaitingForUser',
      step: { id: 'provider/cluster' },
    });
  });

  test('once it has converted, nothing of it is left', () => {
    const { facts } = managedCluster(name, { dual: true });
    const { plan } = planScene(facts, asked({ clusterNetwork: {} }));
    expect(plan.steps.filter(({ group, state }) => group === 'provider' && state.is !== 'Satisfied')).toEqual([]);
    expect(plan.findings.filter(({ blocks }) => blocks.length > 0)).toEqual([]);
    expect(plan.wanted.services).toEqual(SERVICES);
  });
});

test('GKE goes back by its command', () => {
  const { facts, own } = managedCluster('GKE', { dual: true });
  expect(gke.check(wantedSingle(), facts, own)).toEqual([]);
  expect(gke.steps(wantedSingle(), facts, own)[0]).toMatchObject({
    command: 'gcloud container clusters update CLUSTER --location=LOCATION --stack-type=ipv4',
    state: { is: 'Pending' },
  });
});

test('that AKS goes back is not known, and not claimed', () => {
  const { facts, own } = managedCluster('AKS', { dual: true });
  expect(aks.steps(wantedSingle(), facts, own)).toEqual([]);
  expect(aks.check(wantedSingle(), facts, own)).toMatchObject([
    { reason: 'NetworkImmutable', blocks: phaseOrder('Back') },
  ]);
  const single = managedCluster('AKS');
  expect(aks.check(wantedSingle(), single.facts, single.own)).toEqual([]);
});

test.each([gke, aks])('$name: of clusters that began with IPv6 no command is known', (cloud) => {
  const { facts, own } = managedCluster(cloud.name as 'GKE' | 'AKS', {}, { serviceCIDR: known([SERVICES.IPv6]) });
  const wanted = wantedDual({ families: ['IPv6', 'IPv4'] });
  expect(cloud.steps(wanted, facts, own)).toEqual([]);
  expect(cloud.check(wanted, facts, own)).toMatchObject([
    { reason: 'NetworkImmutable', blocks: phaseOrder('Forward') },
  ]);
});
