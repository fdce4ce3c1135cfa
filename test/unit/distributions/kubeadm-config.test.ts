import { expect, test } from '@jest/globals';
import { readClusterConfig } from '../../../src/distributions/kubeadm/cluster-config.ts';
import { wantedClusterConfig } from '../../../src/distributions/kubeadm/kubeadm-config.ts';
import { wantedProxyConfig } from '../../../src/distributions/kubeadm/proxy.ts';
import type { Wanted } from '../../../src/model/wanted.ts';
import { KCM_SINGLE, nodeFacts, PODS, wantedDual, wantedSingle } from '../../support/facts.ts';
import { clusterConfigText, kubeadmCluster, kubeadmFacts, mirrorPods, proxyConfigText } from '../../support/kubeadm.ts';

const { own } = kubeadmCluster();
const edit = (wanted: Wanted, text: string, facts = own): string => {
  const result = wantedClusterConfig(wanted, facts, text);
  if (!result.ok) throw new Error(result.error);
  return result.value;
};
const narrow = wantedDual({ nodeMask: { IPv6: 60 } });

test('only the two subnets change where masks are the defaults', () => {
  expect(edit(wantedDual(), clusterConfigText())).toBe(clusterConfigText({ dual: true }));
});

test('a text that says it already is left alone', () => {
  const text = clusterConfigText({ dual: true });
  expect(edit(wantedDual(), text)).toBe(text);
});

test.each([
  ['braces', ' {}', '\n  extraArgs:\n  - name: node-cidr-mask-size-ipv6\n    value: "60"'],
  [
    'another flag',
    '\n  extraArgs:\n  - name: v\n    value: "2"',
    '\n  extraArgs:\n  - name: node-cidr-mask-size-ipv6\n    value: "60"\n  - name: v\n    value: "2"',
  ],
  [
    'another mask',
    '\n  extraArgs:\n  - name: node-cidr-mask-size-ipv6\n    value: "80"',
    '\n  extraArgs:\n  - name: node-cidr-mask-size-ipv6\n    value: "60"',
  ],
  [
    'the flag twice, of which the last counts',
    '\n  extraArgs:\n  - name: node-cidr-mask-size-ipv6\n    value: "70"\n  - name: node-cidr-mask-size-ipv6\n    value: "80"',
    '\n  extraArgs:\n  - name: node-cidr-mask-size-ipv6\n    value: "60"\n  - name: node-cidr-mask-size-ipv6\n    value: "60"',
  ],
  [
    'the flag of before',
    '\n  extraArgs:\n  - name: node-cidr-mask-size\n    value: "24"',
    '\n  extraArgs:\n  - name: node-cidr-mask-size-ipv6\n    value: "60"\n  - name: node-cidr-mask-size-ipv4\n    value: "24"',
  ],
])('a mask that is not the default is kept for upgrades: %s', (_, before, after) => {
  expect(edit(narrow, clusterConfigText({ args: before }))).toBe(clusterConfigText({ dual: true, args: after }));
});

const old = (text: string): string => text.replace('v1beta4', 'v1beta3');

test('up to v1beta3 extra arguments are a map', () => {
  expect(edit(narrow, old(clusterConfigText()))).toBe(
    old(clusterConfigText({ dual: true, args: '\n  extraArgs:\n    node-cidr-mask-size-ipv6: "60"' })),
  );
  expect(edit(narrow, old(clusterConfigText({ args: '\n  extraArgs:\n    node-cidr-mask-size: "24"' })))).toBe(
    old(
      clusterConfigText({
        dual: true,
        args: '\n  extraArgs:\n    node-cidr-mask-size-ipv6: "60"\n    node-cidr-mask-size-ipv4: "24"',
      }),
    ),
  );
});

test('extra arguments that would beat the subnets follow', () => {
  const args =
    '\n  extraArgs:\n  - name: cluster-cidr\n    value: 10.244.0.0/16\n  - name: service-cluster-ip-range\n    value: 10.96.0.0/16';
  const config = readClusterConfig(edit(wantedDual(), clusterConfigText({ args })));
  expect(config?.extraArgs.controllerManager).toEqual([
    { name: 'cluster-cidr', value: '10.244.0.0/16,fd00:10:244::/56' },
    { name: 'service-cluster-ip-range', value: '10.96.0.0/16,fd00:10:96::/112' },
  ]);
});

test('without a podSubnet none is written: it would turn Node IPAM on at the next upgrade', () => {
  const text = clusterConfigText().replace(/ {2}podSubnet: .*\n/, '');
  expect(edit(wantedDual(), text)).toBe(clusterConfigText({ dual: true }).replace(/ {2}podSubnet: .*\n/, ''));
});

