import { expect, test } from '@jest/globals';
import { flannel } from '../../../src/cni/flannel/index.ts';
import type { ClusterFacts } from '../../../src/model/facts.ts';
import type { HostReport } from '../../../src/model/host.ts';
import type { KubeObject } from '../../../src/model/object.ts';
import { unknown } from '../../../src/model/reader.ts';
import { basics, type Deep, merge, wantedDual, wantedSingle } from '../../support/facts.ts';
import { fakeReader } from '../../support/fake-reader.ts';
import {
  DUAL_NET_CONF,
  flannelCluster,
  flannelFacts,
  type FlannelParts,
  NET_CONF,
  netConf,
} from '../../support/flannel-facts.ts';

const reasons = (parts: FlannelParts = {}, cluster = flannelCluster(), wanted = wantedDual()) =>
  flannel.check(wanted, cluster, flannelFacts(cluster, parts)).map(({ reason, blocks }) => [reason, blocks.length > 0]);

const image = (text: string): FlannelParts => ({ agent: { image: text } });

test.each<[string, FlannelParts, readonly unknown[]]>([
  ['nothing for a stock installation', {}, []],
  ['nothing for host-gw', { config: { text: netConf('host-gw') } }, []],
  ['udp carries one family', { config: { text: netConf('udp') } }, [['CNIConfigUnsupported', true]]],
  ['extension carries one family', { config: { text: netConf('extension') } }, [['CNIConfigUnsupported', true]]],
  ['wireguard is cut for a while', { config: { text: netConf('wireguard') } }, [['TrafficInterrupted', false]]],
  ['0.14 is too old', image('quay.io/coreos/flannel:v0.14.0'), [['UnsupportedVersion', true]]],
  ['0.15 is enough', image('quay.io/coreos/flannel:v0.15.0-amd64'), []],
  ['a port is no tag', image('registry.example:5000/flannel'), [['UnknownVersion', false]]],
  ['a digest behind the tag', image('registry.example:5000/flannel:v0.28.4@sha256:aa'), []],
  ['no configuration', { config: { text: null } }, [['CNIConfigUnsupported', true]]],
  ['broken configuration', { config: { text: '{' } }, [['CNIConfigUnsupported', true]]],
  [
    'an IPv6 network of its own',
    { config: { text: DUAL_NET_CONF.replace('fd00:10:244', 'fd09') } },
    [['PoolConflict', true]],
  ],
  [
    'a network that is switched off is none',
    { config: { text: DUAL_NET_CONF.replace('true', 'false').replace('fd00:10:244', 'fd09') } },
    [],
  ],
  ['etcd', { agent: { flags: { 'kube-subnet-mgr': ['false'] } } }, [['CNIConfigUnsupported', true]]],
  ['another source', { agent: { readsConfig: false } }, [['CNIConfigUnsupported', true]]],
  [
    'Argo CD',
    { agent: { owner: { text: 'label argocd.argoproj.io/instance: net', watches: true } } },
    [['AnotherOwner', true]],
  ],
  [
    'Helm',
    { agent: { owner: { text: 'label app.kubernetes.io/managed-by: Helm', watches: false } } },
    [['AnotherOwner', false]],
  ],
  [
    'private addresses without NAT',
    { agent: { flags: { 'ip-masq': ['false'], 'kube-subnet-mgr': ['true'] } } },
    [['EgressNAT', false]],
  ],
  ['two flannels', { others: ['kube-system'] }, [['CNIConfigUnsupported', true]]],
])('%s', (_name, parts, expected) => expect(reasons(parts)).toEqual(expected));

/** The first node of a cluster, with another report of its host. */
function host(report: Deep<HostReport>) {
  const cluster = flannelCluster();
  const [first, ...rest] = cluster.nodes;
  const nodes = [{ ...first!, agent: merge(first!.agent!, { report }) }, ...rest];
  return { ...cluster, nodes };
}

type Routes = HostReport['network']['defaultRoutes'];
const on = (name: string) => ({ interface: name, learned: false });

/** The first node of a cluster, with these default routes. */
function withRoutes(defaultRoutes: Routes): ClusterFacts {
  const cluster = host({});
  const [first, ...rest] = cluster.nodes;
  const agent = first!.agent!;
  const report = { ...agent.report!, network: { ...agent.report!.network, defaultRoutes } };
  return { ...cluster, nodes: [{ ...first!, agent: { ...agent, report } }, ...rest] };
}

test.each<[string, Routes, Readonly<Record<string, readonly string[]>>, readonly unknown[]]>([
  ['both over one interface', { IPv4: on('eth0'), IPv6: on('eth0') }, {}, []],
  ['none of IPv6', { IPv4: on('eth0') }, {}, [['DefaultRouteMissing', true]]],
  ['over two interfaces', { IPv4: on('eth0'), IPv6: on('eth1') }, {}, [['DefaultRouteMissing', true]]],
  ['over two interfaces, and one is named', { IPv4: on('eth0'), IPv6: on('eth1') }, { iface: ['eth0'] }, []],
  ['a pattern is not judged', { IPv4: on('eth0') }, { 'iface-regex': ['eth.*'] }, []],
])('default routes of a host: %s', (_name, routes, flags, expected) => {
  expect(reasons({ agent: { flags } }, withRoutes(routes))).toEqual(expected);
});

test('an interface that is named must have an address of both families', () => {
  const cluster = host({});
  const report = cluster.nodes[0]!.agent!.report!;
  const only4 = report.addresses.filter(({ address }) => !address.includes(':'));
  const named = { agent: { flags: { iface: ['eth0'] } } } as const;
  expect(reasons(named, host({ addresses: only4 }))).toEqual([['DefaultRouteMissing', true]]);
  expect(reasons(named, cluster)).toEqual([]);
});

