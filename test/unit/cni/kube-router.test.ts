import { expect, test } from '@jest/globals';
import { isOn, serviceRanges, withIPv6, withoutIPv6 } from '../../../src/cni/kube-router/args.ts';
import { kubeRouter } from '../../../src/cni/kube-router/index.ts';
import type { ClusterFacts, NodeFacts, PodFacts } from '../../../src/model/facts.ts';
import type { Json, KubeObject } from '../../../src/model/object.ts';
import { known, unknown } from '../../../src/model/reader.ts';
import { checkPodCIDRs } from '../../../src/plan/pod-cidrs.ts';
import { registry } from '../../../src/registry.ts';
import { basics, before, clusterFacts, podFacts, SERVICES, wantedDual, wantedSingle } from '../../support/facts.ts';
import { fakeReader } from '../../support/fake-reader.ts';
import {
  KUBE_ROUTER_ARGS,
  KUBE_ROUTER_DUAL,
  kubeRouterFacts,
  type KubeRouterParts,
} from '../../support/kube-router-facts.ts';

/** What is seen of kube-router here was written down from its manifests and its source: none runs in these tests. */

function cluster(change: (node: NodeFacts, index: number) => Partial<NodeFacts> = () => ({})): ClusterFacts {
  const facts = clusterFacts({ dual: true });
  const nodes = facts.nodes.map((node, index) => ({
    ...node,
    podCIDRs: [...node.podCIDRs, `fd00:10:244:${index}::/64`],
    ...change(node, index),
  }));
  return { ...facts, nodes };
}

const steps = (parts: KubeRouterParts = {}, facts = cluster(), wanted = wantedDual()) =>
  kubeRouter.steps(wanted, facts, kubeRouterFacts(facts, parts));
const brief = (parts: KubeRouterParts = {}, facts = cluster(), wanted = wantedDual()) =>
  steps(parts, facts, wanted).map(({ state }) => state.is);

test('one flag more and one range more, by server-side apply of the whole list of arguments', () => {
  const [args, rollout] = steps();
  expect(args).toMatchObject({
    kind: 'ApplyObject',
    id: 'kube-router/args',
    phase: 'CNIAgents',
    ref: { kind: 'DaemonSet', namespace: 'kube-system', name: 'kube-router' },
    write: {
      is: 'Apply',
      body: { spec: { template: { spec: { containers: [{ name: 'kube-router', args: KUBE_ROUTER_DUAL }] } } } },
    },
    state: { is: 'Pending' },
  });
  expect(rollout?.state.is).toBe('Pending');
  expect(brief({ args: KUBE_ROUTER_DUAL })).toEqual(['Satisfied', 'Satisfied']);
});

const both = { IPv4: SERVICES.IPv4, IPv6: SERVICES.IPv6 };

test.each<[string, readonly string[], readonly string[]]>([
  ['nothing is given', [], ['--enable-ipv6=true', `--service-cluster-ip-range=${SERVICES.IPv4},${SERVICES.IPv6}`]],
  [
    'it is switched off where it stands',
    ['--enable-ipv6=false', '--v=1'],
    ['--enable-ipv6=true', '--v=1', `--service-cluster-ip-range=${SERVICES.IPv4},${SERVICES.IPv6}`],
  ],
  [
    'a range of its own for IPv4 stays',
    ['--service-cluster-ip-range=10.32.0.0/16', '--v=1'],
    [`--service-cluster-ip-range=10.32.0.0/16,${SERVICES.IPv6}`, '--v=1', '--enable-ipv6=true'],
  ],
  [
    'ranges flag by flag',
    ['--enable-ipv6', '--service-cluster-ip-range=10.32.0.0/16', '--service-cluster-ip-range=fd02::/112'],
    ['--enable-ipv6', '--service-cluster-ip-range=10.32.0.0/16', '--service-cluster-ip-range=fd02::/112'],
  ],
])('arguments: %s', (_name, args, expected) => {
  const edited = withIPv6(args, both);
  expect(edited).toEqual(expected);
  expect(isOn(edited, 'enable-ipv6')).toBe(true);
  expect(withIPv6(edited, both)).toEqual(edited);
  const off = withoutIPv6(edited);
  expect(isOn(off, 'enable-ipv6')).toBe(false);
  // Two ranges and one family keep kube-router from starting.
  expect(serviceRanges(off).filter((range) => range.includes(':'))).toEqual([]);
});

