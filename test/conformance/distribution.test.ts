import { describe, expect, test } from '@jest/globals';
import { FINDING_REASONS } from '../../src/api/reasons.ts';
import type { Distribution } from '../../src/distributions/contract.ts';
import { k0s } from '../../src/distributions/k0s/index.ts';
import { kkp } from '../../src/distributions/kkp/index.ts';
import { kubeadm } from '../../src/distributions/kubeadm/index.ts';
import { openshift } from '../../src/distributions/openshift/index.ts';
import { k3s, rke2 } from '../../src/distributions/k3s/index.ts';
import { aks, eks, gke } from '../../src/distributions/managed/index.ts';
import { unmanaged } from '../../src/distributions/unmanaged/index.ts';
import type { ClusterFacts, NodeFacts } from '../../src/model/facts.ts';
import { EDITABLE_FLAGS, EDITABLE_SYSCTLS, type HostSettings, STATIC_PODS } from '../../src/model/host.ts';
import type { KubeObject } from '../../src/model/object.ts';
import { known } from '../../src/model/reader.ts';
import type { Reader } from '../../src/model/reader.ts';
import type { Step } from '../../src/model/step.ts';
import { basics, clusterFacts, wantedDual, wantedSingle } from '../support/facts.ts';
import { fakeReader } from '../support/fake-reader.ts';
import { k0sCluster } from '../support/k0s.ts';
import { kkpCluster } from '../support/kkp.ts';
import { kubeadmCluster } from '../support/kubeadm.ts';
import { keepsItsWord } from './ways.ts';
import { infrastructure, networkWith, openshiftCluster } from '../support/openshift.ts';
import { k3sCluster, managedCluster } from '../support/managed.ts';
import { unmanagedCluster } from '../support/unmanaged.ts';

interface Scene<Own> {
  readonly facts: ClusterFacts;
  readonly own: Own;
}

/** What the rest of the program takes for granted of every distribution. `converted`: a cluster with nothing left to do. */
function conforms<Own>(
  distribution: Distribution<Own>,
  scenes: readonly Scene<Own>[],
  converted: Scene<Own>,
  bare: readonly KubeObject[] = [],
): void {
  const wishes = [wantedDual(), wantedSingle(), wantedDual({ tolerateUnavailable: 2, nodes: { nodeIP: 'Leave' } })];
  const cases = [...scenes, converted].flatMap((scene) => wishes.map((wanted) => ({ ...scene, wanted })));
  const denied: Reader = {
    get: () => Promise.resolve({ is: 'Unreadable', why: 'forbidden' }),
    list: () => Promise.resolve({ is: 'Unreadable', why: 'forbidden' }),
  };

  describe(distribution.name, () => {
    test('its name can be a value in the API', () => expect(distribution.name).toMatch(/^[A-Z][A-Za-z0-9]*$/u));

    keepsItsWord(distribution, [...scenes, converted]);

    test('its steps belong to the phases of a distribution, with ids of their own', () => {
      for (const { wanted, facts, own } of cases) {
        const steps = distribution.steps(wanted, facts, own);
        expect(new Set(steps.map((step) => step.id)).size).toBe(steps.length);
        for (const step of steps) {
          expect(['NodeIPs', 'APIServer', 'ControllerManager', 'ClusterConfig', 'Proxy']).toContain(step.phase);
          expect(step.timeoutSeconds).toBeGreaterThan(0);
          for (const text of [step.target, step.why, step.group]) expect(text).not.toBe('');
          if (step.state.is === 'Pending' && step.kind === 'ApplyObject') expect(step.diff).not.toEqual([]);
        }
      }
    });

    test('of hosts it changes only what an agent may change', () => {
      for (const { wanted, facts, own } of cases) {
        for (const step of distribution.steps(wanted, facts, own)) {
          if (step.kind === 'EditHost') expect(forbidden(step.settings)).toEqual([]);
        }
      }
    });

    test('a converted cluster leaves nothing to do and nothing in the way', () => {
      const { facts, own } = converted;
      const open = distribution.steps(wantedDual(), facts, own).filter((step) => step.state.is !== 'Satisfied');
      expect(open).toEqual([]);
    });

    test('what kinds of step there are does not hang on how far the work is', () => {
      for (const scene of scenes.filter(({ facts }) => facts.nodes.length === converted.facts.nodes.length)) {
        expect(kinds(distribution, scene)).toEqual(kinds(distribution, converted));
      }
    });

    test('the same facts give the same answers, and nothing that is handed in is changed', () => {
      for (const { wanted, facts, own } of cases) {
        const before = JSON.stringify([wanted, facts, own]);
        const look = () => [
          distribution.steps(wanted, facts, own),
          distribution.check(wanted, facts, own),
          distribution.records(facts, own),
          distribution.network(own),
        ];
        expect(look()).toEqual(look());
        expect(JSON.stringify([wanted, facts, own])).toBe(before);
      }
    });

    test('steps, records and components are plain data', () => {
      for (const { wanted, facts, own } of cases) {
        const data = [
          distribution.steps(wanted, facts, own),
          distribution.records(facts, own),
          distribution.components(own),
        ];
        expect(JSON.parse(JSON.stringify(data))).toEqual(data);
      }
    });

    test('records have keys of their own', () => {
      for (const { facts, own } of cases) {
        const keys = distribution.records(facts, own).map(({ key }) => key);
        expect(new Set(keys).size).toBe(keys.length);
      }
    });

    test('findings have a documented reason, say what is wrong and what to do', () => {
      for (const { wanted, facts, own } of cases) {
        for (const finding of distribution.check(wanted, facts, own)) {
          expect(Object.keys(FINDING_REASONS)).toContain(finding.reason);
          for (const text of [finding.message, finding.remedy]) expect(text.length).toBeGreaterThan(10);
        }
      }
    });

    test.each([
      ['an empty cluster', fakeReader([])],
      ['a server that refuses every read', denied],
      ['objects with nothing in them', fakeReader(bare)],
    ])('looking at %s throws nothing, blocks, and has nothing to change', async (_name, reader) => {
      const facts = clusterFacts({ nodes: [] });
      const own = await distribution.observe(reader, basics({ nodes: [] }));
      for (const wanted of wishes) {
        expect(distribution.steps(wanted, facts, own).filter((step) => step.state.is === 'Pending')).toEqual([]);
        if (wanted.direction === 'Forward') {
          expect(distribution.check(wanted, facts, own).flatMap((finding) => finding.blocks)).toContain('APIServer');
        }
      }
      distribution.components(own);
      expect(distribution.network(own).services.known).toBe(false);
    });

    test('each permission says why it is needed, and none is a wildcard', () => {
      for (const { why, apiGroups, resources, verbs } of distribution.permissions) {
        expect(why).not.toBe('');
        expect([...apiGroups, ...resources, ...verbs]).not.toContain('*');
      }
    });
  });
}