test('a node that is away holds the roll-outs up', () => {
  const cluster = flannelCluster();
  const nodes = cluster.nodes.map((node) => (node.name === 'worker-2' ? { ...node, ready: false } : node));
  const findings = flannel.check(wantedDual(), { ...cluster, nodes }, flannelFacts(cluster));
  expect(findings).toMatchObject([
    { reason: 'NodesNotReady', blocks: ['CNIAgents'], message: expect.stringContaining('worker-2') },
  ]);
});

test('what is missing or unreadable keeps the phases closed, and nothing is planned', () => {
  const cluster = flannelCluster();
  const own = { ...flannelFacts(cluster), config: unknown('forbidden'), agent: { known: true, value: null } as const };
  expect(flannel.check(wantedDual(), cluster, own).map(({ reason }) => reason)).toEqual([
    'ComponentUnreadable',
    'CNIConfigUnsupported',
  ]);
  expect(flannel.steps(wantedDual(), cluster, own)).toEqual([]);
  expect(flannel.records(cluster, own)).toEqual([]);
});

test('one family is asked for: it has nothing to say or to do, and the way back minds only who else owns it', () => {
  const cluster = flannelCluster();
  const old = image('quay.io/coreos/flannel:v0.14.0');
  expect(reasons(old, cluster, wantedSingle())).toEqual([]);
  expect(flannel.steps({ ...wantedDual(), families: ['IPv4'] }, cluster, flannelFacts(cluster))).toEqual([]);
});

const configMap = (namespace: string, managedFields: readonly { time: string }[] = []): KubeObject => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name: 'kube-flannel-cfg', namespace, creationTimestamp: '2026-11-01T10:00:00Z', managedFields },
  data: { 'net-conf.json': NET_CONF, 'cni-conf.json': '{}' },
});

const daemonSet = (namespace: string, container: object): KubeObject => ({
  apiVersion: 'apps/v1',
  kind: 'DaemonSet',
  metadata: { name: 'kube-flannel-ds', namespace, uid: 'ds', generation: 1 },
  spec: {
    selector: { matchLabels: { app: 'flannel' } },
    template: {
      spec: {
        containers: [{ name: 'kube-flannel', image: 'ghcr.io/flannel-io/flannel:v0.28.4', ...container }],
        volumes: [{ name: 'flannel-cfg', configMap: { name: 'kube-flannel-cfg' } }],
      },
    },
  },
});

const stock = { command: ['/opt/bin/flanneld'], args: ['--ip-masq', '--kube-subnet-mgr'] };

async function look(objects: readonly KubeObject[]) {
  const names = objects
    .filter(({ kind }) => kind === 'DaemonSet')
    .map(({ metadata }) => `${metadata.namespace}/${metadata.name}`);
  const seen = basics({ nodes: [] });
  const facts = { ...seen, objects: { ...seen.objects, DaemonSet: names } };
  return { own: await flannel.observe(fakeReader(objects), facts), detected: flannel.detect(facts) };
}

test.each(['kube-flannel', 'kube-system'])('it is recognised in %s', async (namespace) => {
  const { own, detected } = await look([configMap(namespace), daemonSet(namespace, stock)]);
  expect(detected).toBe(`DaemonSet ${namespace}/kube-flannel-ds`);
  expect(own).toMatchObject({
    namespace,
    others: [],
    config: { value: { text: NET_CONF } },
    agent: { value: { flags: { 'ip-masq': ['true'], 'kube-subnet-mgr': ['true'] }, readsConfig: true, owner: null } },
  });
  expect(flannel.podCIDRs(own)).toEqual(['10.244.0.0/16']);
});

test('two of them: the newer place counts, the other is told', async () => {
  const both = ['kube-system', 'kube-flannel'].flatMap((each) => [configMap(each), daemonSet(each, stock)]);
  expect((await look(both)).own).toMatchObject({ namespace: 'kube-flannel', others: ['kube-system'] });
});

test('others are not', async () => {
  expect((await look([])).detected).toBeNull();
  expect(
    (await look([{ ...daemonSet('kube-system', stock), metadata: { name: 'canal', namespace: 'kube-system' } }]))
      .detected,
  ).toBeNull();
});

const configOf = async (fields: readonly { time: string }[]) =>
  (await look([configMap('kube-flannel', fields), daemonSet('kube-flannel', stock)])).own.config;

test('whether anybody has changed the configuration since it was made', async () => {
  const made = [{ time: '2026-11-01T10:00:00Z' }];
  const changed = [...made, { time: '2026-11-01T11:00:00Z' }];
  expect(await configOf(made)).toMatchObject({ value: { untouched: true } });
  expect(await configOf(changed)).toMatchObject({ value: { untouched: false, changedAt: '2026-11-01T11:00:00Z' } });
  expect(await configOf([])).toMatchObject({ value: { untouched: false } });
});

test('flags are read in each way that flanneld takes them; a variable counts where the flag is not given', async () => {
  const container = {
    command: ['/opt/bin/flanneld', '-iface', 'eth1', '--iface=eth2'],
    args: ['--kube-subnet-mgr=true', '--kube-annotation-prefix=net.example/x'],
    env: [
      { name: 'FLANNELD_IP_MASQ', value: 'true' },
      { name: 'FLANNELD_IFACE', value: 'eth9' },
      { name: 'POD_NAME', valueFrom: {} },
    ],
  };
  const { own } = await look([configMap('kube-flannel'), daemonSet('kube-flannel', container)]);
  expect(own.agent).toMatchObject({
    value: {
      flags: {
        iface: ['eth1', 'eth2'],
        'kube-subnet-mgr': ['true'],
        'ip-masq': ['true'],
        'kube-annotation-prefix': ['net.example/x'],
      },
    },
  });
});
