import { asArray, asNumber, asString, asStrings, at, type JsonObject, type KubeObject } from '../model/object.ts';
import type { ProbeCheck, ProbeOrder, ProbePath } from '../model/probe.ts';
import type { ProbeNode, ProbePlan } from '../model/step.ts';
import { type Family, isOfFamily } from '../net/family.ts';
import { PROBE_LABEL } from './probes.ts';

/** Value of `PROBE_LABEL` on everything that a proof with packets makes. */
export const PACKETS = 'packets';
/** Who made it: the operator, or somebody's `kubectl dualstack verify --run`. */
export const PROBE_BY_LABEL = 'dualstack.dev/probe-by';
export type ProbedBy = 'operator' | 'command';
const RUN_LABEL = 'dualstack.dev/probe-run';
const ROLE_LABEL = 'dualstack.dev/probe-role';

const PROBE_PORT = 27874;
/** Milliseconds. A Service's rules reach every node well within the deadline, also where kube-proxy paces itself. */
const TIMEOUT = 3_000;
const DEADLINE = 20_000;
/** A pod that nobody removes, because whoever made it was killed, ends by itself after these seconds. */
const LIVES_AT_MOST = 300;

/** Where the objects of a run live, what tells them from those of others, and of what image its pods are. */
export interface PodRun {
  readonly namespace: string;
  readonly suffix: string;
  readonly by: ProbedBy;
  readonly plan: Pick<ProbePlan, 'image'>;
}

/** One run of the proof. */
export interface ProbeRun extends PodRun {
  readonly plan: ProbePlan;
}

export const serverSelector = ({ suffix }: PodRun): string => `${RUN_LABEL}=${suffix},${ROLE_LABEL}=server`;
export const runSelector = (suffix: string): string => `${RUN_LABEL}=${suffix}`;
export const runnerSelector = ({ suffix }: PodRun): string => `${RUN_LABEL}=${suffix},${ROLE_LABEL}=runner`;

const metadata = ({ namespace, suffix, by }: PodRun, name: string, role: string): KubeObject['metadata'] => ({
  name: `dualstack-probe-${name}-${suffix}`,
  namespace,
  labels: { [PROBE_LABEL]: PACKETS, [PROBE_BY_LABEL]: by, [RUN_LABEL]: suffix, [ROLE_LABEL]: role },
});

export type ProbeServices = Readonly<Record<'cluster' | 'node' | 'headless', KubeObject>>;

/** A Service of each kind over the servers. Where both families are wanted each asks for both. */
export function packetServices(run: ProbeRun): ProbeServices {
  const { families } = run.plan;
  const service = (name: string, spec: object): KubeObject => ({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: metadata(run, name, 'service'),
    spec: {
      ipFamilyPolicy: families.length > 1 ? 'PreferDualStack' : 'SingleStack',
      ipFamilies: families,
      selector: { [RUN_LABEL]: run.suffix, [ROLE_LABEL]: 'server' },
      ports: [{ port: PROBE_PORT, protocol: 'TCP' }],
      // Whether its server answers is what is to be found out.
      publishNotReadyAddresses: true,
      ...spec,
    },
  });
  return {
    cluster: service('cluster', {}),
    node: service('node', { type: 'NodePort' }),
    headless: service('headless', { clusterIP: 'None' }),
  };
}

/**
 * Its readiness tells only that it listens by now: the Services take it before, since a way that the kubelet's probe cannot go
 * is one of the things to find out.
 */
export const serverPod = (run: ProbeRun, node: string, index: number): KubeObject => {
  const httpGet = { path: '/', port: PROBE_PORT };
  const container = { readinessProbe: { httpGet, periodSeconds: 1, timeoutSeconds: 1 } };
  return pod(run, node, `server-${index}`, 'server', ['probe', 'serve', `--port=${PROBE_PORT}`], {}, container);
};

/** `host`: from the host's own network, as the kubelet's probes and the API server's webhooks come. */
export function runnerPod(
  run: PodRun,
  node: string,
  index: number,
  from: 'pod' | 'host',
  checks: readonly ProbeCheck[],
): KubeObject {
  const order: ProbeOrder = { timeout: TIMEOUT, deadline: DEADLINE, tasks: checks.map(({ task }) => task) };
  const env = [...IDENTITY, { name: 'PROBE_ORDER', value: JSON.stringify(order) }];
  const spec = from === 'host' ? { hostNetwork: true, dnsPolicy: 'Default' } : {};
  return pod(run, node, `${from}-${index}`, 'runner', ['probe', 'run'], spec, { env });
}

