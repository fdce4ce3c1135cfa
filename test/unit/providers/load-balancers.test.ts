import { expect, test } from '@jest/globals';
import {
  type Balanced,
  BALANCER_ANNOTATIONS,
  balancerAnswer,
  type Site,
} from '../../../src/providers/load-balancers.ts';
import { siteOf } from '../../../src/providers/site.ts';

const AWS_TYPE = 'service.beta.kubernetes.io/aws-load-balancer-type';
const AWS_ADDRESSES = 'service.beta.kubernetes.io/aws-load-balancer-ip-address-type';
const POOL = { 'metallb.io/ip-allocated-from-pool': 'public' };

const at = (cloud: Site['cloud'], minor = 36): Site => ({ cloud, minor });
const service = (annotations: Readonly<Record<string, string>> = {}, loadBalancerClass = ''): Balanced => ({
  annotations,
  loadBalancerClass,
  loadBalancerIP: '',
});
const fixed = (annotations: Readonly<Record<string, string>>): Balanced => ({
  ...service(annotations),
  loadBalancerIP: '192.0.2.1',
});

test.each<[string, Balanced, Site, string]>([
  ['AWS, its own controller', service(), at('aws'), 'Cannot'],
  ['AWS Load Balancer Controller by annotation', service({ [AWS_TYPE]: 'external' }), at('aws'), 'Cannot'],
  ['by class', service({}, 'service.k8s.aws/nlb'), at('aws'), 'Cannot'],
  ['told to be dual-stack', service({ [AWS_ADDRESSES]: 'dualstack' }, 'service.k8s.aws/nlb'), at('aws'), 'Cannot'],
  ['another controller on AWS', service({}, 'io.cilium/l2-announcer'), at('aws'), 'NotKnown'],
  ['another controller on OpenStack', service({}, 'kube-vip.io/kube-vip-class'), at('openstack', 24), 'NotKnown'],
  ['told so, but of the other controller', service({ [AWS_ADDRESSES]: 'dualstack' }), at('aws'), 'Cannot'],
  ['Azure 1.27', service(), at('azure', 27), 'Cannot'],
  ['Azure 1.28', service(), at('azure', 28), 'NotKnown'],
  ['Google Cloud', service(), at('gcp'), 'NotKnown'],
  ['OpenStack 1.24', service(), at('openstack', 24), 'Cannot'],
  ['OpenStack 1.25', service(), at('openstack', 25), 'FirstOnly'],
  ['Hetzner', service(), at('hetzner'), 'Needs'],
  ['Hetzner, location', service({ 'load-balancer.hetzner.cloud/location': 'fsn1' }), at('hetzner'), 'Can'],
  ['Hetzner, zone', service({ 'load-balancer.hetzner.cloud/network-zone': 'eu-central' }), at('hetzner'), 'Can'],
  ['no cloud that is known', service(), at(null), 'NotKnown'],
  ['DigitalOcean', service(), at('digitalocean'), 'NotKnown'],
  ['MetalLB', service(POOL), at(null), 'NotKnown'],
  ['MetalLB on OpenStack', service(POOL), at('openstack'), 'NotKnown'],
  ['MetalLB with a class', service(POOL, 'metallb'), at('aws'), 'NotKnown'],
  [
    'MetalLB, one address named',
    service({ ...POOL, 'metallb.io/loadBalancerIPs': '192.0.2.1' }),
    at(null),
    'NeedsTogether',
  ],
  ['MetalLB, one address in the spec', fixed(POOL), at(null), 'NeedsTogether'],
  [
    'MetalLB, both named and one in the spec',
    fixed({ ...POOL, 'metallb.io/loadBalancerIPs': '192.0.2.1,2001:db8::1' }),
    at(null),
    'NeedsTogether',
  ],
  [
    'MetalLB, both named too early, so that it has taken its mark away',
    service({ 'metallb.io/loadBalancerIPs': '192.0.2.1,2001:db8::1' }),
    at(null),
    'Can',
  ],
  [
    'MetalLB, both named',
    service({ ...POOL, 'metallb.universe.tf/loadBalancerIPs': '192.0.2.1,2001:db8::1' }),
    at(null),
    'Can',
  ],
])('%s', (_, balanced, site, expected) => {
  const answer = balancerAnswer(balanced, site);
  expect(answer.is).toBe(expected);
  if (answer.is === 'Needs') {
    const [key = ''] = answer.annotation.split('=');
    expect(BALANCER_ANNOTATIONS).toContain(key);
  }
});

const STABLE = 'metallb.io';
const OLDER = 'metallb.universe.tf';
const mark = (prefix: string) => ({ [`${prefix}/ip-allocated-from-pool`]: 'public' });
const told = (balanced: Balanced) => balancerAnswer(balanced, at(null));

test('what is told for MetalLB has the address that it has, the key that its version knows, and nothing but addresses', () => {
  expect(told(fixed(mark(STABLE)))).toMatchObject({ key: 'metallb.io/loadBalancerIPs', value: '192.0.2.1,IPV6' });
  expect(told(fixed(mark(OLDER)))).toMatchObject({ key: 'metallb.universe.tf/loadBalancerIPs' });
  expect(told(service({ [`${OLDER}/loadBalancerIPs`]: '2001:db8::1' }))).toMatchObject({
    key: 'metallb.universe.tf/loadBalancerIPs',
    value: 'IPV4,2001:db8::1',
  });
  expect(told(service({ [`${STABLE}/loadBalancerIPs`]: "192.0.2.1' ; x, ::1'" }))).toMatchObject({
    value: 'IPV4,IPV6',
  });
});

const node = (providerID: string) => ({ providerID, osImage: '', labels: {} });

test('the site is told by the first node that knows its cloud', () => {
  expect(siteOf([node(''), node('hcloud://7'), node('aws://x')], 'v1.34.2')).toEqual({ cloud: 'hetzner', minor: 34 });
  expect(siteOf([], 'v1.36.3-gke.1')).toEqual({ cloud: null, minor: 36 });
});
