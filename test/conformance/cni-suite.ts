import { describe, expect, test } from '@jest/globals';
import { z } from 'zod';
import { FINDING_REASONS } from '../../src/api/reasons.ts';
import { asArray, asString, at, refText } from '../../src/model/object.ts';
import type { Reader } from '../../src/model/reader.ts';
import type { Step } from '../../src/model/step.ts';
import { basics, clusterFacts, wantedDual, wantedSingle } from '../support/facts.ts';
import { fakeReader } from '../support/fake-reader.ts';
import type { Scene } from './cni-scene.ts';
import { keepsItsWord } from './ways.ts';

/** What the rest of the program takes for granted of every network plug-in. */
export function conforms({ cni, facts, bare }: Scene): void {
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

    keepsItsWord(
      cni,
      clusters.flatMap((cluster) => facts.map((own) => ({ facts: cluster, own }))),
    );

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

    test('what its steps change of workloads it has declared, for the admission policy', () => {
      for (const { wanted, cluster, own } of cases) {
        for (const step of cni.steps(wanted, cluster, own)) expect(undeclared(cni, step)).toEqual([]);
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
      ['objects with nothing in them', fakeReader(bare)],
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

/** What a step sets of a DaemonSet or Deployment and the plug-in does not say that it changes. */
function undeclared({ workloads = [] }: Scene['cni'], step: Step): readonly string[] {
  if (step.kind !== 'ApplyObject' && step.kind !== 'RolloutWorkload') return [];
  if (!['DaemonSet', 'Deployment', 'StatefulSet'].includes(step.ref.kind)) return [];
  const declared = workloads.find(({ ref }) => refText(ref) === refText(step.ref));
  if (declared === undefined) return [refText(step.ref)];
  if (step.kind === 'RolloutWorkload') {
    return step.next.is === 'Annotate' && step.next.annotation !== declared.annotation ? [step.next.annotation] : [];
  }
  const body = step.write.is === 'Apply' ? step.write.body : {};
  const containers = asArray(at(body, 'spec', 'template', 'spec', 'containers'));
  const env = containers.flatMap((container) =>
    asArray(at(container, 'env')).map((entry) => asString(at(entry, 'name'))),
  );
  return env.flatMap((name) => (name === undefined || declared.env?.includes(name) === true ? [] : [name]));
}

function expectDescribed(schema: unknown): void {
  const { properties = {}, description } = schema as { properties?: Record<string, unknown>; description?: string };
  expect(description).toEqual(expect.any(String));
  for (const property of Object.values(properties)) expectDescribed(property);
}
