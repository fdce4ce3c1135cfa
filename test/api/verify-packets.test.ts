import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { parse, stringify } from 'yaml';
import { provePackets } from '../../src/apply/prove-packets.ts';
import type { Cluster } from '../../src/kube/connect.ts';
import type { KubeObject } from '../../src/model/object.ts';
import { packetServices, runnerPod, serverPod } from '../../src/verify/packets.ts';
import { startCluster, type TestCluster } from '../cluster/index.ts';
import { connectTo } from '../support/connect.ts';
import { eventually } from '../support/eventually.ts';
import { hastyClock } from '../support/hasty-clock.ts';
import { planOf } from '../support/packets.ts';

const CONFIG = fileURLToPath(new URL('../../config/', import.meta.url));
const NAMESPACE = 'dualstack-system';

let cluster: TestCluster;
let folder: string;
let operator: Cluster;
let admin: Cluster;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'packets-'));
  cluster = await startCluster({ controlPlanes: 1, workers: 1 });
  await cluster.kubectl(['apply', '-f', join(CONFIG, 'manager/namespace.yaml')]);
  await cluster.kubectl(['apply', '-k', join(CONFIG, 'rbac')]);
  await cluster.kubectl(['apply', '-f', join(CONFIG, 'admission/probe-pods.yaml')]);
  const { stdout: token } = await cluster.kubectl(['create', 'token', 'dualstack-operator', '-n', NAMESPACE]);
  const { stdout: view } = await cluster.kubectl(['config', 'view', '--raw', '--minify']);
  const config = parse(view) as { users: { user: object }[] };
  const kubeconfig = join(folder, 'operator.yaml');
  const users = config.users.map((each) => ({ ...each, user: { token: token.trim() } }));
  await writeFile(kubeconfig, stringify({ ...config, users }));
  operator = await connectTo(kubeconfig);
  admin = await connectTo(cluster.kubeconfig);
});
afterAll(async () => {
  await operator?.close();
  await admin?.close();
  await cluster?.stop();
  await rm(folder, { recursive: true });
});

const plan = planOf(2, {
  families: ['IPv4'],
  nodes: [
    { name: 'cp-1', internalIPs: ['192.0.2.1'] },
    { name: 'worker-1', internalIPs: ['192.0.2.11'] },
  ],
  pairs: [
    ['cp-1', 'worker-1'],
    ['worker-1', 'cp-1'],
  ],
});
const run = { namespace: NAMESPACE, suffix: 'test', by: 'operator', plan } as const;
const pods: readonly [string, KubeObject][] = [
  ['server', serverPod(run, 'worker-1', 0)],
  ['runner in the pod network', runnerPod(run, 'worker-1', 0, 'pod', [])],
];

const left = async (): Promise<string> =>
  (await cluster.kubectl(['get', 'pods,services', '-n', NAMESPACE, '-l', 'dualstack.dev/probe', '-o', 'name'])).stdout;

test.each(pods)('the %s is admitted where the Pod Security Standard restricted is enforced', async (_name, pod) => {
  const namespace = 'strict';
  const labels = { 'pod-security.kubernetes.io/enforce': 'restricted' };
  await cluster.kubectl(
    ['apply', '-f', '-'],
    stringify({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace, labels } }),
  );
  await eventually(
    'it is admitted',
    async () => {
      const strict = { ...pod, metadata: { ...pod.metadata, namespace } };
      const made = await admin.client.create(strict, { dryRun: true, fieldValidation: 'Strict' });
      // The namespace's service account is made a moment after the namespace.
      if (!made.ok && !made.error.message.includes('service account')) throw new Error(made.error.message);
      return made.ok;
    },
    20_000,
  );
});

test.each(Object.entries(packetServices(run)))('the server knows every field of Service %s', async (_name, service) => {
  expect(await operator.client.create(service, { dryRun: true, fieldValidation: 'Strict' })).toMatchObject({
    ok: true,
  });
});

const tried = async (pod: object): Promise<string> => {
  const made = await operator.client.create(pod as KubeObject, { dryRun: true });
  return made.ok ? 'created' : made.error.message;
};
const [[, server], [, runner]] = pods as [[string, KubeObject], [string, KubeObject]];
const host = runnerPod(run, 'worker-1', 0, 'host', []);
const withSpec = (change: object) => ({ ...server, spec: { ...(server['spec'] as object), ...change } });
const withMeta = (change: object) => ({ ...server, metadata: { ...server.metadata, ...change } });
const withContainer = (change: object, of: KubeObject = server) => {
  const spec = of['spec'] as { readonly containers: readonly object[] };
  return { ...of, spec: { ...spec, containers: spec.containers.map((container) => ({ ...container, ...change })) } };
};
const security = (server['spec'] as { readonly securityContext: object }).securityContext;
const confined = { allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: { drop: ['ALL'] } };