const IDENTITY = [
  { name: 'NODE_NAME', valueFrom: { fieldRef: { fieldPath: 'spec.nodeName' } } },
  { name: 'POD_NAME', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } },
  { name: 'NODE_OPTIONS', value: '--max-old-space-size=64' },
];

/**
 * A pod that satisfies the Pod Security Standard `restricted`, but for the host's network where that is what is proven. Its node is given, so
 * that no scheduler stands between; it asks for next to nothing, so that a full node takes it.
 */
function pod(
  run: PodRun,
  node: string,
  name: string,
  role: string,
  args: readonly string[],
  spec: JsonObject,
  container: { readonly [field: string]: unknown },
): KubeObject {
  const { image, pullPolicy, pullSecrets } = run.plan.image;
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: metadata(run, name, role),
    spec: {
      nodeName: node,
      restartPolicy: 'Never',
      activeDeadlineSeconds: LIVES_AT_MOST,
      terminationGracePeriodSeconds: 2,
      automountServiceAccountToken: false,
      enableServiceLinks: false,
      tolerations: [{ operator: 'Exists' }],
      securityContext: {
        runAsNonRoot: true,
        runAsUser: 65532,
        runAsGroup: 65532,
        seccompProfile: { type: 'RuntimeDefault' },
      },
      ...(pullSecrets.length === 0 ? {} : { imagePullSecrets: pullSecrets.map((secret) => ({ name: secret })) }),
      containers: [
        {
          name: 'probe',
          image,
          ...(pullPolicy === null ? {} : { imagePullPolicy: pullPolicy }),
          args,
          env: IDENTITY,
          resources: { requests: { cpu: '1m', memory: '16Mi' }, limits: { memory: '192Mi' } },
          securityContext: {
            allowPrivilegeEscalation: false,
            readOnlyRootFilesystem: true,
            capabilities: { drop: ['ALL'] },
          },
          ...container,
        },
      ],
      ...spec,
    },
  };
}

/** What became of a pod, as far as a proof goes by it. */
export type PodState =
  | { readonly is: 'Waiting'; readonly why: string }
  | { readonly is: 'Running'; readonly podIPs: readonly string[]; readonly ready: boolean }
  | { readonly is: 'Ended'; readonly message: string; readonly why: string };

export function podState(object: KubeObject): PodState {
  const status = at(object, 'status');
  const phase = asString(at(status, 'phase')) ?? 'Pending';
  const state = at(status, 'containerStatuses', 0, 'state');
  const ended = at(state, 'terminated');
  if (phase === 'Succeeded' || phase === 'Failed' || ended !== undefined) {
    const reason = asString(at(ended, 'reason')) ?? asString(at(status, 'reason')) ?? phase;
    const text = asString(at(status, 'message'));
    return {
      is: 'Ended',
      message: asString(at(ended, 'message')) ?? '',
      why: text === undefined || text === '' ? reason : `${reason}: ${text}`,
    };
  }
  const podIPs = asArray(at(status, 'podIPs')).flatMap((entry) => asString(at(entry, 'ip')) ?? []);
  const ready = at(status, 'containerStatuses', 0, 'ready') === true;
  if (phase === 'Running' && podIPs.length > 0) return { is: 'Running', podIPs, ready };
  const why = asString(at(state, 'waiting', 'reason')) ?? phase;
  const detail = asString(at(state, 'waiting', 'message'));
  return { is: 'Waiting', why: detail === undefined ? why : `${why}: ${detail}` };
}

/** What the servers and Services were given, once they run. */
export interface ProbeTargets {
  /** Addresses of the server on each node; a node whose server did not start is not there. */
  readonly podIPs: ReadonlyMap<string, readonly string[]>;
  readonly clusterIPs: readonly string[];
  readonly nodePort: number | null;
  readonly names: { readonly cluster: string; readonly headless: string };
}

