import { expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { protobufFormat } from '../../../src/kube/protobuf/answers.ts';
import type { KubeObject } from '../../../src/model/object.ts';
import type { ListQuery } from '../../../src/model/reader.ts';
import { readWorkload, WORKLOAD_POD_FIELDS } from '../../../src/model/workload.ts';
import { mayBeToBeSeen, NODE_FIELDS, toNodes } from '../../../src/observe/nodes.ts';
import { SERVICE_FIELDS, toServiceFacts } from '../../../src/observe/services.ts';
import { POD_FIELDS, readPodOwners } from '../../../src/observe/workloads.ts';
import { NODE_TRIGGERS, TRIGGERS } from '../../../src/reconcile/triggers.ts';
import { fakeReader } from '../../support/fake-reader.ts';
import { covers, noted, pruned } from '../../support/fields.ts';
import { nodeSample } from '../../support/node-samples.ts';

const metadata = {
  name: 'one',
  namespace: 'n',
  labels: { a: 'b', 'pod-template-hash': 'h' },
  creationTimestamp: '2026-01-01T00:00:00Z',
};
const owner = { kind: 'ReplicaSet', name: 'web-h', controller: true };
const going = { deletionTimestamp: '2026-01-01T00:00:00Z' };
const ready = { type: 'Ready', status: 'True' };
const status = { phase: 'Running', podIPs: [{ ip: '10.0.0.1' }, { ip: 'fd00::1' }], conditions: [ready] };
const waiting = [{ state: { waiting: { reason: 'CrashLoopBackOff' } } }];
const pod = (more: object, spec: object = {}, now: object = status): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { ...metadata, ...more },
  spec,
  status: now,
});
const PODS = [
  pod({}),
  pod({ ownerReferences: [owner] }),
  pod({ ownerReferences: [{ ...owner, controller: false }, owner] }, {}, { containerStatuses: waiting }),
  pod(going),
  pod({}, { hostNetwork: true }),
  pod({}, {}, { phase: 'Failed' }),
];
const SERVICES = [
  { spec: { clusterIPs: ['None'], ipFamilies: ['IPv4'], ipFamilyPolicy: 'SingleStack', type: 'ClusterIP' } },
  { spec: { clusterIPs: ['10.0.0.1'], selector: { a: 'b' } } },
].map((part): KubeObject => ({ apiVersion: 'v1', kind: 'Service', metadata, ...part }));
const WRITES = [{ manager: 'dualstack-operator' }, { manager: 'kubelet', subresource: 'status', fieldsV1: {} }];
const NODES = fc
  .sample(nodeSample('one'), { seed: 1, numRuns: 200 })
  .map((node) => ({ ...node, metadata: { ...node.metadata, managedFields: WRITES } }));

const uses: readonly (readonly [
  string,
  readonly string[],
  readonly KubeObject[],
  (objects: readonly KubeObject[]) => unknown,
])[] = [
  ['Nodes are made facts of', NODE_FIELDS, NODES, (nodes) => toNodes(nodes, [])],
  [
    'which Nodes to look at closer is told by',
    NODE_FIELDS,
    NODES,
    (nodes) => nodes.map((node) => mayBeToBeSeen(node, 0)),
  ],
  ['Services are made facts of', SERVICE_FIELDS, SERVICES, (services) => services.map(toServiceFacts)],
  ['owners of Pods are counted by', POD_FIELDS, PODS, (pods) => readPodOwners(ofPods(pods))],
  ['Pods of an agent are made facts of', WORKLOAD_POD_FIELDS, AGENT_PODS(), podsOfAgent],
  ...[...NODE_TRIGGERS, ...TRIGGERS].flatMap(({ query: { kind, fields, namespace }, fingerprint }) =>
    // A DualStackNode comes as JSON, and so whole.
    fields === undefined || kind === 'DualStackNode'
      ? []
      : [
          [
            `${kind} in ${namespace ?? 'all namespaces'} wakes a pass by`,
            fields,
            OBJECTS()[kind] ?? [],
            (objects: readonly KubeObject[]) => objects.map(fingerprint),
          ] as const,
        ],
  ),
];

function OBJECTS(): Readonly<Record<string, readonly KubeObject[]>> {
  return { Node: NODES, Pod: PODS, Service: SERVICES };
}

/** Of a DaemonSet whose uid is `u`: as the others, and one whose container ended. */
function AGENT_PODS(): readonly KubeObject[] {
  const ended = {
    terminated: { exitCode: 0, reason: 'Completed', message: 'bye', finishedAt: going.deletionTimestamp },
  };
  const statuses = [{ ...waiting[0], restartCount: 2, lastState: ended, image: 'i' }];
  const ofAgent = { ownerReferences: [{ ...owner, kind: 'DaemonSet', uid: 'u' }] };
  const started = { ...status, startTime: '2026-01-01T00:00:00Z', hostIP: '192.0.2.1' };
  const crashed = [{ restartCount: 2, state: { terminated: { ...ended.terminated, exitCode: 1 } }, image: 'i' }];
  return [
    pod(ofAgent, { nodeName: 'three' }, { ...started, containerStatuses: crashed }),
    pod(ofAgent, { nodeName: 'one', hostNetwork: true }, { ...started, containerStatuses: statuses }),
    pod(ofAgent, { nodeName: 'two' }, { ...started, initContainerStatuses: statuses }),
    pod({ ...ofAgent, ...going }, {}, started),
  ];
}

async function podsOfAgent(pods: readonly KubeObject[]): Promise<unknown> {
  const meta = { name: 'agent', namespace: 'n', uid: 'u' };
  const agent = {
    apiVersion: 'apps/v1',
    kind: 'DaemonSet',
    metadata: meta,
    spec: { selector: { matchLabels: { a: 'b' } } },
  };
  const read = await readWorkload(fakeReader([agent, ...pods]), 'DaemonSet', 'n', 'agent');
  return read.known ? (read.value?.pods ?? []) : read;
}

const ofPods = (pods: readonly KubeObject[]) =>
  async function* ({ kind }: ListQuery) {
    yield await Promise.resolve({ is: 'Found' as const, value: kind === 'Pod' ? pods : [] });
  };

test.each(uses)('%s nothing but the fields that are asked for', async (name, fields, objects, use) => {
  expect(objects).not.toEqual([]);
  const reads = new Set<string>();
  await use(objects.map((object) => noted(object, reads)));
  // What is read as a whole lies within a field; what is not asked for would be missing without a word.
  const beside = [...reads].filter((path) => !covers(fields, path));
  expect(beside).toEqual([]);
  const whole = (await use(objects)) as readonly unknown[];
  if (name.includes('facts')) expect(await use(objects.map((object) => pruned(object, fields)))).toEqual(whole);
});

test.each(uses)('%s fields that come as protobuf', (_, fields, objects) => {
  const { apiVersion, kind } = objects[0]!;
  expect(protobufFormat({ apiVersion, kind, fields })).not.toBe(null);
});