test('without a firewall it needs no range of Services', () => {
  const args = ['--run-firewall=false'];
  expect(steps({ args })[0]).toMatchObject({
    write: { body: { spec: { template: { spec: { containers: [{ args: [...args, '--enable-ipv6=true'] }] } } } } },
  });
});

test('it waits for an IPv6 address and an IPv6 podCIDR of every Node, without which kube-router ends', () => {
  const noAddress = cluster((_node, index) => (index === 1 ? { internalIPs: ['192.0.2.12'] } : {}));
  expect(steps({}, noAddress)[0]?.state).toMatchObject({ is: 'InProgress', why: expect.stringContaining('worker-1') });
  const noRange = cluster((node) => ({ podCIDRs: node.podCIDRs.slice(0, 1) }));
  const replace = wantedDual({ nodes: { podCIDRs: 'Replace' } });
  expect(steps({}, noRange, replace)[0]?.state).toMatchObject({ is: 'InProgress' });
  expect(steps({}, noRange)[0]?.state.is).toBe('Pending');
  const plugins = registry.bind({
    ...noRange,
    cni: { name: 'KubeRouter', detectedBy: '', own: kubeRouterFacts(noRange) },
  });
  expect(checkPodCIDRs(wantedDual(), noRange, plugins, [])).toMatchObject([{ reason: 'PodCIDRsMissing' }]);
});

const pods = (change: (index: number) => Partial<PodFacts>) =>
  cluster().nodes.map((node, index) =>
    podFacts({ name: `kube-router-${node.name}`, node: node.name, hash: 'rev-2', ...change(index) }),
  );
const rolling = (change: (index: number) => Partial<PodFacts>): KubeRouterParts => ({
  args: KUBE_ROUTER_DUAL,
  workload: { newestHash: 'rev-2', pods: pods(change) },
});

test('the roll-out is done when every pod is of the newest template and ready', () => {
  expect(brief(rolling((index) => (index === 0 ? { hash: 'rev-1' } : {})))).toEqual(['Satisfied', 'InProgress']);
  expect(brief(rolling(() => ({})))).toEqual(['Satisfied', 'Satisfied']);
});

test('where the DaemonSet does not go on by itself, its pods are replaced one by one', () => {
  const { workload, ...parts } = rolling(() => ({ hash: 'rev-1' }));
  expect(steps({ ...parts, workload: { ...workload, strategy: 'OnDelete' } })[1]).toMatchObject({
    state: { is: 'Pending' },
    next: { is: 'DeletePods', pods: [{ name: 'kube-router-cp-1' }] },
  });
});

test('pods that are older than their Node, and so than its podCIDRs, are replaced one by one, when the others are there', () => {
  const replaced = cluster((_node, index) => (index === 0 ? {} : { createdAt: before(600) }));
  const [args, rollout] = steps(
    rolling(() => ({})),
    replaced,
  );
  expect(args?.state.is).toBe('Satisfied');
  expect(rollout).toMatchObject({
    state: { is: 'Pending' },
    next: { is: 'DeletePods', pods: [{ name: 'kube-router-worker-1' }] },
  });
  expect(
    proofs(
      rolling(() => ({})),
      replaced,
    ).nodes,
  ).toEqual(['Proven', 'Pending', 'Pending']);
  const renewed = rolling((index) => (index === 1 ? { startedAt: before(300), ready: false } : {}));
  expect(steps(renewed, replaced)[1]).toMatchObject({ state: { is: 'InProgress' }, next: { pods: [] } });
  const oneFamily = cluster((node) => ({ createdAt: before(600), podCIDRs: node.podCIDRs.slice(0, 1) }));
  expect(
    brief(
      rolling(() => ({})),
      oneFamily,
    ),
  ).toEqual(['Satisfied', 'Satisfied']);
});

test('one that crashes is told with its node', () => {
  const crash = { ready: false, waiting: 'CrashLoopBackOff', startedAt: before(300) };
  const parts = rolling((index) => (index === 0 ? crash : {}));
  expect(steps(parts)[1]?.state).toMatchObject({ is: 'Failed', why: expect.stringContaining('cp-1') });
});

