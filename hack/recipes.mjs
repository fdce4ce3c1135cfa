// What each real binary is built from. Pure: the files are read and the builds run by binaries.mjs.

export const KUBERNETES = ['kube-apiserver', 'kube-controller-manager', 'kube-scheduler', 'kubeadm', 'kubectl'];

/** What a control plane with played kubelets needs: the demo and most tests. */
export const BINARIES = [...KUBERNETES, 'etcd', 'kwok'];

const KUBERNETES_ON_NODES = ['kubelet', 'kube-proxy'];
const CONTAINERD = 'github.com/containerd/containerd/v2';
const PLUGINS = 'github.com/containernetworking/plugins';

/** A family is one Go module, in hack/tools unless a folder is named, so that the dependencies of one do not change another's. */
const OTHERS = {
  etcd: { family: 'etcd', package: 'go.etcd.io/etcd/server/v3' },
  kwok: { family: 'kwok', package: 'sigs.k8s.io/kwok/cmd/kwok' },
  ...Object.fromEntries(
    ['containerd', 'containerd-shim-runc-v2', 'ctr'].map((name) => [
      name,
      {
        family: 'containerd',
        package: `${CONTAINERD}/cmd/${name}`,
        module: CONTAINERD,
        versionVariable: `${CONTAINERD}/version.Version`,
      },
    ]),
  ),
  // Its part that enters namespaces is C and runs before Go's own start, so there is no build of it without a C compiler.
  // Without seccomp it starts no container whose profile is RuntimeDefault, and containerd gives one to every pod's sandbox.
  runc: {
    family: 'runc',
    package: 'github.com/opencontainers/runc',
    cgo: true,
    libraries: ['libseccomp'],
    tags: ['netgo', 'osusergo', 'seccomp'],
  },
  ...Object.fromEntries(
    ['main/bridge', 'main/loopback', 'ipam/host-local', 'meta/portmap'].map((path) => [
      path.split('/')[1],
      {
        family: 'cni',
        package: `${PLUGINS}/plugins/${path}`,
        module: PLUGINS,
        versionVariable: `${PLUGINS}/pkg/utils/buildversion.BuildVersion`,
      },
    ]),
  ),
  coredns: { family: 'coredns', package: 'github.com/coredns/coredns' },
  flannel: {
    family: 'flannel',
    package: './daemon',
    module: 'github.com/flannel-io/flannel',
    versionVariable: 'github.com/flannel-io/flannel/pkg/version.Version',
  },
  'flannel-cni': { family: 'flannel', package: './cni' },
  podtool: { family: 'podtool', package: '.' },
  // What `make bench` compares with; nothing else needs it.
  'node-cache': { family: 'node-cache', package: '.', folder: 'bench/reference' },
};

/** What real kubelets need on top of `BINARIES`. */
export const REAL_KUBELET_BINARIES = [
  ...KUBERNETES_ON_NODES,
  ...Object.keys(OTHERS).filter((name) => !BINARIES.includes(name) && OTHERS[name].folder === undefined),
];

/** Whether a binary carries the version of Kubernetes. */
export const isKubernetes = (name) => KUBERNETES.includes(name) || KUBERNETES_ON_NODES.includes(name);

/** What one binary is built from: its family's folder in hack/tools, its package, and what is special about its build. */
export function recipe(name, version) {
  if (isKubernetes(name)) return { family: `kubernetes-v${version}`, package: `k8s.io/kubernetes/cmd/${name}` };
  const found = Object.hasOwn(OTHERS, name) ? OTHERS[name] : undefined;
  if (found) return found;
  throw new Error(`no binary called ${name}: choose from ${[...BINARIES, ...REAL_KUBELET_BINARIES].join(', ')}`);
}

/**
 * Link flags that stamp the version: components refuse to work together, or with kubeadm, as v0.0.0.
 */
export function linkFlags(version) {
  const [major, minor] = version.split('.');
  const values = { gitVersion: `v${version}`, gitMajor: major, gitMinor: minor, gitTreeState: 'clean' };
  const stamps = ['k8s.io/component-base/version', 'k8s.io/client-go/pkg/version'].flatMap((target) =>
    Object.entries(values).map(([key, value]) => `-X ${target}.${key}=${value}`),
  );
  return ['-s', '-w', ...stamps].join(' ');
}

/** The version of a module that a go.mod file asks for, with its leading `v`. */
export function requiredVersion(goMod, module) {
  const lines = goMod.split('\n').map((line) =>
    line
      .replace(/^require /, '')
      .trim()
      .split(' '),
  );
  const version = lines.find(([name, second]) => name === module && second?.startsWith('v'))?.[1];
  if (!version) throw new Error(`go.mod asks for no version of ${module}: run go get -tool ${module} beside it`);
  return version;
}

/**
 * Arguments of `go build` but for the output file, and whether C is compiled too.
 * Everything is static, so that it runs in an image that holds nothing else.
 */
export function buildArguments(name, version, goMod) {
  const { package: target, module, versionVariable, tags = [], cgo = false } = recipe(name, version);
  const flags = [
    isKubernetes(name) ? linkFlags(version) : '-s -w',
    ...(versionVariable ? [`-X ${versionVariable}=${requiredVersion(goMod, module)}`] : []),
    ...(cgo ? ['-linkmode external -extldflags -static'] : []),
  ].join(' ');
  return { cgo, args: ['-mod=readonly', '-trimpath', '-tags', tags.join(','), '-ldflags', flags, target] };
}
