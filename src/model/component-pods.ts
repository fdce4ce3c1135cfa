import type { Basics } from './facts.ts';
import { parseFlags } from './flags.ts';
import type { StaticPod } from './host.ts';
import { asArray, asString, at, type KubeObject } from './object.ts';
import { type Known, known, type Reader, unknown } from './reader.ts';

/** A component of the control plane that runs as a Pod, as static pods do: the API shows its command line. */
export interface ComponentPod {
  readonly component: StaticPod;
  readonly name: string;
  readonly node: string;
  readonly flags: Readonly<Record<string, string>>;
  readonly ready: boolean;
}

/**
 * The Pods of a component in kube-system. None where it runs as a process of its host, or outside of the cluster. They go by their names, as the kubelet
 * names static pods, and by the program that they run: labels differ from one installer to the next, and other things are named like them.
 */
export async function readComponentPods(
  reader: Reader,
  basics: Basics,
  component: StaticPod,
): Promise<Known<readonly ComponentPod[]>> {
  const names = basics.objects.Pod.flatMap((key) => {
    const [namespace, name = ''] = key.split('/');
    return namespace === 'kube-system' && name.startsWith(`${component}-`) ? [name] : [];
  });
  const reads = await Promise.all(
    names.map((name) => reader.get({ apiVersion: 'v1', kind: 'Pod', namespace: 'kube-system', name })),
  );
  const unreadable = reads.find((read) => read.is === 'Unreadable');
  if (unreadable !== undefined) return unknown(unreadable.why);
  return known(reads.flatMap((read) => (read.is === 'Found' ? toComponentPods(read.value, component) : [])));
}

function toComponentPods(pod: KubeObject, component: StaticPod): readonly ComponentPod[] {
  for (const container of asArray(at(pod, 'spec', 'containers'))) {
    const flags = flagsOf(container, component);
    if (flags === null) continue;
    return [
      {
        component,
        name: pod.metadata.name,
        node: asString(at(pod, 'spec', 'nodeName')) ?? '',
        flags,
        ready: asArray(at(pod, 'status', 'conditions')).some(
          (condition) => at(condition, 'type') === 'Ready' && at(condition, 'status') === 'True',
        ),
      },
    ];
  }
  return [];
}

/** The flags with which a container runs that program, which may come after a wrapper; null: it does not run it. */
export function flagsOf(container: unknown, program: string): Readonly<Record<string, string>> | null {
  const words = [...asArray(at(container, 'command')), ...asArray(at(container, 'args'))].flatMap(
    (word) => asString(word) ?? [],
  );
  const start = words.findIndex((word) => word === program || word.endsWith(`/${program}`));
  return start < 0 ? null : parseFlags(words.slice(start + 1));
}