const proofs = (parts: KubeRouterParts, facts = cluster()) => {
  const read = kubeRouter.nodeProofs?.(wantedDual(), facts, kubeRouterFacts(facts, parts));
  if (read?.known !== true) throw new Error('proofs are always known here');
  return { inForce: read.value.inForce, nodes: Object.values(read.value.nodes).map(({ is }) => is) };
};

test('what it shows of single nodes: that it stays up with both families', () => {
  expect(proofs({})).toEqual({ inForce: false, nodes: ['Pending', 'Pending', 'Pending'] });
  const crash = { ready: false, waiting: 'CrashLoopBackOff' };
  const changes: readonly Partial<PodFacts>[] = [{}, { startedAt: before(5) }, crash];
  const parts = rolling((index) => changes[index] ?? {});
  expect(proofs(parts)).toEqual({ inForce: true, nodes: ['Proven', 'Pending', 'Failing'] });
  const noAddress = cluster((_node, index) => (index === 2 ? { internalIPs: ['192.0.2.13'] } : {}));
  expect(proofs(parts, noAddress).nodes).toEqual(['Proven', 'Pending', 'LostPrimary']);
});

test('the way back gives it its first arguments again; what somebody else changed meanwhile stays', () => {
  const facts = cluster();
  const restore: Record<string, Json> = {};
  for (const { key, value } of kubeRouter.records(facts, kubeRouterFacts(facts))) restore[key] = value;
  const argsOf = (args: readonly string[]) => {
    const write = steps({ args }, facts, wantedSingle({ restore }))[0];
    if (write?.kind !== 'ApplyObject' || write.write.is !== 'Apply') throw new Error('an apply was expected');
    return JSON.stringify(write.write.body);
  };
  expect(argsOf(KUBE_ROUTER_DUAL)).toContain(JSON.stringify(KUBE_ROUTER_ARGS));
  expect(argsOf([...KUBE_ROUTER_DUAL, '--v=3'])).toContain(
    JSON.stringify([...KUBE_ROUTER_ARGS, '--enable-ipv6=false', '--v=3']),
  );
  expect(brief({}, facts, wantedSingle({ restore }))).toEqual(['Satisfied', 'Satisfied']);
  expect(kubeRouter.check(wantedSingle(), facts, kubeRouterFacts(facts))).toMatchObject([
    { reason: 'Unmanaged', blocks: [], remedy: expect.stringContaining('10-kuberouter.conflist') },
  ]);
});

const K0S = { text: 'label k0s.k0sproject.io/stack: kuberouter', watches: true };
/** As k0s makes them with dual-stack on. */
const OF_K0S = [
  '--bgp-graceful-restart=true',
  '--enable-ipv4=true',
  '--enable-ipv6=true',
  `--service-cluster-ip-range=${SERVICES.IPv4}`,
];

test('what k0s has switched on is as wanted, though it gives no IPv6 range of Services; and it is never changed', () => {
  const [args] = steps({ owner: K0S, args: OF_K0S });
  expect(args).toMatchObject({ id: 'kube-router/args', state: { is: 'Satisfied' }, diff: [] });
  const [told] = kubeRouter.check(wantedDual(), cluster(), kubeRouterFacts(cluster(), { owner: K0S, args: OF_K0S }));
  expect(told?.remedy).toContain(
    `spec.network.kuberouter.extraArgs.service-cluster-ip-range: ${SERVICES.IPv4},${SERVICES.IPv6}`,
  );
});

