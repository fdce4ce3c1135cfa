import type { RealCluster } from '../../cluster/index.ts';

const MARK = 'example.com/written-by-people';

/** What a conversion may not change of each Node. */
export type NodesState = Readonly<Record<string, { readonly podCIDRs: readonly string[]; readonly own: Own }>>;

interface Own {
  /** The label and the annotation of `markNode`, where they are. */
  readonly marks: readonly string[];
  readonly taints: readonly string[];
  readonly unschedulable: boolean;
}

interface NodeJson {
  readonly metadata: {
    readonly name: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  readonly spec: {
    readonly podCIDRs?: readonly string[];
    readonly taints?: readonly { readonly key: string; readonly value?: string; readonly effect: string }[];
    readonly unschedulable?: boolean;
  };
}

/** Gives the last worker what people give Nodes: a label, an annotation and a taint that keeps nothing away for good. */
export async function markNode(cluster: RealCluster): Promise<void> {
  const node = cluster.workers.at(-1)?.name ?? '';
  await cluster.kubectl(['label', 'node', node, `${MARK}=label`]);
  await cluster.kubectl(['annotate', 'node', node, `${MARK}=annotation`]);
  await cluster.kubectl(['taint', 'node', node, `${MARK}=taint:PreferNoSchedule`]);
}

export async function nodesState(cluster: RealCluster): Promise<NodesState> {
  const { stdout } = await cluster.kubectl(['get', 'nodes', '-o', 'json']);
  const { items } = JSON.parse(stdout) as { readonly items: readonly NodeJson[] };
  return Object.fromEntries(
    items.map(({ metadata, spec }) => [
      metadata.name,
      {
        podCIDRs: spec.podCIDRs ?? [],
        own: {
          marks: [metadata.labels?.[MARK], metadata.annotations?.[MARK]].flatMap((mark) => mark ?? []),
          taints: (spec.taints ?? []).map(({ key, value, effect }) => `${key}=${value ?? ''}:${effect}`).toSorted(),
          unschedulable: spec.unschedulable ?? false,
        },
      },
    ]),
  );
}
