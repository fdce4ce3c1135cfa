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
});

test.each<[string, Balanced, Site, string]>([
  ['AWS, its own controller', service(), at('aws'), 'Cannot'],
  ['AWS Load Balancer Controller by annotation', service({ [AWS_TYPE]: 'external' }), at('aws'), 'Needs'],
  ['by class', service({}, 'service.k8s.aws/nlb'), at('aws'), 'Needs'],
  ['told to be dual-stack', service({ [AWS_ADDRESSES]: 'dualstack' }, 'service.k8s.aws/nlb'), at('aws'), 'Can'],
  ['told so, but of the other controller', service({ [AWS_ADDRESSES]: 'dualstack' }), at('aws'), 'Cannot'],
  ['Azure 1.27', service(), at('azure', 27), 'Cannot'],
  ['Azure 1.28', service(), at('azure', 28), 'NotKnown'],
  ['Google Cloud', service(), at('gcp'), 'Cannot'],
  ['OpenStack 1.24', service(), at('openstack', 24), 'Cannot'],
  ['OpenStack 1.25', service(), at('openstack', 25), 'FirstOnly'],
  ['Hetzner', service(), at('hetzner'), 'Needs'],
  ['Hetzner, location', service({ 'load-balancer.hetzner.cloud/location': 'fsn1' }), at('hetzner'), 'Can'],
  ['Hetzner, zone', service({ 'load-balancer.hetzner.cloud/network-zone': 'eu-central' }), at('hetzner'), 'Can'],
  ['no cloud that is known', service(), at(null), 'NotKnown'],
  ['DigitalOcean', service(), at('digitalocean'), 'NotKnown'],
  ['MetalLB', service(POOL), at(null), 'Needs'],
  ['MetalLB on vSphere', service(POOL), at('vsphere'), 'Needs'],
  ['MetalLB, one address named', service({ ...POOL, 'metallb.io/loadBalancerIPs': '192.0.2.1' }), at(null), 'Needs'],
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

const node = (providerID: string) => ({ providerID, osImage: '', labels: {} });

test('the site is told by the first node that knows its cloud', () => {
  expect(siteOf([node(''), node('hcloud://7'), node('aws://x')], 'v1.34.2')).toEqual({ cloud: 'hetzner', minor: 34 });
  expect(siteOf([], 'v1.36.3-gke.1')).toEqual({ cloud: null, minor: 36 });
});
