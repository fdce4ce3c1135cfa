import { expect, test } from '@jest/globals';
import { canal } from '../../../src/cni/canal/index.ts';
import { assignsIPv6, readNetworkConfig, withIPv6, withoutIPv6 } from '../../../src/cni/canal/network-config.ts';
import { known, unknown } from '../../../src/model/reader.ts';
import { basics, PODS, wantedDual, wantedSingle } from '../../support/facts.ts';
import {
  CANAL_DUAL_NET_CONF,
  CANAL_DUAL_NETWORK,
  CANAL_NET_CONF,
  CANAL_NETWORK,
  canalFacts,
  type CanalParts,
} from '../../support/canal-facts.ts';
import { fakeReader } from '../../support/fake-reader.ts';
import { flannelCluster } from '../../support/flannel-facts.ts';
import { manifestObjects } from '../../support/real-manifests.ts';
import { testWith } from '../../support/with-manifests.ts';

const reasons = (parts: CanalParts = {}, wanted = wantedDual(), cluster = flannelCluster()) =>
  canal.check(wanted, cluster, canalFacts(cluster, parts)).map(({ reason, blocks }) => [reason, blocks.length > 0]);

const backend = (type: string): CanalParts => ({ config: { flannel: CANAL_NET_CONF.replace('vxlan', type) } });
const images = (change: { readonly felix?: string; readonly flannel?: string }): CanalParts => ({
  agent: { images: change },
});

test.each<[string, CanalParts, readonly unknown[]]>([
  ['nothing for a stock installation', {}, []],
  ['nothing once it is converted', { config: { flannel: CANAL_DUAL_NET_CONF, network: CANAL_DUAL_NETWORK } }, []],
  ['nothing for host-gw', backend('host-gw'), []],
  ['udp carries one family', backend('udp'), [['CNIConfigUnsupported', true]]],
  ['wireguard is cut for a while', backend('wireguard'), [['TrafficInterrupted', false]]],
  ['Calico 3.21 is too old', images({ felix: 'docker.io/calico/node:v3.21.6' }), [['UnsupportedVersion', true]]],
  ['flannel 0.14 is too old', images({ flannel: 'quay.io/coreos/flannel:v0.14.0' }), [['UnsupportedVersion', true]]],
  ['no version', images({ felix: 'registry.example:5000/node' }), [['UnknownVersion', false]]],
  ['no net-conf.json', { config: { flannel: null } }, [['CNIConfigUnsupported', true]]],
  ['no network configuration', { config: { network: null } }, [['CNIConfigUnsupported', true]]],
  [
    'addresses from pools of Calico',
    { config: { network: CANAL_NETWORK.replace('host-local', 'calico-ipam') } },
    [['CNIConfigUnsupported', true]],
  ],
  [
    'a subnet of its own',
    { config: { network: CANAL_NETWORK.replace('usePodCidr', '10.9.0.0/24') } },
    [['CNIConfigUnsupported', true]],
  ],
  [
    'an IPv6 network of its own',
    { config: { flannel: CANAL_DUAL_NET_CONF.replace('fd00:10:244', 'fd09') } },
    [['PoolConflict', true]],
  ],
  ['private addresses without NAT', { agent: { flags: { 'ip-masq': ['false'] } } }, [['EgressNAT', false]]],
  ['another source', { agent: { readsConfig: false } }, [['CNIConfigUnsupported', true]]],
  ['etcd', { agent: { flags: { 'kube-subnet-mgr': ['false'] } } }, [['CNIConfigUnsupported', true]]],
  [
    'an env from elsewhere',
    { agent: { env: { FELIX_IPV6SUPPORT: { is: 'From', source: '{}' } } } },
    [['CNIConfigUnsupported', true]],
  ],
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
])('%s', (_name, parts, expected) => expect(reasons(parts)).toEqual(expected));

test('a node that is away holds the roll-outs up', () => {
  const cluster = flannelCluster();
  const nodes = cluster.nodes.map((node) => (node.name === 'worker-2' ? { ...node, ready: false } : node));
  expect(reasons({}, wantedDual(), { ...cluster, nodes })).toEqual([['NodesNotReady', true]]);
});

