import { requiredVersion } from '../../../hack/recipes.mjs';
import type { ImageSpec, Layer } from './oci.ts';

/** What images are made of. */
export interface Ingredients {
  /** Paths of static programs by name. */
  readonly binaries: Readonly<Record<string, string>>;
  /** nft and iptables with their libraries, by path in the image. */
  readonly packetFilters: Layer;
  /** The go.mod file of flannel's build, which tells the version. */
  readonly flannelModule: string;
}

/** References that tests and manifests name. */
export const IMAGES = {
  podtool: 'localhost/podtool:v1',
  /** What `dualstack-operator:dev` in a manifest means. */
  operator: 'docker.io/library/dualstack-operator:dev',
} as const;

/** Of flannel's released manifest; its tag names the plug-ins' version and flannel's own count. */
const FLANNEL_CNI_PLUGIN = 'flannel-cni-plugin:v1.9.1-flannel1';
const FLANNEL_REGISTRIES = ['ghcr.io/flannel-io', 'docker.io/flannel'];
const PATH = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/**
 * Shared by all images. `/etc/protocols`: without it nft lists numbers where kube-proxy expects names, and after a restart
 * kube-proxy deletes elements of its own maps.
 */
const BASE: Layer = {
  '/etc/passwd': { text: 'root:x:0:0:root:/:/sbin/nologin\nnobody:x:65534:65534:nobody:/:/sbin/nologin\n' },
  '/etc/group': { text: 'root:x:0:\nnobody:x:65534:\n' },
  '/etc/nsswitch.conf': { text: 'hosts: files dns\n' },
  '/etc/protocols': {
    text: 'ip 0 IP\nicmp 1 ICMP\nigmp 2 IGMP\ntcp 6 TCP\nudp 17 UDP\nipv6-icmp 58 IPv6-ICMP\nsctp 132 SCTP\nudplite 136 UDPLite\n',
  },
  '/tmp': { folder: 0o1777 },
  '/run': { folder: 0o755 },
};

/** Images under the references that kubeadm asks for (`kubeadm config images list`), from our own builds. */
export function kubeadmImages(references: readonly string[], using: Ingredients): readonly ImageSpec[] {
  return references.map((reference) => {
    const repository = reference.slice(0, reference.lastIndexOf(':'));
    const {
      files,
      entrypoint,
      packetFilters = false,
    } = kubeadmImage(repository.slice(repository.lastIndexOf('/') + 1), using);
    return {
      names: [reference],
      layers: packetFilters ? [BASE, using.packetFilters, files] : [BASE, files],
      config: { Env: [PATH], ...(entrypoint === undefined ? {} : { Entrypoint: [entrypoint] }) },
    };
  });
}

interface KubeadmImage {
  readonly files: Layer;
  /** Missing where the manifest names the command. */
  readonly entrypoint?: string;
  readonly packetFilters?: boolean;
}

function kubeadmImage(name: string, using: Ingredients): KubeadmImage {
  switch (name) {
    case 'kube-apiserver':
    case 'kube-controller-manager':
    case 'kube-scheduler':
    case 'etcd':
      return { files: { [`/usr/local/bin/${name}`]: program(name, using) } };
    case 'kube-proxy':
      return { files: { '/usr/local/bin/kube-proxy': program(name, using) }, packetFilters: true };
    case 'coredns':
      return { files: { '/coredns': program(name, using) }, entrypoint: '/coredns' };
    case 'pause':
      return { files: { '/pause': program('podtool', using) }, entrypoint: '/pause' };
    default:
      throw new Error(`kubeadm asks for an image ${name}, which is made from nothing here: add it to kubeadmImage`);
  }
}

/** The CNIs and what tests run in pods. */
export function otherImages(using: Ingredients): readonly ImageSpec[] {
  const podtool: Layer = { '/podtool': program('podtool', using), '/bin/cp': { link: '../podtool' } };
  const version = requiredVersion(using.flannelModule, 'github.com/flannel-io/flannel');
  return [
    { names: [IMAGES.podtool], layers: [BASE, podtool], config: { Env: [PATH], Entrypoint: ['/podtool'] } },
    {
      names: flannelNames(`flannel:${version}`),
      layers: [BASE, using.packetFilters, podtool, { '/opt/bin/flanneld': program('flannel', using) }],
      config: { Env: [PATH], Entrypoint: ['/opt/bin/flanneld'] },
    },
    {
      names: flannelNames(FLANNEL_CNI_PLUGIN),
      layers: [BASE, podtool, { '/flannel': program('flannel-cni', using) }],
      config: { Env: [PATH] },
    },
  ];
}

function flannelNames(name: string): readonly string[] {
  return FLANNEL_REGISTRIES.map((registry) => `${registry}/${name}`);
}

function program(name: string, { binaries }: Ingredients): { readonly file: string } {
  const file = binaries[name];
  if (file === undefined) throw new Error(`${name}: no such binary was found; run node hack/binaries.mjs --e2e`);
  return { file };
}
