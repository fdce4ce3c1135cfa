import semver from 'semver';
import type { ClusterFacts } from '../model/facts.ts';
import type { Finding } from '../model/finding.ts';
import { tagOf } from '../model/image.ts';
import { KUBE_DNS, type KubeDNSContainer, type KubeDNSFacts } from '../model/kube-dns.ts';
import { refText } from '../model/object.ts';
import type { Wanted } from '../model/wanted.ts';

/** The first whose images serve IPv6. */
const LEAST = '1.14.8';

/**
 * kube-dns is not changed by this program: who installed it keeps it. What it needs for IPv6 is what Calico's page on IPv6 says of it
 * (https://docs.tigera.io/calico/latest/networking/ipam/ipv6); that it knows one address of a Service alone is in its source (`newPortalService` in
 * `pkg/dns/dns.go` of kubernetes/dns).
 */
export function checkKubeDNS(wanted: Wanted, { kubeDNS }: ClusterFacts): readonly Finding[] {
  if (wanted.direction === 'Back' || !wanted.families.includes('IPv6')) return [];
  if (kubeDNS?.known !== true || kubeDNS.value === null) return [];
  const open = openPoints(wanted, kubeDNS.value);
  const policy = `{"spec":{"ipFamilyPolicy":"PreferDualStack"}}`;
  return [
    {
      reason: 'Unmanaged',
      object: KUBE_DNS,
      message: `${refText(KUBE_DNS)} serves cluster DNS and is left to you${open.length === 0 ? '' : `; for IPv6 it lacks ${open.join(', ')}`}; of a Service it tells only the first address.`,
      remedy: `${open.length === 0 ? 'Move' : 'Set these, or move'} to CoreDNS, which knows both addresses; once its pods have an address of each family: kubectl -n kube-system patch service kube-dns -p '${policy}'.`,
      blocks: [],
    },
  ];
}

function openPoints({ families }: Wanted, containers: KubeDNSFacts): readonly string[] {
  const { kubedns, dnsmasq, sidecar } = containers;
  const old = [kubedns, dnsmasq, sidecar].some((container) => container !== undefined && isOld(container));
  return [
    ...(old ? [`images of ${LEAST} or newer`] : []),
    ...(kubedns === undefined || listensEverywhere(kubedns) ? [] : ['--dns-bind-address=[::] in container kubedns']),
    ...(dnsmasq === undefined || dnsmasq.words.includes('--no-negcache') ? [] : ['--no-negcache in container dnsmasq']),
    // Where the first address of a Service is of IPv6, it has no record of type A.
    ...(families[0] === 'IPv6' && sidecar?.words.some((word) => /^--probe=.*,A$/u.test(word)) === true
      ? ['SRV in place of A at the end of each --probe of container sidecar']
      : []),
  ];
}

const listensEverywhere = ({ words }: KubeDNSContainer): boolean =>
  words.some((word) => /^--dns-bind-address=(\[::\]|::)$/u.test(word));

function isOld({ image }: KubeDNSContainer): boolean {
  const version = semver.coerce(tagOf(image));
  return version !== null && semver.lt(version, LEAST);
}