function kinds<Own>(distribution: Distribution<Own>, { facts, own }: Scene<Own>): readonly string[] {
  return [...new Set(distribution.steps(wantedDual(), facts, own).map(kindOf))].toSorted();
}

const kindOf = (step: Step): string => `${step.phase}/${step.group}/${step.kind}`;

/** Settings outside the allow-list. */
function forbidden(settings: HostSettings): readonly string[] {
  const flags = STATIC_PODS.flatMap((component) =>
    [...Object.keys(settings.staticPods?.[component] ?? {}), ...(settings.absent?.[component] ?? [])].filter(
      (flag) => !(EDITABLE_FLAGS[component] as readonly string[]).includes(flag),
    ),
  );
  const sysctls = Object.entries(settings.sysctls ?? {}).flatMap(([name, value]) => {
    const allowed = EDITABLE_SYSCTLS[name.replace(/^(net\.ipv6\.conf\.).+(\.accept_ra)$/u, '$1*$2')];
    return allowed?.includes(value) ? [] : [`${name}=${value}`];
  });
  const kubelet = (settings.absent?.kubelet ?? []).filter((flag) => flag !== 'node-ip');
  return [...flags, ...sysctls, ...kubelet];
}

const inSystem = (kind: string, apiVersion: string, name: string): KubeObject => ({
  apiVersion,
  kind,
  metadata: { name, namespace: 'kube-system' },
});

const SERVICE_CIDR: KubeObject = {
  apiVersion: 'networking.k8s.io/v1',
  kind: 'ServiceCIDR',
  metadata: { name: 'kubernetes' },
};
const UNMANAGED_OBJECTS: readonly KubeObject[] = [
  SERVICE_CIDR,
  inSystem('ConfigMap', 'v1', 'kube-proxy'),
  inSystem('DaemonSet', 'apps/v1', 'kube-proxy'),
  inSystem('Pod', 'v1', 'kube-apiserver-cp-1'),
];
const withTwoPodCIDRs = (node: NodeFacts): NodeFacts => ({
  ...node,
  podCIDRs: [...node.podCIDRs, `fd00:10:244:${node.podCIDRs[0]?.split('.')[2] ?? ''}::/64`],
});

