import type { NodeFacts, PodFacts, WorkloadFacts } from './facts.ts';
import type { RolloutWorkload, StepState } from './step.ts';
import { endedText, isRolledOut } from './workload.ts';
import { unreachable } from '../result.ts';

/** How far a DaemonSet has come that replaces its pods by itself. */
type Progress =
  | { readonly is: 'Done' }
  /** Every pod on a node that is Ready is new and ready; those of other nodes follow. */
  | { readonly is: 'DoneButAway'; readonly nodes: readonly string[] }
  | { readonly is: 'Waiting'; readonly why: string }
  /** Nothing moves any more unless this pod is deleted: the strategy is OnDelete, or a node that is away takes up the pace. */
  | { readonly is: 'Stuck'; readonly why: string; readonly next: PodFacts }
  | { readonly is: 'Crashing'; readonly pod: PodFacts };

/** What of a roll-out each program tells in words of its own. */
interface RolloutWords {
  /** All pods are new and ready: what that shows, or what is still waited for. */
  readonly done: StepState;
  readonly stuck: (why: string, next: PodFacts) => StepState;
  readonly crashing: (pod: PodFacts) => Pick<Extract<StepState, { readonly is: 'Failed' }>, 'why' | 'remedy'>;
}

/** The state of a step that waits for a roll-out. */
export function rolloutState(progress: Progress, { done, stuck, crashing }: RolloutWords): StepState {
  switch (progress.is) {
    case 'Done':
      return done;
    case 'DoneButAway':
      return { is: 'Deferred', why: `the pods on ${progress.nodes.join(', ')} follow when their nodes are back` };
    case 'Waiting':
      return { is: 'InProgress', why: progress.why };
    case 'Stuck':
      return stuck(progress.why, progress.next);
    case 'Crashing':
      return { is: 'Failed', ...crashing(progress.pod) };
    default:
      return unreachable(progress);
  }
}

/** What its container waits in, and how it ended before, for people. */
export const crashText = (pod: PodFacts): string =>
  [pod.waiting, endedText(pod)].filter(Boolean).join(', the last time ');

/** A DaemonSet that replaces its pods by itself is given its mark once; after that it is helped along where it is stuck. */
export const nextOfRollout = (
  progress: Progress,
  annotation: string,
  live: string | null,
  mark: string | null,
): RolloutWorkload['next'] =>
  mark === live
    ? {
        is: 'DeletePods',
        pods: progress.is === 'Stuck' ? [{ name: progress.next.name, uid: progress.next.uid }] : [],
      }
    : { is: 'Annotate', annotation, value: mark };

/** Seconds that a new pod may crash before it counts as failed: long enough for whatever else is still under way. */
const CRASH_SECONDS = 90;

/** What a container waits in that does not go by without help. */
const TROUBLE = ['CrashLoopBackOff', 'ImagePullBackOff', 'ErrImagePull', 'CreateContainerConfigError'];

export function progressOf(workload: WorkloadFacts, nodes: readonly NodeFacts[], now: number): Progress {
  if (isRolledOut(workload)) return { is: 'Done' };
  if (workload.newestHash === null || workload.observedGeneration < workload.generation) {
    return { is: 'Waiting', why: `the DaemonSet controller has not seen the newest template of ${workload.name} yet` };
  }

  const away = new Set(nodes.filter((node) => !node.ready).map((node) => node.name));
  const here = workload.pods.filter((pod) => !away.has(pod.node));
  const crashing = here.find(
    (pod) => TROUBLE.includes(pod.waiting ?? '') && now - Date.parse(pod.startedAt) > CRASH_SECONDS * 1000,
  );
  if (crashing !== undefined) return { is: 'Crashing', pod: crashing };

  const stale = here.filter((pod) => pod.hash !== workload.newestHash);
  const isQuiet = here.every((pod) => pod.ready && !pod.terminating);
  const awayNodes = [...new Set(workload.pods.filter((pod) => away.has(pod.node)).map((pod) => pod.node))];
  const [next] = stale;
  if (next === undefined) {
    return isQuiet && awayNodes.length > 0 && workload.pods.length >= workload.desired
      ? { is: 'DoneButAway', nodes: awayNodes }
      : { is: 'Waiting', why: waitsFor(workload, here) };
  }
  if (isQuiet && workload.strategy === 'OnDelete') {
    return { is: 'Stuck', why: 'the update strategy is OnDelete', next };
  }
  if (isQuiet && awayNodes.length > 0) return { is: 'Stuck', why: `not Ready: ${awayNodes.join(', ')}`, next };
  return { is: 'Waiting', why: waitsFor(workload, here) };
}

function waitsFor(workload: WorkloadFacts, here: readonly PodFacts[]): string {
  const done = here.filter((pod) => pod.hash === workload.newestHash && pod.ready && !pod.terminating).length;
  const troubled = here.find((pod) => pod.waiting !== null && pod.waiting !== 'ContainerCreating');
  const trouble = troubled === undefined ? '' : `; Pod ${troubled.name} on ${troubled.node}: ${troubled.waiting ?? ''}`;
  return `${done} of ${workload.desired} pods of ${workload.name} are new and ready${trouble}`;
}
