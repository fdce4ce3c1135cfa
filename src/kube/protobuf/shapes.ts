/**
 * How JSON shows a field: `text`, `flag` (boolean), `number`, `time` (RFC 3339), `texts` (a list), `map` (of texts). `word` is a text that many
 * objects have in common. JSON leaves out what is empty, false or zero; with `!` it shows that too.
 */
export type Leaf =
  | 'text'
  | 'text!'
  | 'word'
  | 'word!'
  | 'flag'
  | 'flag!'
  | 'number'
  | 'number!'
  | 'time'
  | 'texts'
  | 'map';

/** Field number and type of each field of a message; `[…]` around a message: a list of it. */
export interface Shape {
  readonly [field: string]: readonly [number, Leaf | Shape | readonly [Shape]];
}

const OWNER: Shape = {
  kind: [1, 'word!'],
  name: [3, 'text!'],
  uid: [4, 'text!'],
  apiVersion: [5, 'word!'],
  controller: [6, 'flag!'],
  blockOwnerDeletion: [7, 'flag!'],
};

/** Who wrote, without what: that is JSON within, and more than all else together. */
const WRITE: Shape = {
  manager: [1, 'word'],
  operation: [2, 'word'],
  apiVersion: [3, 'word'],
  time: [4, 'time'],
  subresource: [8, 'word'],
};

const METADATA: Shape = {
  name: [1, 'text'],
  namespace: [3, 'word'],
  uid: [5, 'text'],
  resourceVersion: [6, 'text'],
  generation: [7, 'number'],
  creationTimestamp: [8, 'time'],
  deletionTimestamp: [9, 'time'],
  labels: [11, 'map'],
  annotations: [12, 'map'],
  ownerReferences: [13, [OWNER]],
  finalizers: [14, 'texts'],
  managedFields: [17, [WRITE]],
};

const CONDITION: Shape = { type: [1, 'word!'], status: [2, 'word!'] };
const ENDED: Shape = { exitCode: [1, 'number!'], reason: [3, 'word'], message: [4, 'text'] };
const CONTAINER: Shape = {
  state: [2, { waiting: [1, { reason: [1, 'word'], message: [2, 'text'] }], terminated: [3, ENDED] }],
  lastState: [3, { terminated: [3, ENDED] }],
  restartCount: [5, 'number!'],
};

/** From `k8s.io/api/core/v1/generated.proto`: the fields that are read somewhere. The numbers never change: they are on the wire. */
const CORE: Readonly<Record<string, Shape>> = {
  Node: {
    metadata: [1, METADATA],
    spec: [
      2,
      {
        podCIDR: [1, 'text'],
        podCIDRs: [7, 'texts'],
        providerID: [3, 'text'],
        unschedulable: [4, 'flag'],
        taints: [5, [{ key: [1, 'word!'], value: [2, 'word'], effect: [3, 'word!'], timeAdded: [4, 'time'] }]],
      },
    ],
    status: [
      3,
      {
        conditions: [4, [CONDITION]],
        addresses: [5, [{ type: [1, 'word!'], address: [2, 'text!'] }]],
        nodeInfo: [7, { osImage: [5, 'word!'], kubeletVersion: [7, 'word!'] }],
        volumesInUse: [9, 'texts'],
        volumesAttached: [10, [{ name: [1, 'text!'], devicePath: [2, 'text!'] }]],
      },
    ],
  },
  Pod: {
    metadata: [1, METADATA],
    spec: [2, { nodeName: [10, 'word'], hostNetwork: [11, 'flag'] }],
    status: [
      3,
      {
        phase: [1, 'word'],
        conditions: [2, [CONDITION]],
        startTime: [7, 'time'],
        containerStatuses: [8, [CONTAINER]],
        initContainerStatuses: [10, [CONTAINER]],
        podIPs: [12, [{ ip: [1, 'text!'] }]],
      },
    ],
  },
  Service: {
    metadata: [1, METADATA],
    spec: [
      2,
      {
        ports: [1, [{ protocol: [2, 'word'], port: [3, 'number!'] }]],
        selector: [2, 'map'],
        type: [4, 'word'],
        externalIPs: [5, 'texts'],
        sessionAffinity: [7, 'word'],
        loadBalancerIP: [8, 'text'],
        loadBalancerSourceRanges: [9, 'texts'],
        externalTrafficPolicy: [11, 'word'],
        loadBalancerClass: [21, 'word'],
        ipFamilyPolicy: [17, 'word'],
        clusterIPs: [18, 'texts'],
        ipFamilies: [19, 'texts'],
        internalTrafficPolicy: [22, 'word'],
      },
    ],
  },
};

/** Undefined: such objects come as JSON. */
export const shapeOf = (apiVersion: string, kind: string): Shape | undefined =>
  apiVersion === 'v1' && Object.hasOwn(CORE, kind) ? CORE[kind] : undefined;

/** `metav1.Status`: what an API server answers instead of what was asked for. */
export const STATUS: Shape = {
  message: [3, 'text'],
  reason: [4, 'word'],
  details: [
    5,
    {
      causes: [4, [{ reason: [1, 'word'], message: [2, 'text'], field: [3, 'text'] }]],
      retryAfterSeconds: [5, 'number'],
    },
  ],
  code: [6, 'number'],
};

/** A bookmark is an object of the watched kind with nothing in it but these. */
export const BOOKMARK: Shape = { metadata: [1, { resourceVersion: [6, 'text'], annotations: [12, 'map'] }] };

/** `metav1.ListMeta`. */
export const LIST_METADATA: Shape = { resourceVersion: [2, 'text'], continue: [3, 'text'] };