conforms(
  kubeadm,
  [
    kubeadmCluster({ controlPlanes: 3 }),
    kubeadmCluster({ controlPlanes: 3, agents: false }),
    kubeadmCluster({ controlPlanes: 1 }),
    kubeadmCluster({ controlPlanes: 1 }, { clusterConfig: known(null), proxy: known(null) }),
  ],
  kubeadmCluster({ controlPlanes: 3, dual: true }),
  [
    inSystem('ConfigMap', 'v1', 'kubeadm-config'),
    inSystem('ConfigMap', 'v1', 'kube-proxy'),
    inSystem('DaemonSet', 'apps/v1', 'kube-proxy'),
    inSystem('Lease', 'coordination.k8s.io/v1', 'kube-controller-manager'),
    { apiVersion: 'networking.k8s.io/v1', kind: 'ServiceCIDR', metadata: { name: 'kubernetes' } },
  ],
);
const K0S_OBJECTS: readonly KubeObject[] = [
  {
    apiVersion: 'k0s.k0sproject.io/v1beta1',
    kind: 'ClusterConfig',
    metadata: { name: 'k0s', namespace: 'kube-system' },
  },
  inSystem('ConfigMap', 'v1', 'kube-proxy'),
  inSystem('DaemonSet', 'apps/v1', 'kube-proxy'),
  inSystem('Lease', 'coordination.k8s.io/v1', 'kube-controller-manager'),
  { apiVersion: 'networking.k8s.io/v1', kind: 'ServiceCIDR', metadata: { name: 'kubernetes' } },
];
describe('with static configuration', () =>
  conforms(
    k0s,
    [k0sCluster(), k0sCluster({ controllers: 3 }), k0sCluster({ hidden: 3, controllers: 0 })],
    k0sCluster({ dual: true }),
    K0S_OBJECTS,
  ));
describe('with dynamic configuration', () =>
  conforms(
    k0s,
    [
      k0sCluster({ dynamic: true }),
      k0sCluster({ dynamic: true, controllers: 3, hidden: 1 }),
      k0sCluster({ dynamic: true, dual: true }, { serviceCIDR: known(['10.96.0.0/16']) }),
    ],
    k0sCluster({ dynamic: true, dual: true }),
    K0S_OBJECTS,
  ));
conforms(
  kkp,
  [
    kkpCluster(),
    kkpCluster({ cni: 'cilium' }),
    kkpCluster({ cni: 'none', serviceCIDR: false }),
    kkpCluster({ node: (node) => ({ ...node, providerID: 'openstack:///1', osImage: 'CentOS Linux 7 (Core)' }) }),
  ],
  kkpCluster({ dual: true }),
  [
    inSystem('ConfigMap', 'v1', 'kube-proxy'),
    inSystem('ConfigMap', 'v1', 'canal-config'),
    inSystem('ConfigMap', 'v1', 'cilium-config'),
    inSystem('DaemonSet', 'apps/v1', 'canal'),
    inSystem('DaemonSet', 'apps/v1', 'kube-proxy'),
    { apiVersion: 'networking.k8s.io/v1', kind: 'ServiceCIDR', metadata: { name: 'kubernetes' } },
  ],
);
conforms(
  openshift,
  [
    openshiftCluster(),
    openshiftCluster({ agents: false }),
    openshiftCluster({}, { network: known(networkWith({ migrates: true, mtu: 1150 })) }),
    openshiftCluster({}, { infrastructure: known(infrastructure({ platform: 'AWS' })) }),
  ],
  openshiftCluster({ dual: true }),
  ['Network', 'Infrastructure', 'ClusterOperator'].map((kind) => ({
    apiVersion: 'config.openshift.io/v1',
    kind,
    metadata: { name: kind === 'ClusterOperator' ? 'network' : 'cluster' },
  })),
);
describe('with components in Pods', () =>
  conforms(
    unmanaged,
    [unmanagedCluster(), unmanagedCluster({ servers: 3 }), unmanagedCluster({ version: 'v1.20.15' })],
    unmanagedCluster({ dual: true }),
    UNMANAGED_OBJECTS,
  ));
describe('with components that nobody sees', () =>
  conforms(
    unmanaged,
    [unmanagedCluster({ pods: false }), unmanagedCluster({ pods: false, servers: 3 })],
    unmanagedCluster({ pods: false, dual: true, node: withTwoPodCIDRs }),
    UNMANAGED_OBJECTS,
  ));
for (const cloud of [eks, gke, aks]) {
  const name = cloud.name as 'EKS' | 'GKE' | 'AKS';
  conforms(
    cloud,
    [
      managedCluster(name),
      managedCluster(name, {}, { serviceCIDR: known(null) }),
      managedCluster(name, { dual: true }),
    ],
    managedCluster(name, { dual: true }),
    [SERVICE_CIDR],
  );
}
for (const distribution of [k3s, rke2]) {
  conforms(
    distribution,
    [k3sCluster(), k3sCluster({ args: {} }), k3sCluster({ dual: true })],
    k3sCluster({ dual: true }),
    [SERVICE_CIDR],
  );
}
