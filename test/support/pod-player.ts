import type { KubeClient } from '../../src/kube/client.ts';
import { asArray, asString, at, type KubeObject } from '../../src/model/object.ts';
import { encodeResults, type ProbeOrder, type ProbeResult, type ProbeTask } from '../../src/model/probe.ts';
import { ok } from '../../src/result.ts';
import type { FakeKube } from './fake-kube.ts';

export interface PodPlayer {
  /** The client over which pods come to life. */
  readonly client: KubeClient;
  /** What becomes of each task; by default it passes. */
  answer: (task: ProbeTask, node: string) => ProbeResult;
  /** A status for a pod of that node instead of the usual one; null: the usual one. */
  status: (pod: KubeObject, node: string) => object | null;
  /** Most pods that were there at the same time. */
  readonly most: () => number;
}

const ended = (message: string): object => ({
  phase: 'Succeeded',
  containerStatuses: [{ state: { terminated: { reason: 'Completed', message } } }],
});

/** Plays kubelet, network plug-in and probe program: a server runs at once, a runner has its results at once. */
export function podPlayer(kube: FakeKube): PodPlayer {
  let most = 0;
  const addressOf = new Map<string, number>();
  const indexOf = (node: string): number => {
    if (!addressOf.has(node)) addressOf.set(node, addressOf.size);
    return addressOf.get(node) ?? 0;
  };
  const usual = (pod: KubeObject, node: string): object => {
    const text = asArray(at(pod, 'spec', 'containers', 0, 'env')).find((entry) => at(entry, 'name') === 'PROBE_ORDER');
    if (text === undefined) {
      const index = indexOf(node);
      const podIPs = [{ ip: `10.244.${index}.5` }, { ip: `fd00:10:244:${index}::5` }];
      return { phase: 'Running', podIPs, containerStatuses: [{ ready: true }] };
    }
    const order = JSON.parse(asString(at(text, 'value')) ?? '') as ProbeOrder;
    return ended(encodeResults(order.tasks.map((task) => player.answer(task, node))));
  };
  const client: KubeClient = {
    ...kube.client,
    async create(object) {
      const addressed = object.kind === 'Service' ? withAddresses(object) : object;
      const created = await kube.client.create(addressed);
      if (!created.ok) return created;
      if (object.kind !== 'Pod') return ok(created.value);
      const node = asString(at(object, 'spec', 'nodeName')) ?? '';
      kube.put({ ...created.value, status: player.status(object, node) ?? usual(object, node) });
      const all = await kube.client.list({ apiVersion: 'v1', kind: 'Pod' });
      most = Math.max(most, all.ok ? all.value.items.length : 0);
      return created;
    },
  };
  const player: PodPlayer = {
    client,
    answer: () => ({ ok: true, microseconds: 500 }),
    status: () => null,
    most: () => most,
  };
  return player;
}

function withAddresses(service: KubeObject): KubeObject {
  const spec = service['spec'] as Readonly<Record<string, unknown>>;
  const headless = spec['clusterIP'] === 'None';
  const families = asArray(spec['ipFamilies']);
  const clusterIPs = headless
    ? ['None']
    : families.map((family) => (family === 'IPv6' ? 'fd00:10:96::101' : '10.96.1.1'));
  const ports = spec['type'] === 'NodePort' ? [{ port: 27874, nodePort: 31_000 }] : spec['ports'];
  return { ...service, spec: { ...spec, clusterIPs, ports } };
}
