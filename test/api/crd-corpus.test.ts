import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { parse } from 'yaml';
import { vocabulary } from '../../src/registry.ts';
import type { ClusterSpec } from '../../src/api/cluster-spec.ts';
import { clusterStatusSchema } from '../../src/api/cluster-status.ts';
import { API_VERSION, CLUSTER, GROUP, NODE, VERSION } from '../../src/api/names.ts';
import { nodeStatusSchema } from '../../src/api/node.ts';
import { parseSettings } from '../../src/api/node-rules.ts';
import { parseSpec } from '../../src/api/resolve.ts';
import { checkTransition } from '../../src/api/transitions.ts';
import { startCluster, type TestCluster } from '../cluster/index.ts';
import { CASES, type Case, DUAL } from './crd-corpus.ts';
import { NODE_CASES } from './crd-node-corpus.ts';
import { FULL_NODE_STATUS, FULL_STATUS } from './crd-status.ts';
import { TRANSITIONS } from './crd-transitions.ts';

const CLUSTERS = `/apis/${GROUP}/${VERSION}/${CLUSTER.plural}`;
const NODES = `/apis/${GROUP}/${VERSION}/${NODE.plural}`;
const STRICT = 'fieldValidation=Strict';
const DEADLINE_MS = 30_000;

let cluster: TestCluster;

beforeAll(async () => {
  cluster = await startCluster({ controlPlanes: 1 });
  for (const { plural } of [CLUSTER, NODE]) {
    const crd: unknown = parse(await readFile(new URL(`../../crds/${GROUP}_${plural}.yaml`, import.meta.url), 'utf8'));
    const made = await cluster.api.send('POST', '/apis/apiextensions.k8s.io/v1/customresourcedefinitions', crd);
    expect({ plural, status: made.status, body: made.status === 201 ? 'created' : made.body }).toEqual({
      plural,
      status: 201,
      body: 'created',
    });
  }
  await served(CLUSTERS, CLUSTER.kind, { ipFamilies: ['IPv4'] });
  await served(NODES, NODE.kind, {});
});

afterAll(() => cluster?.stop());

test('the API server and the code agree on every cluster of the table', async () => {
  const verdicts = await Promise.all(
    CASES.map((entry) => judge(CLUSTERS, CLUSTER.kind, entry, (spec) => parseSpec(spec, vocabulary).ok)),
  );
  expect(verdicts.filter(({ wanted, server, code }) => server !== wanted || code !== wanted)).toEqual([]);
  expect(CASES.length).toBeGreaterThan(150);
});

test('the API server and the code agree on every node of the table', async () => {
  const verdicts = await Promise.all(
    NODE_CASES.map((entry) => judge(NODES, NODE.kind, entry, (spec) => parseSettings(spec).ok)),
  );
  expect(verdicts.filter(({ wanted, server, code }) => server !== wanted || code !== wanted)).toEqual([]);
});

test('the API server and the code agree on networks drawn at random', async () => {
  const specs = fc.sample(anySpec, { numRuns: 200, seed: 20_260 });
  const verdicts = await Promise.all(
    specs.map(async (spec) => ({
      spec,
      server: await accepts(CLUSTERS, CLUSTER.kind, spec),
      code: parseSpec(spec, vocabulary).ok,
    })),
  );
  expect(verdicts.filter(({ server, code }) => server !== code)).toEqual([]);
  // A draw that is nearly always bad, or nearly always good, would show little.
  const good = verdicts.filter(({ code }) => code).length;
  expect(good).toBeGreaterThan(20);
  expect(good).toBeLessThan(180);
});

test.each(TRANSITIONS.map((entry) => [entry.name, entry] as const))('change: %s', async (_name, entry) => {
  const name = 'changing';
  const made = await cluster.api.send('POST', `${CLUSTERS}?${STRICT}`, resource(CLUSTER.kind, entry.before, name));
  expect(made.status).toBe(201);
  try {
    let object = made.body as Record<string, unknown>;
    if (entry.applied !== undefined) {
      const status = { observedGeneration: 1, applied: entry.applied };
      const told = await cluster.api.send('PUT', `${CLUSTERS}/${name}/status?${STRICT}`, { ...object, status });
      expect({ status: told.status, body: told.body }).toMatchObject({ status: 200, body: { status } });
      object = told.body as Record<string, unknown>;
    }
    const after = { ...object, spec: entry.after };
    const answer = await cluster.api.send('PUT', `${CLUSTERS}/${name}?dryRun=All&${STRICT}`, after);
    const problems = checkTransition(
      entry.before as ClusterSpec,
      entry.after as ClusterSpec,
      entry.applied as ClusterSpec | undefined,
    );
    expect(parseSpec(entry.after, vocabulary).ok).toBe(true);
    expect({ server: verdictOf(answer), code: problems.length === 0 }).toEqual({
      server: entry.good,
      code: entry.good,
    });
    if (entry.says !== undefined) {
      expect(JSON.stringify(answer.body)).toContain(entry.says);
      expect(JSON.stringify(problems)).toContain(entry.says);
    }
  } finally {
    await cluster.api.send('DELETE', `${CLUSTERS}/${name}`);
  }
});

test('a new resource reads as not yet looked at, and its spec is stored as it was sent', async () => {
  const made = await cluster.api.send(
    'POST',
    CLUSTERS,
    resource(CLUSTER.kind, { ipFamilies: ['IPv4', 'IPv6'] }, 'fresh'),
  );
  expect(made.body).toMatchObject({ status: { observedGeneration: -1 } });
  expect((made.body as { spec: unknown }).spec).toEqual({ ipFamilies: ['IPv4', 'IPv6'] });
  await cluster.api.send('DELETE', `${CLUSTERS}/fresh`);
});

