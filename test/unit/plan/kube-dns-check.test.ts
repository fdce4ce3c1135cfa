import { expect, test } from '@jest/globals';
import type { KubeDNSFacts } from '../../../src/model/kube-dns.ts';
import { known } from '../../../src/model/reader.ts';
import { checkKubeDNS } from '../../../src/plan/kube-dns-check.ts';
import { clusterFacts, wantedDual, wantedSingle } from '../../support/facts.ts';

/** As the add-on of Kubernetes 1.11 has it. */
const SHIPPED: KubeDNSFacts = {
  kubedns: { image: 'k8s.gcr.io/k8s-dns-kube-dns:1.14.10', words: ['--domain=cluster.local.', '--dns-port=10053'] },
  dnsmasq: { image: 'k8s.gcr.io/k8s-dns-dnsmasq-nanny:1.14.10', words: ['-v=2', '--', '-k', '--cache-size=1000'] },
  sidecar: {
    image: 'k8s.gcr.io/k8s-dns-sidecar:1.14.10',
    words: [
      '--probe=kubedns,127.0.0.1:10053,kubernetes.default.svc.cluster.local,5,A',
      '--probe=dnsmasq,127.0.0.1:53,kubernetes.default.svc.cluster.local,5,A',
    ],
  },
};
const READY: KubeDNSFacts = {
  kubedns: { image: 'x/k8s-dns-kube-dns:1.22.28', words: ['--dns-bind-address=[::]'] },
  dnsmasq: { image: 'x/k8s-dns-dnsmasq-nanny:1.22.28', words: ['--', '-k', '--no-negcache'] },
  sidecar: {
    image: 'x/k8s-dns-sidecar:1.22.28',
    words: ['--probe=kubedns,127.0.0.1:10053,kubernetes.default.svc.cluster.local,5,SRV'],
  },
};

const told = (kubeDNS: KubeDNSFacts | null, wanted = wantedDual()) =>
  checkKubeDNS(wanted, clusterFacts({}, { kubeDNS: known(kubeDNS) }));

test('what kube-dns lacks is named flag by flag, with the container that it belongs to', () => {
  expect(told(SHIPPED)).toEqual([
    {
      reason: 'Unmanaged',
      object: expect.objectContaining({ kind: 'Deployment', name: 'kube-dns' }),
      message: expect.stringContaining(
        'lacks --dns-bind-address=[::] in container kubedns, --no-negcache in container dnsmasq; of a Service',
      ),
      remedy: expect.stringContaining('patch service kube-dns'),
      blocks: [],
    },
  ]);
});

test('where IPv6 is primary, Services have no record of type A to probe for', () => {
  const wanted = wantedDual({ families: ['IPv6', 'IPv4'] });
  expect(told(SHIPPED, wanted)[0]?.message).toContain('SRV in place of A');
  expect(told(READY, wanted)[0]?.message).not.toContain('lacks');
});

test('old images are named', () => {
  const old = { ...READY, kubedns: { ...READY['kubedns']!, image: 'gcr.io/google_containers/kubedns-amd64:1.14.4' } };
  expect(told(old)[0]?.message).toContain('lacks images of 1.14.8 or newer');
});

test('even one that serves IPv6 knows one address of a Service alone', () => {
  expect(told(READY)[0]).toMatchObject({
    message: expect.stringMatching(/left to you; of a Service it tells only the first address\.$/u),
    remedy: expect.stringMatching(/^Move to CoreDNS/u),
  });
});

test('nothing to say without kube-dns, and on the way back', () => {
  expect(told(null)).toEqual([]);
  expect(checkKubeDNS(wantedDual(), clusterFacts())).toEqual([]);
  expect(told(SHIPPED, wantedSingle())).toEqual([]);
});
