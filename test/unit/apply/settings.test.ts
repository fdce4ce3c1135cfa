import { expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { mergeSettings } from '../../../src/apply/settings.ts';
import { EDITABLE_FLAGS, STATIC_PODS, type HostSettings } from '../../../src/model/host.ts';

test('a step adds its settings and leaves the others alone', () => {
  const current: HostSettings = {
    kubelet: { nodeIPs: ['192.0.2.1', '2001:db8::1'] },
    sysctls: { 'net.ipv6.conf.all.forwarding': '1' },
  };
  const added: HostSettings = {
    staticPods: { 'kube-apiserver': { 'service-cluster-ip-range': '10.96.0.0/16,fd00::/112' } },
  };
  expect(mergeSettings(current, added)).toEqual({ ...current, ...added });
});

test('a flag that is taken away is no longer set', () => {
  const current: HostSettings = {
    staticPods: { 'kube-controller-manager': { 'node-cidr-mask-size-ipv6': '64', 'cluster-cidr': 'a' } },
  };
  const added: HostSettings = { absent: { 'kube-controller-manager': ['node-cidr-mask-size-ipv6'] } };
  expect(mergeSettings(current, added)).toEqual({
    staticPods: { 'kube-controller-manager': { 'cluster-cidr': 'a' } },
    absent: { 'kube-controller-manager': ['node-cidr-mask-size-ipv6'] },
  });
});

test('a flag that is set is no longer absent, and an empty list vanishes', () => {
  const current: HostSettings = { absent: { 'kube-controller-manager': ['node-cidr-mask-size-ipv6'] } };
  const added: HostSettings = { staticPods: { 'kube-controller-manager': { 'node-cidr-mask-size-ipv6': '64' } } };
  expect(mergeSettings(current, added)).toEqual(added);
});

test('--node-ip is either a pair or absent', () => {
  const pair: HostSettings = { kubelet: { nodeIPs: ['192.0.2.1', '2001:db8::1'] } };
  const none: HostSettings = { absent: { kubelet: ['node-ip'] } };
  expect(mergeSettings(pair, none)).toEqual(none);
  expect(mergeSettings(none, pair)).toEqual(pair);
});

const flag = fc.constantFrom(
  ...STATIC_PODS.flatMap((component) => EDITABLE_FLAGS[component].map((name) => ({ component, name }))),
);
const settings: fc.Arbitrary<HostSettings> = fc
  .record({ flag, value: fc.option(fc.constantFrom('1', '2'), { nil: null }) })
  .map(({ flag: { component, name }, value }) =>
    value === null ? { absent: { [component]: [name] } } : { staticPods: { [component]: { [name]: value } } },
  );

test('whatever the order of steps: no flag is ever both set and absent, and the last word holds', () => {
  fc.assert(
    fc.property(fc.array(settings, { minLength: 1, maxLength: 12 }), (steps) => {
      const merged = steps.reduce(mergeSettings, {});
      for (const component of STATIC_PODS) {
        const set = Object.keys(merged.staticPods?.[component] ?? {});
        const absent = merged.absent?.[component] ?? [];
        expect(set.filter((name) => absent.includes(name))).toEqual([]);
      }
      expect(mergeSettings(merged, steps.at(-1)!)).toEqual(merged);
    }),
  );
});
