import { CLOUDS, type CloudID } from './clouds.ts';

/**
 * What becomes of a LoadBalancer Service that gets a second family. `Can`: an address of the second family beside the first. `Needs`: that, if it carries an
 * annotation. `FirstOnly`: it keeps what it has. `Cannot`: it is known not to work. `NotKnown`: nobody has told.
 */
export type BalancerAnswer =
  | { readonly is: 'Can'; readonly source: string }
  | { readonly is: 'Needs'; readonly annotation: string; readonly says: string; readonly source: string }
  | { readonly is: 'FirstOnly'; readonly says: string; readonly source: string }
  | { readonly is: 'Cannot'; readonly says: string; readonly source: string }
  | { readonly is: 'NotKnown'; readonly says: string };

/** What is looked at of a Service. */
export interface Balanced {
  readonly annotations: Readonly<Record<string, string>>;
  readonly loadBalancerClass: string;
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
const METALLB_MARKS = ['metallb.io/ip-allocated-from-pool', 'metallb.universe.tf/ip-allocated-from-pool'];
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
  const balancer = METALLB_MARKS.some((mark) => mark in service.annotations) ? 'metallb' : site.cloud;
  switch (balancer) {
    case 'metallb':
      return metallb(service);
    case 'aws':
      return aws(service);
    case 'azure':
      return site.minor < AZURE_SINCE
        ? {
            is: 'Cannot',
            says: `cloud-provider-azure makes dual-stack load balancers from 1.${AZURE_SINCE} on`,
            source: 'https://github.com/kubernetes-sigs/cloud-provider-azure/pull/4397',
          }
        : { is: 'NotKnown', says: 'whether this cloud-provider-azure keeps the address that the Service has' };
    case 'gcp':
      return { is: 'Cannot', says: 'its load balancers are of one family', source: KKP };
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
    case 'vsphere':
    case null:
      return { is: 'NotKnown', says: `whether ${nameOf(balancer)} keeps the address that the Service has` };
  }
}

/** Minor versions of Kubernetes. */
const AZURE_SINCE = 28;
const OPENSTACK_SINCE = 25;

const nameOf = (cloud: CloudID | null): string =>
  `the load balancer${cloud === null ? '' : ` of ${CLOUDS.find(({ id }) => id === cloud)?.name ?? cloud}`}`;

/**
 * When the families of a Service and of its address differ, MetalLB takes the address away and allocates anew: another one, or none where the pool has
 * no IPv6 (https://github.com/metallb/metallb/issues/2482). Addresses that the Service asks for by name it gets again.
 */
function metallb({ annotations }: Balanced): BalancerAnswer {
  const [annotation] = METALLB_ADDRESSES;
  const source = 'https://github.com/metallb/metallb/blob/v0.14.9/controller/service.go#L109';
  const asked = METALLB_ADDRESSES.flatMap((key) => annotations[key]?.split(',') ?? []);
  const isBoth = asked.some((ip) => ip.includes(':')) && asked.some((ip) => ip.includes('.') && !ip.includes(':'));
  return isBoth
    ? { is: 'Can', source }
    : {
        is: 'Needs',
        annotation: `${annotation}=IPV4,IPV6`,
        says: 'MetalLB would allocate its addresses anew, so name the one that it has and one of the other family',
        source,
      };
}

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
  const source = 'https://kubernetes-sigs.github.io/aws-load-balancer-controller/latest/guide/service/annotations/';
  return annotations[AWS_ADDRESSES] === 'dualstack'
    ? { is: 'Can', source }
    : {
        is: 'Needs',
        annotation: `${AWS_ADDRESSES}=dualstack`,
        says: 'the AWS Load Balancer Controller makes it dual-stack by that alone, in subnets that have an IPv6 CIDR',
        source,
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
