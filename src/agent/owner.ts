import { err, ok } from '../result.ts';
import type { Result } from '../result.ts';
import type { HostProcess } from './procfs.ts';

/**
 * Which of several processes of one name are the host's own. A host's `/proc` shows the processes of its containers too: other control planes may
 * run there as pods (hosted control planes) or in containers that are nodes themselves (kind).
 */

interface PodIdentity {
  /** Uids that the kubelet gave this static pod, newest and older ones, by the folders of its logs. Empty: no log is seen. */
  readonly uids: readonly string[];
  readonly flags: Readonly<Record<string, string>>;
  readonly file: string;
}

/** Arguments that differ between control planes on one machine, and that the agent never changes. */
const TELLING_FLAGS = [
  'advertise-address',
  'bind-address',
  'secure-port',
  'etcd-servers',
  'etcd-prefix',
  'service-account-issuer',
  'cluster-name',
  'kubeconfig',
  'leader-elect-resource-name',
  'leader-elect-resource-namespace',
];

/**
 * Processes of a static pod, in the order given; while it is replaced there are two. By the Pod in their control group where that can be seen; else a
 * single one is taken for it, and of several those with the manifest's telling arguments. The error: they cannot be told apart.
 */
export function ofStaticPod(
  candidates: readonly HostProcess[],
  pod: PodIdentity,
): Result<readonly HostProcess[], string> {
  const own = candidates.filter((process) => process.pod !== null && pod.uids.includes(process.pod));
  if (own.length > 0) return ok(own);
  // With its uids known, a process of another Pod is certainly not this one's.
  const possible = pod.uids.length === 0 ? candidates : candidates.filter((process) => process.pod === null);
  if (possible.length <= 1) return ok(possible);
  const near = nearest(possible.filter((process) => !isFromApi(process)));
  const alike = near.filter((process) =>
    TELLING_FLAGS.every((flag) => (process.flags[flag] ?? null) === (pod.flags[flag] ?? null)),
  );
  if (alike.length > 0) return ok(alike);
  if (near.length <= 1) return ok(near);
  return err(
    `${possible.length} processes could be that of ${pod.file} (${possible.map(({ pid }) => pid).join(', ')}), ` +
      'and neither control groups nor arguments tell them apart: see to it that the kubelet’s pods have control groups',
  );
}

/** A static pod's uid is a hash without dashes; the API gives its Pods one with dashes. */
const isFromApi = (process: HostProcess): boolean => process.pod?.includes('-') === true;

/** The kubelet of this host, and not that of a node which is a container on it. */
export function ofHost(candidates: readonly HostProcess[]): readonly HostProcess[] {
  const near = nearest(candidates);
  const outside = orAll(near, (process) => !process.cgroups.some((path) => CONTAINER.test(path)));
  return orAll(outside, (process) => process.cgroups.some((path) => path.endsWith('/kubelet.service')));
}

const CONTAINER =
  /\/(?:docker|libpod|lxc|kubepods|containerd|buildkit|machine\.slice|system\.slice\/(?:docker|containerd|crio|podman))\b|(?:docker|libpod|cri-containerd|crio|nerdctl)-[0-9a-f]{12,}/;

/** Those in as few process-id namespaces as any. */
function nearest(candidates: readonly HostProcess[]): readonly HostProcess[] {
  const depths = candidates.flatMap(({ depth }) => depth ?? []);
  return orAll(candidates, ({ depth }) => depth === null || depth === Math.min(...depths));
}

/** Those that meet the condition, or all where none does. */
function orAll(
  candidates: readonly HostProcess[],
  condition: (process: HostProcess) => boolean,
): readonly HostProcess[] {
  const meeting = candidates.filter(condition);
  return meeting.length > 0 ? meeting : candidates;
}
