import type { NodeFacts } from '../../model/facts.ts';
import { STATIC_PODS, type StaticPod, type StaticPodReport } from '../../model/host.ts';
import { type Known, known, unknown } from '../../model/reader.ts';
import type { MirrorPod } from './facts.ts';

/** One kube-apiserver or kube-controller-manager. */
export interface Instance {
  readonly component: StaticPod;
  readonly node: string;
  /** The flags that it runs with. */
  readonly flags: Known<Readonly<Record<string, string>>>;
  /** Where the flags were read: the process itself where an agent sees it, else its mirror Pod. */
  readonly source: string;
  /** When the process started (RFC 3339); null: nobody saw it. */
  readonly startedAt: string | null;
  /** Null: well. Otherwise what is wrong. */
  readonly ailment: string | null;
}

/**
 * The instances of both components. A control-plane node without either sign of a component counts as one whose flags are unknown, unless its
 * agent says that there is no such static pod.
 */
export function makeInstances(
  nodes: readonly NodeFacts[],
  mirrorPods: Known<readonly MirrorPod[]>,
): readonly Instance[] {
  return STATIC_PODS.flatMap((component) =>
    nodes.flatMap((node) => {
      const mirror = mirrorPods.known
        ? mirrorPods.value.find((pod) => pod.component === component && pod.node === node.name)
        : undefined;
      const report = node.agent?.report?.staticPods[component];
      const isExpected = node.controlPlane && !saysThereIsNone(node, component);
      if (mirror === undefined && report === undefined && !isExpected) return [];
      return [makeInstance(component, node, report, mirror, mirrorPods)];
    }),
  );
}

const saysThereIsNone = (node: NodeFacts, component: StaticPod): boolean =>
  node.agent?.report !== null &&
  node.agent?.report !== undefined &&
  node.agent.report.staticPods[component] === undefined;

function makeInstance(
  component: StaticPod,
  node: NodeFacts,
  report: StaticPodReport | undefined,
  mirror: MirrorPod | undefined,
  mirrorPods: Known<readonly MirrorPod[]>,
): Instance {
  const base = { component, node: node.name };
  const ailment = ailmentOf(node, report, mirror, mirrorPods);
  if (report?.running) {
    const { args, startedAt } = report.running;
    return { ...base, flags: known(args), source: `process on ${node.name}`, startedAt, ailment };
  }
  if (report !== undefined) {
    // The file tells what the next process will run with, which proves nothing: `ailment` says that there is no process.
    return { ...base, flags: known(report.args), source: report.file, startedAt: null, ailment };
  }
  if (mirror !== undefined) {
    return { ...base, flags: known(mirror.flags), source: `Pod kube-system/${mirror.name}`, startedAt: null, ailment };
  }
  const why = mirrorPods.known ? `Pod kube-system/${component}-${node.name} is not there` : mirrorPods.why;
  return { ...base, flags: unknown(why), source: '', startedAt: null, ailment };
}

function ailmentOf(
  node: NodeFacts,
  report: StaticPodReport | undefined,
  mirror: MirrorPod | undefined,
  mirrorPods: Known<readonly MirrorPod[]>,
): string | null {
  if (!node.ready) return `Node ${node.name} is not ready`;
  if (report?.running === null) return 'no such process runs';
  if (report?.healthy === false) return 'its health endpoint does not answer well';
  if (!mirrorPods.known) return null;
  if (mirror === undefined) return 'its mirror Pod is not there';
  if (!mirror.ready) return 'its mirror Pod is not ready';
  return mirrorLags(report, mirror);
}

/** After an edit the kubelet makes a new mirror Pod; until then readiness is that of the process before. */
function mirrorLags(report: StaticPodReport | undefined, mirror: MirrorPod): string | null {
  const running = report?.running?.args;
  if (running === undefined) return null;
  const differs = Object.keys({ ...report?.args }).find((flag) => running[flag] !== mirror.flags[flag]);
  return differs === undefined ? null : `its mirror Pod still shows another --${differs}`;
}

export const instancesOf = (instances: readonly Instance[], component: StaticPod): readonly Instance[] =>
  instances.filter((instance) => instance.component === component);

/** A flag's value; undefined when it is not set or cannot be read. */
export const flagOf = (instance: Instance, flag: string): string | undefined =>
  instance.flags.known ? instance.flags.value[flag] : undefined;