test.each<[string, KubeRouterParts, readonly unknown[]]>([
  ['nothing to say', {}, []],
  ['nothing once it is converted', { args: KUBE_ROUTER_DUAL }, []],
  ['1.6 is too old', { image: 'docker.io/cloudnativelabs/kube-router:v1.6.0' }, [['UnsupportedVersion', true]]],
  ['the newest, whatever that is', { image: 'docker.io/cloudnativelabs/kube-router' }, [['UnknownVersion', false]]],
  [
    'beside another network',
    { args: ['--run-router=false', '--bgp-graceful-restart'] },
    [['CNIConfigUnsupported', true]],
  ],
  ['a CNI of its own', { args: ['--enable-cni=false', '--bgp-graceful-restart'] }, [['CNIConfigUnsupported', true]]],
  ['flags in the command', { flagsInCommand: true }, [['CNIConfigUnsupported', true]]],
  ['routes go with each restart', { args: [] }, [['TrafficInterrupted', false]]],
  [
    'another IPv6 range of Services',
    { args: ['--bgp-graceful-restart', `--service-cluster-ip-range=${SERVICES.IPv4},fd09::/112`] },
    [['ServiceCIDRMismatch', true]],
  ],
  [
    'private addresses without NAT',
    { args: ['--bgp-graceful-restart', '--enable-pod-egress=false'] },
    [['EgressNAT', false]],
  ],
  ['k0s', { owner: K0S }, [['AnotherOwner', true]]],
  [
    'k0s, once it has done it, which leaves the IPv6 range out',
    { owner: K0S, args: OF_K0S },
    [['AnotherOwner', false]],
  ],
  ['k0s, told that range too', { owner: K0S, args: KUBE_ROUTER_DUAL }, []],
  ['GitOps', { owner: { text: 'label argocd.argoproj.io/instance: x', watches: true } }, [['AnotherOwner', true]]],
  ['Helm', { owner: { text: 'label app.kubernetes.io/managed-by: Helm', watches: false } }, [['AnotherOwner', false]]],
])('findings: %s', (_name, parts, expected) => {
  const found = kubeRouter.check(wantedDual(), cluster(), kubeRouterFacts(cluster(), parts));
  expect(found.map(({ reason, blocks }) => [reason, blocks.length > 0])).toEqual(expected);
});

test('beside another network, or with flags that cannot be told, nothing is planned', () => {
  for (const parts of [{ args: ['--run-router=false'] }, { args: ['--enable-cni=false'] }, { flagsInCommand: true }]) {
    expect(steps(parts)).toEqual([]);
  }
});

test('missing and unreadable are told apart, and block; adding IPv4 is refused', () => {
  const reasons = [known(null), unknown('forbidden')].map((own) => kubeRouter.check(wantedDual(), cluster(), own));
  expect(reasons).toMatchObject([[{ reason: 'CNIConfigUnsupported' }], [{ reason: 'ComponentUnreadable' }]]);
  const reversed = wantedDual({ families: ['IPv6', 'IPv4'] });
  expect(kubeRouter.check(reversed, cluster(), kubeRouterFacts(cluster()))[0]?.reason).toBe('OptionNotCarriedOut');
  expect(steps({}, cluster(), reversed)).toEqual([]);
});

const daemonSet = (container: Readonly<Record<string, unknown>>): KubeObject => ({
  apiVersion: 'apps/v1',
  kind: 'DaemonSet',
  metadata: {
    name: 'kube-router',
    namespace: 'kube-system',
    uid: 'ds',
    generation: 1,
    labels: { 'k0s.k0sproject.io/stack': 'kuberouter' },
  },
  spec: {
    selector: { matchLabels: { 'k8s-app': 'kube-router' } },
    template: { spec: { containers: [{ name: 'kube-router', image: 'x/kube-router:v2.6.3', ...container }] } },
  },
});

test('it is recognised by its DaemonSet, and read', async () => {
  const seen = basics({ nodes: [] });
  const facts = { ...seen, objects: { ...seen.objects, DaemonSet: ['kube-system/kube-router'] } };
  expect(kubeRouter.detect(facts)).toBe('DaemonSet kube-system/kube-router');
  expect(kubeRouter.detect(seen)).toBeNull();
  expect(await kubeRouter.observe(fakeReader([daemonSet({ args: KUBE_ROUTER_ARGS })]), facts)).toMatchObject({
    value: { container: 'kube-router', args: KUBE_ROUTER_ARGS, flagsInCommand: false, owner: K0S },
  });
  expect(
    await kubeRouter.observe(fakeReader([daemonSet({ command: ['/usr/local/bin/kube-router', '--v=1'] })]), facts),
  ).toMatchObject({ value: { args: [], flagsInCommand: true } });
});
