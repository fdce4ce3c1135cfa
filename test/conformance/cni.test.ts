import { describe, expect, test } from '@jest/globals';
import { z } from 'zod';
import { FINDING_REASONS } from '../../src/api/reasons.ts';
import { antrea } from '../../src/cni/antrea/index.ts';
import { calico } from '../../src/cni/calico/index.ts';
import { canal } from '../../src/cni/canal/index.ts';
import { cilium } from '../../src/cni/cilium/index.ts';
import type { CNI } from '../../src/cni/contract.ts';
import { flannel } from '../../src/cni/flannel/index.ts';
import { kindnet } from '../../src/cni/kindnet/index.ts';
import { kubeRouter } from '../../src/cni/kube-router/index.ts';
import { tigera } from '../../src/cni/tigera/index.ts';
import { unmanaged } from '../../src/cni/unmanaged/index.ts';
import type { KubeObject } from '../../src/model/object.ts';
import { known, unknown, type Reader } from '../../src/model/reader.ts';
import { calicoFacts } from '../support/calico-facts.ts';
import { CANAL_DUAL_NET_CONF, CANAL_DUAL_NETWORK, canalFacts } from '../support/canal-facts.ts';
import { CILIUM_DUAL, ciliumFacts, HELM } from '../support/cilium-facts.ts';
import { basics, clusterFacts, wantedDual, wantedSingle, workloadFacts } from '../support/facts.ts';
import { fakeReader } from '../support/fake-reader.ts';
import { DUAL_NET_CONF, flannelFacts } from '../support/flannel-facts.ts';
import { kindnetFacts } from '../support/kindnet-facts.ts';
import { KUBE_ROUTER_DUAL, kubeRouterFacts } from '../support/kube-router-facts.ts';

/**
 * What the rest of the program takes for granted of every network plug-in. `facts`: parts with work to do, and parts with none.
 */
function conforms<Own>(cni: CNI<Own>, facts: readonly Own[], others: readonly KubeObject[] = []): void {
  const clusters = [clusterFacts(), clusterFacts({ dual: true, controlPlanes: 3 }), clusterFacts({ nodes: [] })];
  const directions = [wantedDual(), wantedSingle(), wantedDual({ tolerateUnavailable: 2 })];
  const cases = clusters.flatMap((cluster) =>
    directions.flatMap((wanted) => facts.map((own) => ({ cluster, wanted, own }))),
  );
  const denied: Reader = {
    get: () => Promise.resolve({ is: 'Unreadable', why: 'forbidden' }),
    list: () => Promise.resolve({ is: 'Unreadable', why: 'forbidden' }),
  };

  describe(cni.name, () => {
    test('its name can be a value in the API', () => expect(cni.name).toMatch(/^[A-Z][A-Za-z0-9]*$/u));

    test('its steps belong to the phases of a network plug-in, with ids of their own', () => {
      for (const { wanted, cluster, own } of cases) {
        const steps = cni.steps(wanted, cluster, own);
        expect(new Set(steps.map((step) => step.id)).size).toBe(steps.length);
        for (const step of steps) {
          expect(['PodCIDRs', 'Pools', 'CNIConfig', 'CNIAgents']).toContain(step.phase);
          expect(step.timeoutSeconds).toBeGreaterThan(0);
          for (const text of [step.target, step.why, step.group]) expect(text).not.toBe('');
          if (step.state.is === 'Pending' && step.kind === 'ApplyObject') expect(step.diff).not.toEqual([]);
        }
      }
    });

    test('the same facts give the same answers, and nothing that is handed in is changed', () => {
      for (const { wanted, cluster, own } of cases) {
        const before = JSON.stringify([wanted, cluster, own]);
        const look = () => [
          cni.steps(wanted, cluster, own),
          cni.check(wanted, cluster, own),
          cni.records(cluster, own),
        ];
        expect(look()).toEqual(look());
        expect(JSON.stringify([wanted, cluster, own])).toBe(before);
      }
    });

    test('steps, records and components are plain data', () => {
      for (const { wanted, cluster, own } of cases) {
        const data = [cni.steps(wanted, cluster, own), cni.records(cluster, own), cni.components(own)];
        expect(JSON.parse(JSON.stringify(data))).toEqual(data);
      }
    });

    test('records have keys of their own', () => {
      for (const { cluster, own } of cases) {
        const keys = cni.records(cluster, own).map(({ key }) => key);
        expect(new Set(keys).size).toBe(keys.length);
      }
    });

    test('findings have a documented reason, say what is wrong and what to do', () => {
      for (const { wanted, cluster, own } of cases) {
        for (const finding of cni.check(wanted, cluster, own)) {
          expect(Object.keys(FINDING_REASONS)).toContain(finding.reason);
          for (const text of [finding.message, finding.remedy]) expect(text.length).toBeGreaterThan(10);
        }
      }
    });

    test.each([
      ['an empty cluster', fakeReader([])],
      ['a server that refuses every read', denied],
      ['objects with nothing in them', fakeReader(others)],
    ])('looking at %s throws nothing and adds no family', async (_name, reader) => {
      const own = await cni.observe(reader, basics({ nodes: [] }));
      for (const wanted of directions) {
        const steps = cni.steps(wanted, clusterFacts(), own);
        cni.check(wanted, clusterFacts(), own);
        if (wanted.direction === 'Forward') expect(steps.filter((step) => step.state.is === 'Pending')).toEqual([]);
      }
      cni.components(own);
    });

    test('its options have a description for every field and refuse what they do not know', () => {
      if (cni.options === undefined) return;
      expect(cni.options.schema.safeParse({ noSuchOption: 1 }).success).toBe(false);
      expect(cni.options.schema.safeParse({}).success).toBe(true);
      expectDescribed(z.toJSONSchema(cni.options.schema, { io: 'input' }));
    });

    test('each permission says why it is needed, and none is a wildcard', () => {
      for (const { why, apiGroups, resources, verbs } of cni.permissions) {
        expect(why).not.toBe('');
        expect([...apiGroups, ...resources, ...verbs]).not.toContain('*');
      }
    });
  });
}

