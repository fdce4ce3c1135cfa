import type { Family } from '../net/family.ts';
import { CLOUDS, type CloudID } from './clouds.ts';

/**
 * What becomes of a LoadBalancer Service that gets a second family. `Can`: an address of the second family beside the first. `Needs`: that, if it carries an
 * annotation. `NeedsTogether`: that, if the annotation and the second family come by one write; before it, the annotation takes its address away.
 * `FirstOnly`: it keeps what it has. `Cannot`: it is known not to work. `NotKnown`: nobody has told.
 */
export type BalancerAnswer =
  | { readonly is: 'Can'; readonly source: string }
  | { readonly is: 'Needs'; readonly annotation: string; readonly says: string; readonly source: string }
  | {
      readonly is: 'NeedsTogether';
      readonly key: string;
      /** Words in capitals are for the user to fill in. */
      readonly value: string;
      readonly says: string;
      readonly source: string;
    }
  | { readonly is: 'FirstOnly'; readonly says: string; readonly source: string }
  | {
      readonly is: 'Cannot';
      readonly says: string;
      /** A way for clients of the second family that leaves its families alone; absent: none of its own. */
      readonly instead?: string;
      readonly source: string;
    }
  | {
      readonly is: 'NotKnown';
      readonly says: string;
      /** The cloud's own load balancer is meant, not one of another controller. */
      readonly ofCloud: boolean;
    };

/** What is looked at of a Service. */
export interface Balanced {
  readonly annotations: Readonly<Record<string, string>>;
  readonly loadBalancerClass: string;
  /** `spec.loadBalancerIP`; empty: it asks for none there. */
  readonly loadBalancerIP: string;
}

/** Where the nodes are. */
export interface Site {
  /** Null: no cloud that is known by its marks. */
  readonly cloud: CloudID | null;
  /** Minor version of Kubernetes 1.x: the clouds' own controllers are released with it. */
  readonly minor: number;
}

const KKP = 'https://docs.kubermatic.com/kubermatic/main/tutorials-howtos/networking/dual-stack';

/** MetalLB writes on a Service from which pool its address is. */
const METALLB_MARKS = ['metallb.io/ip-allocated-from-pool', 'metallb.universe.tf/ip-allocated-from-pool'] as const;
const METALLB_ADDRESSES = ['metallb.io/loadBalancerIPs', 'metallb.universe.tf/loadBalancerIPs'] as const;

const AWS_CLASSES = ['service.k8s.aws/nlb', 'eks.amazonaws.com/nlb'];
const AWS_TYPE = 'service.beta.kubernetes.io/aws-load-balancer-type';
const AWS_ADDRESSES = 'service.beta.kubernetes.io/aws-load-balancer-ip-address-type';

const HETZNER_PLACES = ['load-balancer.hetzner.cloud/location', 'load-balancer.hetzner.cloud/network-zone'] as const;

/** Annotations of Services that the answers hang on. */
export const BALANCER_ANNOTATIONS: readonly string[] = [
  ...METALLB_MARKS,
  ...METALLB_ADDRESSES,
  AWS_TYPE,
  AWS_ADDRESSES,
  ...HETZNER_PLACES,
];

export function balancerAnswer(service: Balanced, site: Site): BalancerAnswer {
  const { annotations, loadBalancerClass } = service;
  // MetalLB takes its mark off a Service that it has no address for.
  if ([...METALLB_MARKS, ...METALLB_ADDRESSES].some((key) => key in annotations)) return metallb(service);
  if (loadBalancerClass !== '' && !AWS_CLASSES.includes(loadBalancerClass)) {
    return {
      is: 'NotKnown',
      says: `whether the load balancer of class ${loadBalancerClass} keeps the address that the Service has`,
      ofCloud: false,
    };
  }
  switch (site.cloud) {
    case 'aws':
      return aws(service);
    case 'azure':
      return site.minor < AZURE_SINCE
        ? {
            is: 'Cannot',
            says: `cloud-provider-azure makes dual-stack load balancers from 1.${AZURE_SINCE} on`,
            source: 'https://github.com/kubernetes-sigs/cloud-provider-azure/pull/4397',
          }
        : {
            is: 'NotKnown',
            says: 'whether this cloud-provider-azure keeps the address that the Service has',
            ofCloud: true,
          };
    case 'hetzner':
      return hetzner(service);
    case 'openstack':
      return site.minor < OPENSTACK_SINCE
        ? {
            is: 'Cannot',
            says: `its load balancers cannot serve such Services before 1.${OPENSTACK_SINCE}`,
            source: KKP,
          }
        : {
            is: 'FirstOnly',
            says: 'openstack-cloud-controller-manager makes one load balancer, of the first family',
            source: 'https://github.com/kubernetes/cloud-provider-openstack/issues/1937',
          };
    case 'digitalocean':
    case 'equinixmetal':
    case 'gcp':
    case 'vsphere':
    case null:
      return {
        is: 'NotKnown',
        says: `whether ${nameOf(site.cloud)} keeps the address that the Service has`,
        ofCloud: true,
      };
  }
}

/** Minor versions of Kubernetes. */
const AZURE_SINCE = 28;
const OPENSTACK_SINCE = 25;