test('a status with every field is stored as it was written', async () => {
  const cases = [
    { path: CLUSTERS, kind: CLUSTER.kind, spec: DUAL, status: FULL_STATUS, schema: clusterStatusSchema(vocabulary) },
    { path: NODES, kind: NODE.kind, spec: {}, status: FULL_NODE_STATUS, schema: nodeStatusSchema },
  ];
  for (const { path, kind, spec, status, schema } of cases) {
    const made = await cluster.api.send('POST', path, resource(kind, spec, 'told'));
    const told = await cluster.api.send('PUT', `${path}/told/status?${STRICT}`, { ...(made.body as object), status });
    expect({ kind, code: told.status, body: told.body }).toMatchObject({ code: 200 });
    expect((told.body as { status: unknown }).status).toEqual(status);
    expect(schema.safeParse(status)).toMatchObject({ success: true });
    await cluster.api.send('DELETE', `${path}/told`);
  }
});

test('a refusal names field, value and remedy', async () => {
  const spec = structuredClone(DUAL);
  spec.clusterNetwork.services.cidrBlocks = ['10.96.0.0/16', 'fd00:10:96::/64'];
  const { body } = await cluster.api.send('POST', `${CLUSTERS}?dryRun=All`, resource(CLUSTER.kind, spec));
  const { message } = body as { message: string };
  expect(message).toContain('spec.clusterNetwork.services.cidrBlocks');
  expect(message).toContain('"10.96.0.0/16, fd00:10:96::/64"');
  expect(message).toContain('from /108 to /125');
});

/** Mostly one CIDR per family in that order, sometimes anything. */
const byFamily = (families: readonly string[], cidrs: fc.Arbitrary<string>) =>
  fc.oneof(
    {
      arbitrary: fc.tuple(...families.map((f) => cidrs.filter((cidr) => cidr.includes(':') === (f === 'IPv6')))),
      weight: 4,
    },
    { arbitrary: fc.array(cidrs, { minLength: 1, maxLength: 2 }), weight: 1 },
  );

/** Networks from a small world, so that overlaps, double families and wrong orders are common but do not rule. */
const anySpec = (() => {
  const pods = fc.constantFrom(
    '10.244.0.0/16',
    '10.0.0.0/12',
    '10.96.0.0/20',
    'fd00:10:244::/56',
    'fd00::/48',
    'fd00:10:96::/64',
    '10.1.0.0/8',
  );
  const services = fc.constantFrom(
    '10.96.0.0/16',
    '10.0.0.0/24',
    'fd00:10:96::/112',
    'fd00:10:96::/108',
    'fd00::/64',
    '10.0.0.0/8',
  );
  const family = fc.constantFrom('IPv4', 'IPv6');
  const families = fc.oneof(
    { arbitrary: fc.constantFrom(['IPv4', 'IPv6'], ['IPv6', 'IPv4'], ['IPv4'], ['IPv6']), weight: 9 },
    { arbitrary: fc.array(family, { minLength: 1, maxLength: 2 }), weight: 1 },
  );
  return families.chain((ipFamilies) =>
    fc.record(
      {
        ipFamilies: fc.constant(ipFamilies),
        clusterNetwork: fc.record(
          {
            pods: fc.record({ cidrBlocks: byFamily(ipFamilies, pods) }),
            services: fc.record({ cidrBlocks: byFamily(ipFamilies, services) }),
            nodeCIDRMaskSizeIPv4: fc.constantFrom(24, 16, 12),
            nodeCIDRMaskSizeIPv6: fc.constantFrom(64, 72, 48),
          },
          { requiredKeys: [] },
        ),
        calico: fc.record({ pool: fc.record({ blockSize: fc.constantFrom(26, 122, 20, 116) }) }),
      },
      { requiredKeys: ['ipFamilies'] },
    ),
  );
})();

async function judge(path: string, kind: string, entry: Case, check: (spec: unknown) => boolean) {
  const server = await accepts(path, kind, entry.spec);
  return { name: entry.name, wanted: entry.good, server, code: check(entry.spec) };
}

async function accepts(path: string, kind: string, spec: unknown): Promise<boolean> {
  return verdictOf(await cluster.api.send('POST', `${path}?dryRun=All&${STRICT}`, resource(kind, spec)));
}

/** 400 is how a strict server says that a field is unknown or of another type. Anything else is no verdict. */
function verdictOf({ status, body }: { readonly status: number; readonly body: unknown }): boolean {
  if (status === 200 || status === 201) return true;
  if (status === 400 || status === 422) return false;
  throw new Error(`no verdict: ${status} ${JSON.stringify(body)}`);
}

const resource = (kind: string, spec: unknown, name = 'sample') => ({
  apiVersion: API_VERSION,
  kind,
  metadata: { name },
  spec,
});

/** A new CustomResourceDefinition is served a moment after it was made. */
async function served(path: string, kind: string, spec: unknown): Promise<void> {
  const deadline = Date.now() + DEADLINE_MS;
  while (Date.now() < deadline) {
    const { status } = await cluster.api.send('POST', `${path}?dryRun=All`, resource(kind, spec));
    if (status === 201) return;
    await new Promise((done) => setTimeout(done, 50));
  }
  throw new Error(`${kind} is not served after ${DEADLINE_MS} ms`);
}
