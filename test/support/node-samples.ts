import * as fc from 'fast-check';
import type { KubeObject } from '../../src/model/object.ts';

const word = fc.stringMatching(/^[a-z]([a-z0-9-]{0,12}[a-z0-9])?$/u);
const key = fc.oneof(
  word,
  fc.tuple(word, word).map(([domain, name]) => `${domain}.example.org/${name}`),
);
/** What annotations may hold: any text, long ones among them, also beyond ASCII. */
const text = fc.oneof(fc.string({ unit: 'grapheme', maxLength: 40 }), fc.string({ minLength: 100, maxLength: 300 }));
const labels = fc.dictionary(key, fc.oneof(word, fc.constant('')), { maxKeys: 6 });
const time = fc
  .integer({ min: Date.UTC(2015, 0), max: Date.UTC(2045, 0) })
  .map((at) => `${new Date(at).toISOString().slice(0, 19)}Z`);
const byte = fc.integer({ min: 1, max: 254 });
const ipv4 = fc.tuple(byte, byte, byte).map((parts) => `10.${parts.join('.')}`);
const ipv6 = fc.tuple(byte, byte).map(([a, b]) => `fd00::${a}:${b}`);
const status = fc.constantFrom('True', 'False', 'Unknown');

const condition = fc.record({
  type: fc.constantFrom('Ready', 'MemoryPressure', 'DiskPressure', 'Own'),
  status,
  reason: word,
  message: text,
  lastHeartbeatTime: time,
  lastTransitionTime: time,
});
const taint = fc.record(
  { key, effect: fc.constantFrom('NoSchedule', 'PreferNoSchedule'), value: word, timeAdded: time },
  { requiredKeys: ['key', 'effect'] },
);
const address = fc.record({
  type: fc.constantFrom('InternalIP', 'ExternalIP', 'Hostname'),
  address: fc.oneof(ipv4, ipv6),
});
const image = fc.record({ names: fc.array(word, { minLength: 1, maxLength: 3 }), sizeBytes: fc.nat() });
const owner = fc.record({
  apiVersion: fc.constant('cluster.x-k8s.io/v1beta1'),
  kind: fc.constant('Machine'),
  name: word,
  uid: fc.uuid(),
});
/** Objects as they would be sent to a server: undefined stands for what is not there. */
const maybe = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined, freq: 2 });

/** A Node as a kubelet and its surroundings may make one, with much in it that is not read. */
export const nodeSample = (name: string): fc.Arbitrary<KubeObject> =>
  fc
    .record({
      labels: maybe(labels),
      annotations: maybe(fc.dictionary(key, text, { maxKeys: 6 })),
      finalizers: maybe(fc.constant(['example.org/kept'])),
      ownerReferences: maybe(fc.array(owner, { maxLength: 2 })),
      podCIDRs: maybe(fc.tuple(byte, byte).map(([a, b]) => [`10.${a}.${b}.0/24`, `fd00:${a}:${b}::/64`])),
      providerID: maybe(word.map((id) => `kind://${id}`)),
      unschedulable: maybe(fc.boolean()),
      taints: maybe(fc.uniqueArray(taint, { maxLength: 3, selector: (one) => `${one.key}:${one.effect}` })),
      addresses: maybe(fc.uniqueArray(address, { maxLength: 4, selector: (one) => `${one.type}/${one.address}` })),
      conditions: maybe(fc.uniqueArray(condition, { maxLength: 4, selector: (one) => one.type })),
      images: maybe(fc.array(image, { maxLength: 5 })),
      volumesInUse: maybe(fc.array(word, { maxLength: 2 })),
      volumesAttached: maybe(
        fc.array(fc.record({ name: word, devicePath: fc.constantFrom('', '/dev/x') }), { maxLength: 2 }),
      ),
      osImage: fc.oneof(fc.constant(''), text),
    })
    .map((made) => {
      const node = {
        apiVersion: 'v1',
        kind: 'Node',
        metadata: {
          name,
          labels: made.labels,
          annotations: made.annotations,
          finalizers: made.finalizers,
          ownerReferences: made.ownerReferences,
        },
        spec: {
          podCIDR: made.podCIDRs?.[0],
          podCIDRs: made.podCIDRs,
          providerID: made.providerID,
          unschedulable: made.unschedulable,
          taints: made.taints,
        },
        status: {
          capacity: { cpu: '16', memory: '64Gi' },
          addresses: made.addresses,
          conditions: made.conditions,
          images: made.images,
          volumesInUse: made.volumesInUse,
          volumesAttached: made.volumesAttached,
          daemonEndpoints: { kubeletEndpoint: { Port: 10250 } },
          nodeInfo: {
            machineID: 'm',
            systemUUID: 's',
            bootID: 'b',
            kernelVersion: '6.1',
            osImage: made.osImage,
            containerRuntimeVersion: 'containerd://2',
            kubeletVersion: 'v1.36.3',
            kubeProxyVersion: '',
            operatingSystem: 'linux',
            architecture: 'amd64',
          },
        },
      };
      return JSON.parse(JSON.stringify(node)) as KubeObject;
    });