const nameOf = (cloud: CloudID | null): string =>
  `the load balancer${cloud === null ? '' : ` of ${CLOUDS.find(({ id }) => id === cloud)?.name ?? cloud}`}`;

/**
 * A Service that asks MetalLB for addresses has to ask for those of all its families: else MetalLB takes away what it has and allocates nothing, and two
 * addresses are as wrong for one family as one for two. One that asks for none keeps its address with PreferDualStack and gets the second from the same
 * pool, by newer versions (https://github.com/metallb/metallb/pull/2587); older ones allocate both anew, or none where the pool has no IPv6
 * (https://github.com/metallb/metallb/issues/2482).
 */
function metallb({ annotations, loadBalancerIP }: Balanced): BalancerAnswer {
  const source = 'https://github.com/metallb/metallb/blob/main/controller/service.go';
  const named = METALLB_ADDRESSES.find((key) => key in annotations);
  const asked = [...(named === undefined ? [] : (annotations[named]?.split(',') ?? [])), loadBalancerIP]
    .map((ip) => ip.trim())
    .filter((ip) => ip !== '');
  if (asked.length === 0) {
    return {
      is: 'NotKnown',
      says: 'whether this MetalLB keeps the address that the Service has: newer versions do and add one of the same pool, older ones allocate both anew',
      ofCloud: false,
    };
  }
  const ipv4 = asked.find((ip) => IPV4.test(ip));
  const ipv6 = asked.find((ip) => IPV6.test(ip));
  if (ipv4 !== undefined && ipv6 !== undefined && loadBalancerIP === '') return { is: 'Can', source };
  return {
    is: 'NeedsTogether',
    key: named ?? addressesKey(annotations),
    value: `${ipv4 ?? 'IPV4'},${ipv6 ?? 'IPV6'}`,
    says: 'it asks MetalLB for a fixed address, so it has to ask for one of each family by the very write that gives it both families, or its address is taken away',
    source,
  };
}

/**
 * The other way round: of a Service that asks MetalLB for addresses of both families, and loses one family, the annotation that then asks for what is left. Null: it asks
 * for no address of the family that leaves, or not in an annotation.
 */
export function addressLeft(
  { annotations }: Pick<Balanced, 'annotations'>,
  stays: Family,
): { readonly key: string; readonly value: string } | null {
  const key = METALLB_ADDRESSES.find((each) => each in annotations);
  const asked = key === undefined ? [] : (annotations[key] ?? '').split(',').map((ip) => ip.trim());
  const [own, other] = stays === 'IPv6' ? [IPV6, IPV4] : [IPV4, IPV6];
  const left = asked.find((ip) => own.test(ip));
  return key === undefined || left === undefined || !asked.some((ip) => other.test(ip)) ? null : { key, value: left };
}

/** What somebody wrote there is printed in a command: nothing but an address is taken. */
const IPV4 = /^[\d.]+$/u;
const IPV6 = /^[\da-f.]*:[\da-f:.]*$/iu;

/** Versions that write the older mark know no newer annotation. */
function addressesKey(annotations: Balanced['annotations']): string {
  const [mark] = METALLB_MARKS;
  const [key, olderKey] = METALLB_ADDRESSES;
  return mark in annotations ? key : olderKey;
}

/**
 * Its target groups are of one family: IPv6 as soon as `spec.ipFamilies` has it (https://github.com/kubernetes-sigs/aws-load-balancer-controller/issues/2668),
 * where it then tries to register IPv4 addresses of pods too. A load balancer of both families in front of IPv4 targets serves clients of both.
 */
function aws({ annotations, loadBalancerClass }: Balanced): BalancerAnswer {
  const isController =
    AWS_CLASSES.includes(loadBalancerClass) || ['external', 'nlb-ip'].includes(annotations[AWS_TYPE] ?? '');
  if (!isController) {
    return {
      is: 'Cannot',
      says: 'only the AWS Load Balancer Controller makes dual-stack load balancers, and this Service is not its own',
      source: KKP,
    };
  }
  return {
    is: 'Cannot',
    says: 'the AWS Load Balancer Controller makes its target groups IPv6 as soon as spec.ipFamilies names IPv6, and since v3.3.0 tries to register IPv4 addresses of pods there: IPv4 clients may be cut off',
    ...(annotations[AWS_ADDRESSES] === 'dualstack'
      ? {
          instead:
            'Leave its families as they are: it is annotated to be dual-stack, and serves IPv6 clients by that alone.',
        }
      : {
          instead: `Leave its families as they are, and annotate it ${AWS_ADDRESSES}=dualstack: in subnets that have an IPv6 CIDR it serves IPv6 clients by that alone.`,
        }),
    source: 'https://github.com/kubernetes-sigs/aws-load-balancer-controller/issues/4775',
  };
}

/** Its load balancers have an address of each family from the first; they are only made where the Service says where. */
function hetzner({ annotations }: Balanced): BalancerAnswer {
  const [location] = HETZNER_PLACES;
  return HETZNER_PLACES.some((key) => key in annotations)
    ? { is: 'Can', source: 'https://github.com/hetznercloud/hcloud-cloud-controller-manager/pull/137' }
    : {
        is: 'Needs',
        annotation: `${location}=LOCATION`,
        says: 'Hetzner has to be told where the load balancer is (its location or network zone)',
        source: KKP,
      };
}