function expectDescribed(schema: unknown): void {
  const { properties = {}, description } = schema as { properties?: Record<string, unknown>; description?: string };
  expect(description).toEqual(expect.any(String));
  for (const property of Object.values(properties)) expectDescribed(property);
}

const bare = (apiVersion: string, kind: string, name: string): KubeObject => ({
  apiVersion,
  kind,
  metadata: { name, namespace: 'kube-system' },
});

conforms(
  calico,
  [
    calicoFacts(clusterFacts()),
    calicoFacts(clusterFacts(), { config: { text: null } }),
    calicoFacts(clusterFacts(), { pools: [] }),
  ],
  [
    bare('v1', 'ConfigMap', 'calico-config'),
    bare('apps/v1', 'DaemonSet', 'calico-node'),
    bare('crd.projectcalico.org/v1', 'IPPool', 'x'),
  ],
);
conforms(
  tigera,
  [
    { known: true, value: null },
    { known: true, value: { pools: [{ cidr: '10.244.0.0/16' }] } },
    { known: false, why: 'x' },
  ],
  [bare('operator.tigera.io/v1', 'Installation', 'default')],
);
conforms(
  flannel,
  [
    flannelFacts(clusterFacts()),
    flannelFacts(clusterFacts(), { config: { text: null } }),
    flannelFacts(clusterFacts(), { config: { text: DUAL_NET_CONF } }),
  ],
  [bare('v1', 'ConfigMap', 'kube-flannel-cfg'), bare('apps/v1', 'DaemonSet', 'kube-flannel-ds')],
);
conforms(
  kindnet,
  [
    kindnetFacts(clusterFacts()),
    kindnetFacts(clusterFacts(), { subnet: null }),
    kindnetFacts(clusterFacts(), { subnet: { is: 'From', source: '{}' } }),
  ],
  [bare('apps/v1', 'DaemonSet', 'kindnet')],
);
conforms(
  cilium,
  [
    ciliumFacts(clusterFacts()),
    ciliumFacts(clusterFacts(), { config: { data: CILIUM_DUAL } }),
    ciliumFacts(clusterFacts(), { config: { owner: HELM } }),
    ciliumFacts(clusterFacts(), { operator: null }),
  ],
  [
    bare('v1', 'ConfigMap', 'cilium-config'),
    bare('apps/v1', 'DaemonSet', 'cilium'),
    bare('apps/v1', 'Deployment', 'cilium-operator'),
    bare('cilium.io/v2', 'CiliumNode', 'x'),
  ],
);
conforms(
  canal,
  [
    canalFacts(clusterFacts()),
    canalFacts(clusterFacts(), { config: { network: null } }),
    canalFacts(clusterFacts(), { config: { flannel: CANAL_DUAL_NET_CONF, network: CANAL_DUAL_NETWORK } }),
  ],
  [bare('v1', 'ConfigMap', 'canal-config'), bare('apps/v1', 'DaemonSet', 'canal')],
);
conforms(
  kubeRouter,
  [
    kubeRouterFacts(clusterFacts()),
    kubeRouterFacts(clusterFacts(), { args: KUBE_ROUTER_DUAL }),
    kubeRouterFacts(clusterFacts(), { flagsInCommand: true }),
  ],
  [bare('apps/v1', 'DaemonSet', 'kube-router')],
);
conforms(
  antrea,
  [known(null), known(workloadFacts('antrea-agent', ['cp-1', 'worker-1'])), unknown('forbidden')],
  [bare('apps/v1', 'DaemonSet', 'antrea-agent')],
);
conforms(unmanaged, [null]);