test('adding IPv4 is refused, and one family is nothing to speak of', () => {
  const cluster = flannelCluster();
  const reversed = wantedDual({ families: ['IPv6', 'IPv4'] });
  expect(reasons({}, reversed)).toEqual([['OptionNotCarriedOut', true]]);
  expect(canal.steps(reversed, cluster, canalFacts(cluster))).toEqual([]);
  expect(reasons({ agent: { readsConfig: false } }, wantedDual({ families: ['IPv4'] }))).toEqual([]);
  expect(reasons({ agent: { readsConfig: false } }, wantedSingle())).toEqual([]);
});

test('what is missing or unreadable keeps the phases closed, and nothing is planned', () => {
  const cluster = flannelCluster();
  const own = { config: unknown('forbidden'), agent: known(null) };
  expect(canal.check(wantedDual(), cluster, own).map(({ reason }) => reason)).toEqual([
    'ComponentUnreadable',
    'CNIConfigUnsupported',
  ]);
  expect(canal.steps(wantedDual(), cluster, own)).toEqual([]);
  expect(canal.records(cluster, own)).toEqual([]);
});

const ipam = (section: string): string => `{"plugins": [{"type": "calico", "ipam": ${section}}, {"type": "portmap"}]}`;
const RANGES = '"ranges": [[{"subnet": "usePodCidr"}], [{"subnet": "usePodCidrIPv6"}]]';

test.each([
  ['the manifest', CANAL_NETWORK, CANAL_DUAL_NETWORK],
  ['on one line', ipam('{"type":"host-local","subnet":"usePodCidr"}'), ipam(`{"type":"host-local",${RANGES}}`)],
  [
    'with ranges already',
    ipam('{"type": "host-local", "ranges": [[{"subnet": "UsePodCIDR"}]]}'),
    ipam('{"type": "host-local", "ranges": [[{"subnet": "UsePodCIDR"}], [{"subnet": "usePodCidrIPv6"}]]}'),
  ],
  ['with both already', ipam(`{"type": "host-local", ${RANGES}}`), ipam(`{"type": "host-local", ${RANGES}}`)],
])('the second range is added, and no other byte changed: %s', (_name, text, expected) => {
  const edited = withIPv6(text);
  expect(edited).toEqual({ ok: true, value: expected });
  const read = readNetworkConfig(expected);
  expect(read.ok && assignsIPv6(read.value) && read.value.subnets.length === 2).toBe(true);
  const removed = withoutIPv6(expected);
  const left = readNetworkConfig(removed.ok ? removed.value : '');
  expect(left.ok && !assignsIPv6(left.value) && left.value.subnets.length === 1).toBe(true);
});

test.each([
  ['no subnet', ipam('{"type": "host-local"}')],
  ['two ranges', ipam('{"type": "host-local", "ranges": [[{"subnet": "usePodCidr"}], [{"subnet": "10.9.0.0/24"}]]}')],
  ['no Calico', '{"type": "flannel"}'],
  ['no JSON', '{'],
])('what is not understood is not edited: %s', (_name, text) => expect(withIPv6(text).ok).toBe(false));

const RELEASED = 'calico-v3.31.7/canal.yaml';
testWith(RELEASED)('the real manifest is recognised and read', async () => {
  const seen = basics({ nodes: [] });
  const facts = { ...seen, objects: { ...seen.objects, DaemonSet: ['kube-system/canal'] } };
  expect(canal.detect(facts)).toBe('DaemonSet kube-system/canal');
  expect(canal.detect(seen)).toBeNull();
  const own = await canal.observe(fakeReader(manifestObjects(RELEASED)), facts);
  expect(own).toMatchObject({
    agent: {
      value: {
        images: { felix: 'quay.io/calico/node:v3.31.7', flannel: 'docker.io/flannel/flannel:v0.24.4' },
        env: { FELIX_IPV6SUPPORT: { is: 'Value', value: 'false' } },
        flags: { 'ip-masq': ['true'], 'kube-subnet-mgr': ['true'] },
        readsConfig: true,
        owner: null,
      },
    },
  });
  expect(canal.podCIDRs(own)).toEqual([PODS.IPv4]);
  const text = own.config.known ? (own.config.value?.network ?? '') : '';
  expect(withIPv6(text)).toMatchObject({ ok: true, value: expect.stringContaining(RANGES) });
  expect(canal.check(wantedDual(), flannelCluster({ nodes: [] }), own)).toEqual([]);
});