test('the operator may create probe pods', async () => {
  await eventually(
    'the policy is in force',
    async () => (await tried(withMeta({ labels: {} }))).includes('for proofs alone'),
    30_000,
  );
  for (const pod of [server, runner, host]) expect(await tried(pod)).toBe('created');
});

const DEBUG = { name: 'mine', image: 'mine' };
const SECRET = { secretKeyRef: { name: 'dualstack-records', key: 'a' } };

test.each<[string, object, string]>([
  ['another name', withMeta({ name: 'mine' }), 'for proofs alone'],
  ['another purpose', withMeta({ labels: { 'dualstack.dev/probe': 'mine' } }), 'for proofs alone'],
  ['another label', withMeta({ labels: { ...server.metadata.labels, mine: '' } }), 'label mine'],
  ['an annotation', withMeta({ annotations: { 'iam.example.com/role': 'a' } }), 'annotation iam.example.com/role'],
  [
    'AppArmor off, as it once was written',
    withMeta({ annotations: { 'container.apparmor.security.beta.kubernetes.io/probe': 'unconfined' } }),
    'annotation container.apparmor',
  ],
  ['a finalizer', withMeta({ finalizers: ['example.com/mine'] }), 'metadata.finalizers'],
  [
    'an owner',
    withMeta({ ownerReferences: [{ apiVersion: 'v1', kind: 'Node', name: 'a', uid: 'b' }] }),
    'metadata.ownerReferences',
  ],
  ['a token', withSpec({ automountServiceAccountToken: true }), 'service account token'],
  ['another service account', withSpec({ serviceAccountName: 'dualstack-agent' }), 'no service account but default'],
  ['a volume of the host', withSpec({ volumes: [{ name: 'host', hostPath: { path: '/' } }] }), 'spec.volumes'],
  ['any volume', withSpec({ volumes: [{ name: 'any', emptyDir: {} }] }), 'spec.volumes'],
  ['processes of the host', withSpec({ hostPID: true }), 'spec.hostPID'],
  ['memory of the host', withSpec({ hostIPC: true }), 'spec.hostIPC'],
  ['processes shared', withSpec({ shareProcessNamespace: true }), 'spec.shareProcessNamespace'],
  ['a container before it', withSpec({ initContainers: [DEBUG] }), 'spec.initContainers'],
  [
    'a second container',
    withSpec({ containers: [...(server['spec'] as { containers: object[] }).containers, DEBUG] }),
    'has one container',
  ],
  ['a class of the system', withSpec({ priorityClassName: 'system-node-critical' }), 'system’s priority classes'],
  ['no end', withSpec({ activeDeadlineSeconds: undefined }), 'activeDeadlineSeconds'],
  ['a late end', withSpec({ activeDeadlineSeconds: 3600 }), 'activeDeadlineSeconds'],
  ['new starts', withSpec({ restartPolicy: 'Always' }), 'restartPolicy Never'],
  ['the scheduler’s choice', withSpec({ nodeName: undefined }), 'belongs to a node'],
  ['a node selector', withSpec({ nodeSelector: { a: 'b' } }), 'spec.nodeSelector'],
  [
    'names of its own for hosts',
    withSpec({ hostAliases: [{ ip: '192.0.2.1', hostnames: ['a'] }] }),
    'spec.hostAliases',
  ],
  [
    'resolvers of its own',
    withSpec({ dnsPolicy: 'None', dnsConfig: { nameservers: ['192.0.2.1'] } }),
    'spec.dnsConfig',
  ],
  [
    'a host process of Windows',
    withSpec({ securityContext: { ...security, windowsOptions: { hostProcess: true } }, hostNetwork: true }),
    'spec.securityContext.windowsOptions',
  ],
  [
    'AppArmor off',
    withSpec({ securityContext: { ...security, appArmorProfile: { type: 'Unconfined' } } }),
    'spec.securityContext.appArmorProfile',
  ],
  [
    'an SELinux type',
    withSpec({ securityContext: { ...security, seLinuxOptions: { type: 'spc_t' } } }),
    'spec.securityContext.seLinuxOptions',
  ],
  [
    'sysctls',
    withSpec({ securityContext: { ...security, sysctls: [{ name: 'net.core.somaxconn', value: '1' }] } }),
    'spec.securityContext.sysctls',
  ],
  [
    'more groups',
    withSpec({ securityContext: { ...security, supplementalGroups: [0] } }),
    'spec.securityContext.supplementalGroups',
  ],
  ['another user', withSpec({ securityContext: { ...security, runAsUser: 1 } }), 'user and group 65532'],
  ['the group of root', withSpec({ securityContext: { ...security, runAsGroup: 0 } }), 'user and group 65532'],
  ['root', withSpec({ securityContext: { ...security, runAsUser: 0, runAsNonRoot: false } }), 'user and group 65532'],
  [
    'no seccomp profile',
    withSpec({ securityContext: { ...security, seccompProfile: { type: 'Unconfined' } } }),
    'seccomp profile',
  ],
  ['a port of the host', withContainer({ ports: [{ containerPort: 80, hostPort: 80 }] }), 'container field ports'],
  ['another program', withContainer({ command: ['sh'] }), 'container field command'],
  ['other arguments', withContainer({ args: ['agent'] }), 'one of two things'],
  ['a server on the host’s network', withSpec({ hostNetwork: true }), 'never there'],
  [
    'variables of a Secret',
    withContainer({ envFrom: [{ secretRef: { name: 'dualstack-records' } }] }),
    'container field envFrom',
  ],
  [
    'a variable of a Secret',
    withContainer({ env: [{ name: 'PROBE_ORDER', valueFrom: SECRET }] }),
    'none of them from a Secret',
  ],
  ['another variable', withContainer({ env: [{ name: 'LD_PRELOAD', value: '/x' }] }), 'it has LD_PRELOAD'],
  [
    'other options of Node.js',
    withContainer({ env: [{ name: 'NODE_OPTIONS', value: '--inspect=0.0.0.0' }] }),
    'NODE_OPTIONS',
  ],
  ['a hook', withContainer({ lifecycle: { preStop: { exec: { command: ['sh'] } } } }), 'container field lifecycle'],
  [
    'a program that tells its readiness',
    withContainer({ readinessProbe: { exec: { command: ['sh'] } } }),
    'readinessProbe.exec',
  ],
  [
    'readiness asked of another host',
    withContainer({ readinessProbe: { httpGet: { host: '192.0.2.1', path: '/', port: 27874 } } }),
    'readinessProbe.httpGet.host',
  ],
  ['readiness asked elsewhere', withContainer({ readinessProbe: { httpGet: { path: '/x', port: 80 } } }), 'port 27874'],
  [
    'privileges',
    withContainer({ securityContext: { ...confined, allowPrivilegeEscalation: true, privileged: true } }),
    'securityContext.privileged',
  ],
  [
    'a way to privileges',
    withContainer({ securityContext: { ...confined, allowPrivilegeEscalation: true } }),
    'no privileges',
  ],
  [
    'a capability',
    withContainer({ securityContext: { ...confined, capabilities: { drop: ['ALL'], add: ['NET_ADMIN'] } } }),
    'no capabilities',
  ],
  [
    'a user of its container',
    withContainer({ securityContext: { ...confined, runAsUser: 0 } }),
    'securityContext.runAsUser',
  ],
  [
    'an unmasked /proc',
    withContainer({ securityContext: { ...confined, procMount: 'Unmasked' } }, withSpec({ hostUsers: false })),
    'securityContext.procMount',
  ],
  [
    'a root file system to write to',
    withContainer({ securityContext: { ...confined, readOnlyRootFilesystem: false } }),
    'writes nothing',
  ],
])('the operator may not create a pod with %s', async (_name, pod, why) => {
  const words = await tried(pod);
  expect(words).toContain("ValidatingAdmissionPolicy 'dualstack-probe-pods'");
  expect(words).toContain(why);
});

test('with the operator’s rights a run is made, fails honestly where pods do nothing, and leaves nothing behind', async () => {
  const deps = {
    client: operator.client,
    clock: hastyClock(20),
    namespace: NAMESPACE,
    suffix: 'abc',
    by: 'operator',
    signal: new AbortController().signal,
  } as const;
  const proven = await provePackets({ probe: plan, fingerprint: 'f', failedBefore: 0 }, deps);
  expect(proven).toMatchObject({ ok: true, value: { failedInRow: 1 } });
  const hops = proven.ok ? proven.value.hops : [];
  expect(hops.map(({ hop }) => hop)).not.toContain('NotRun');
  // Were a pod refused, its trouble would carry the server's words.
  expect(JSON.stringify(hops)).not.toMatch(/forbidden|denied|invalid/iu);
  await eventually('nothing is left', async () => (await left()) === '', 30_000);
});