test('the live spelling of the primary stays', () => {
  const text = clusterConfigText().replace('10.96.0.0/16', '10.96.3.4/16');
  expect(readClusterConfig(edit(wantedDual(), text))?.serviceSubnet).toBe('10.96.3.4/16,fd00:10:96::/112');
});

test.each([
  ['not YAML', 'apiServer: ['],
  ['another kind', 'kind: InitConfiguration\n'],
  [
    'subnets by reference',
    clusterConfigText()
      .replace('certificatesDir: /etc', 'x: &p 10.244.0.0/16\ncertificatesDir: /etc')
      .replace('podSubnet: 10.244.0.0/16', 'podSubnet: *p'),
  ],
])('what cannot be edited safely is told: %s', (_, text) => {
  expect(wantedClusterConfig(wantedDual(), own, text).ok).toBe(false);
});

const CONFIG_KEY = 'ConfigMap/kube-system/kubeadm-config';
const legacy = '\n  extraArgs:\n  - name: node-cidr-mask-size\n    value: "24"';

test('back: the recorded text returns byte for byte', () => {
  const first = `# mine\n${clusterConfigText({ args: legacy })}`;
  const dual = edit(narrow, first);
  expect(dual).not.toBe(first);
  expect(edit(wantedSingle({ restore: { [CONFIG_KEY]: { ClusterConfiguration: first } } }), dual)).toBe(first);
});

test('back after an upgrade: what the upgrade wrote stays', () => {
  const upgraded = clusterConfigText({ dual: true }).replace('v1.36.3', 'v1.36.4');
  const back = edit(
    wantedSingle({ restore: { [CONFIG_KEY]: { ClusterConfiguration: clusterConfigText() } } }),
    upgraded,
  );
  expect(back).toBe(clusterConfigText().replace('v1.36.3', 'v1.36.4'));
});

test('back without a record: one family, and no mask of the other', () => {
  const args =
    '\n  extraArgs:\n  - name: node-cidr-mask-size-ipv4\n    value: "25"\n  - name: node-cidr-mask-size-ipv6\n    value: "60"';
  expect(edit(wantedSingle(), clusterConfigText({ dual: true, args }))).toBe(
    clusterConfigText({ args: '\n  extraArgs:\n  - name: node-cidr-mask-size-ipv4\n    value: "25"' }),
  );
});

test('without Node IPAM no masks are written', () => {
  const { 'allocate-node-cidrs': _, ...args } = KCM_SINGLE;
  const cp = nodeFacts(1, { controlPlane: true }, {}, {});
  const mirrors = mirrorPods(cp, false).map((pod) =>
    pod.component === 'kube-controller-manager' ? { ...pod, flags: args } : pod,
  );
  const facts = kubeadmFacts([{ ...cp, agent: null }], { mirrors });
  expect(edit(narrow, clusterConfigText(), facts)).toBe(clusterConfigText({ dual: true }));
});

const proxy = (wanted: Wanted, text: string): string => {
  const result = wantedProxyConfig(wanted, text);
  if (!result.ok) throw new Error(result.error);
  return result.value;
};
const DUAL = '10.244.0.0/16,fd00:10:244::/56';

test.each([
  ['one family', '10.244.0.0/16', DUAL],
  ['empty: kube-proxy then tells local traffic in neither family', '""', `"${DUAL}"`],
  ['both already', DUAL, DUAL],
  ['both, spelt long', '10.244.0.0/16,fd00:10:244:0::/56', '10.244.0.0/16,fd00:10:244:0::/56'],
])('clusterCIDR of kube-proxy: %s', (_, before, after) => {
  expect(proxy(wantedDual(), proxyConfigText(before))).toBe(proxyConfigText(after));
});

test('clusterCIDR stays empty where another way tells local traffic', () => {
  const text = proxyConfigText('""').replace('detectLocalMode: ""', 'detectLocalMode: NodeCIDR');
  expect(proxy(wantedDual(), text)).toBe(text);
});

test('clusterCIDR goes back to the recorded text, or to one family', () => {
  const restore = { 'ConfigMap/kube-system/kube-proxy': { 'config.conf': proxyConfigText('""') } };
  expect(proxy(wantedSingle({ restore }), proxyConfigText(`"${DUAL}"`))).toBe(proxyConfigText('""'));
  expect(proxy(wantedSingle(), proxyConfigText(DUAL))).toBe(proxyConfigText(PODS.IPv4));
});

test('a kube-proxy that is not configured by its file is told', () => {
  expect(wantedProxyConfig(wantedDual(), 'kind: Other\n').ok).toBe(false);
});