export const targetsOf = (
  podIPs: ProbeTargets['podIPs'],
  services: ProbeServices,
  namespace: string,
): ProbeTargets => ({
  podIPs,
  clusterIPs: clusterIPsOf(services.cluster),
  nodePort: asNumber(at(services.node, 'spec', 'ports', 0, 'nodePort')) ?? null,
  names: {
    cluster: `${services.cluster.metadata.name}.${namespace}.svc`,
    headless: `${services.headless.metadata.name}.${namespace}.svc`,
  },
});

const clusterIPsOf = (service: KubeObject): readonly string[] => asStrings(at(service, 'spec', 'clusterIPs'));

export const ofFamily = (addresses: readonly string[], family: Family): string | undefined =>
  addresses.find((address) => isOfFamily(address, family));

/** What is tried from a pod on that node. */
export function checksFromPod(node: ProbeNode, plan: ProbePlan, targets: ProbeTargets): readonly ProbeCheck[] {
  const reached = reachedFrom(node, plan);
  return plan.families.flatMap((family) => [
    ...toPods('PodToPod', node, family, reached, targets),
    ...toService('PodToService', node, family, targets),
    ...reached.flatMap((target) => nodePort(node, family, target, targets)),
    ...dns(node, family, plan, targets),
  ]);
}

/** What is tried from the network of that host. */
export function checksFromHost(node: ProbeNode, plan: ProbePlan, targets: ProbeTargets): readonly ProbeCheck[] {
  const reached = reachedFrom(node, plan);
  return plan.families.flatMap((family) => [
    ...toPods('HostToPod', node, family, reached, targets),
    ...toService('HostToService', node, family, targets),
  ]);
}

/** The node itself, which tells what fails within it from what fails between nodes, and its targets. */
function reachedFrom(node: ProbeNode, { pairs, nodes }: ProbePlan): readonly ProbeNode[] {
  const names = new Set(pairs.filter(([source]) => source === node.name).map(([, target]) => target));
  return [node, ...nodes.filter(({ name }) => names.has(name))];
}

const toPods = (
  path: ProbePath,
  { name: source }: ProbeNode,
  family: Family,
  reached: readonly ProbeNode[],
  { podIPs }: ProbeTargets,
): readonly ProbeCheck[] =>
  reached.flatMap(({ name: target }) => {
    const address = ofFamily(podIPs.get(target) ?? [], family);
    if (address === undefined) return [];
    return [{ path, family, source, target, task: { do: 'http', address, port: PROBE_PORT, node: target } }];
  });

function toService(
  path: ProbePath,
  { name: source }: ProbeNode,
  family: Family,
  { clusterIPs }: ProbeTargets,
): readonly ProbeCheck[] {
  const address = ofFamily(clusterIPs, family);
  if (address === undefined) return [];
  return [{ path, family, source, target: null, task: { do: 'http', address, port: PROBE_PORT } }];
}

function nodePort(
  { name: source }: ProbeNode,
  family: Family,
  { name: target, internalIPs }: ProbeNode,
  { nodePort: port }: ProbeTargets,
): readonly ProbeCheck[] {
  const address = ofFamily(internalIPs, family);
  if (address === undefined || port === null) return [];
  return [{ path: 'NodePort', family, source, target, task: { do: 'http', address, port } }];
}

/** A and AAAA records, asked over that family, of a Service with addresses of its own and of one that stands for its pods. */
function dns(
  { name: source }: ProbeNode,
  family: Family,
  plan: ProbePlan,
  { clusterIPs, podIPs, names }: ProbeTargets,
): readonly ProbeCheck[] {
  const server = plan.dns.find(({ address }) => ofFamily([address], family) !== undefined);
  if (server === undefined) return [];
  const pods = [...podIPs.values()].flat();
  return plan.families.flatMap((asked) => {
    const type = asked === 'IPv6' ? ('AAAA' as const) : ('A' as const);
    const records = [
      { name: names.cluster, expect: clusterIPs },
      { name: names.headless, expect: pods },
    ];
    return records.flatMap(({ name, expect: all }): readonly ProbeCheck[] => {
      const expect = all.filter((address) => ofFamily([address], asked) !== undefined);
      if (expect.length === 0) return [];
      const task = { do: 'dns', server: server.address, name, type, expect } as const;
      return [{ path: 'DNS', family, source, target: null, task }];
    });
  });
}
