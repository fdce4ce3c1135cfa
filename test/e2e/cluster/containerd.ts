/** Names and paths of binaries, as `findBinaries` gives them. */
export type Binaries = Readonly<Record<string, string>>;

const UNUSED_PLUGINS = [
  'io.containerd.nri.v1.nri',
  ...['erofs', 'zfs', 'btrfs', 'devmapper', 'blockfile'].map((name) => `io.containerd.snapshotter.v1.${name}`),
];

/** A container may not lower its own OOM score where this machine's root may not either. */
export const CONTAINERD = `version = 3
disabled_plugins = [${UNUSED_PLUGINS.map((plugin) => `"${plugin}"`).join(', ')}]
[plugins.'io.containerd.cri.v1.images']
  snapshotter = "overlayfs"
  [plugins.'io.containerd.cri.v1.images'.pinned_images]
    sandbox = "registry.k8s.io/pause:3.10.2"
[plugins.'io.containerd.cri.v1.runtime']
  restrict_oom_score_adj = true
  [plugins.'io.containerd.cri.v1.runtime'.cni]
    bin_dirs = ["/opt/cni/bin"]
    conf_dir = "/etc/cni/net.d"
  [plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc.options]
      SystemdCgroup = false
`;
