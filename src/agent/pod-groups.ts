import type { HostFiles } from './files.ts';
import { podOfPath } from './procfs.ts';

/** Where the kubelet's pods have control groups: version 2 has one tree, version 1 one for each controller. */
const TREES = ['/sys/fs/cgroup', '/sys/fs/cgroup/memory'];
/** What lies between a tree's root and the pods, with either driver of the kubelet and below either of its usual roots. */
const ON_THE_WAY = /^kubelet|^kubepods|-kubepods|^burstable$|^besteffort$/;
const MOST_STEPS = 4;

/**
 * Uids of the pods that have a control group on this host. Removing it is the last thing that a kubelet does for a pod that has ended
 * (pkg/kubelet/kubelet.go, `SyncTerminatedPod`). Null: no pod's is seen.
 */
export function readPodGroups(files: HostFiles): readonly string[] | null {
  for (const tree of TREES) {
    const pods = podsBelow(files, tree, MOST_STEPS);
    if (pods.length > 0) return pods;
  }
  return null;
}

const podsBelow = (files: HostFiles, folder: string, steps: number): readonly string[] =>
  files.list(folder).flatMap((name) => {
    const pod = podOfPath(name);
    if (pod !== null) return [pod];
    return steps > 1 && ON_THE_WAY.test(name) ? podsBelow(files, `${folder}/${name}`, steps - 1) : [];
  });
