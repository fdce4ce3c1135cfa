import type { HostFiles } from './files.ts';
import { podOfPath } from './procfs.ts';

/** Where the kubelet's pods have control groups: version 2 has one tree, version 1 one for each controller below it. */
const ROOT = '/sys/fs/cgroup';
/** What lies between a tree's root and the pods, with either driver of the kubelet and below either of its usual roots. */
const ON_THE_WAY = /^kubelet|^kubepods|-kubepods|^burstable$|^besteffort$/;
const MOST_STEPS = 4;

/**
 * Uids of the pods that have a control group on this host. Removing it is the last thing that a kubelet does for a pod that has ended
 * (pkg/kubelet/kubelet.go, `SyncTerminatedPod`). Null: no pod's is seen, or none can be.
 */
export function readPodGroups(files: HostFiles): readonly string[] | null {
  try {
    const trees = [ROOT, ...files.list(ROOT).map((name) => `${ROOT}/${name}`)];
    const pods = new Set(trees.flatMap((tree) => podsBelow(files, tree, MOST_STEPS)));
    return pods.size === 0 ? null : [...pods];
  } catch {
    // It only saves time: an agent must not stand still because of it.
    return null;
  }
}

const podsBelow = (files: HostFiles, folder: string, steps: number): readonly string[] =>
  files.list(folder).flatMap((name) => {
    const pod = podOfPath(name);
    if (pod !== null) return [pod];
    return steps > 1 && ON_THE_WAY.test(name) ? podsBelow(files, `${folder}/${name}`, steps - 1) : [];
  });
