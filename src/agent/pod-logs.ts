import { posix } from 'node:path';
import type { HostFiles } from './files.ts';

/** Where the kubelet keeps its containers' logs: NAMESPACE_POD_UID/CONTAINER/RESTARTS.log. */
const POD_LOGS = '/var/log/pods';
const TAIL_BYTES = 4096;
const MAX_LINE = 300;

/** What the kubelet's log folder of one Pod tells of its container. A changed manifest is a new Pod with a new folder. */
export interface ContainerLog {
  /** Of the Pod, from the folder's name. */
  readonly uid: string;
  /** Times that the container was started again. */
  readonly restarts: number;
  /** Milliseconds since the epoch of the oldest line that is kept. */
  readonly beganAt: number;
  /** Last line of the newest run, and of the run before. */
  readonly last: string;
  readonly lastBefore: string;
}

/**
 * Logs of a component on this host. A process that exits within milliseconds is hardly ever seen among the processes, but the
 * kubelet numbers each run's log, and the last line says why it ended.
 */
export function readContainerLogs(files: HostFiles, component: string, pod: StaticPodName): readonly ContainerLog[] {
  return podFolders(files, pod).flatMap(({ name, uid }) => {
    const log = readLog(files, posix.join(POD_LOGS, name, component), uid);
    return log === null ? [] : [log];
  });
}

/** Name of a static pod in its manifest; the kubelet adds the node's. */
export interface StaticPodName {
  readonly namespace: string;
  readonly name: string;
}

/** Every uid under which the kubelet has run a static pod, as far as its logs are kept. */
export const podUids = (files: HostFiles, pod: StaticPodName): readonly string[] =>
  podFolders(files, pod).map(({ uid }) => uid);

/** Pods that the API made, of the same name or not, have dashes in their uid; a static pod's is a hash. */
function podFolders(files: HostFiles, pod: StaticPodName): readonly { readonly name: string; readonly uid: string }[] {
  return files.list(POD_LOGS).flatMap((name) => {
    const [namespace, podName = '', uid = ''] = name.split('_');
    const isIts = namespace === pod.namespace && podName.startsWith(`${pod.name}-`) && uid !== '' && !uid.includes('-');
    return isIts ? [{ name, uid }] : [];
  });
}

function readLog(files: HostFiles, folder: string, uid: string): ContainerLog | null {
  const runs = files
    .list(folder)
    .flatMap((name) => /^(\d+)\.log$/.exec(name)?.[1] ?? [])
    .map(Number)
    .sort((a, b) => a - b);
  const newest = runs.at(-1);
  const oldest = runs[0];
  if (newest === undefined || oldest === undefined) return null;
  const beganAt = Date.parse(
    /^\S+/.exec(files.readPart(`${folder}/${oldest}.log`, TAIL_BYTES, 'head') ?? '')?.[0] ?? '',
  );
  if (Number.isNaN(beganAt)) return null;
  const before = runs.at(-2);
  return {
    uid,
    restarts: newest,
    beganAt,
    last: lastLine(files, `${folder}/${newest}.log`),
    lastBefore: before === undefined ? '' : lastLine(files, `${folder}/${before}.log`),
  };
}

/** What a component says last when it ends for want of its Lease, and what its election said before. */
const LEASE_LOST = /leader ?election lost/i;
const NOT_RENEWED = /failed to renew lease/i;

/**
 * The message of the last line, without the time, stream and tag that the runtime puts before it. A controller manager that gives up for another
 * reason says too that it lost its Lease (kube-controller-manager 1.36, `OnStoppedLeading`); then the reason is the line before.
 */
function lastLine(files: HostFiles, file: string): string {
  const lines = (files.readPart(file, TAIL_BYTES, 'tail') ?? '').split('\n').filter((line) => line.trim() !== '');
  const gaveUp = LEASE_LOST.test(lines.at(-1) ?? '') && !lines.some((line) => NOT_RENEWED.test(line));
  const message = (lines.at(gaveUp ? -2 : -1) ?? '').replace(/^\S+ (?:stdout|stderr) [FP] /, '').trim();
  return message.slice(0, MAX_LINE);
}
