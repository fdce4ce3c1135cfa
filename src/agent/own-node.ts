import { API_VERSION, NODE } from '../api/names.ts';
import type { KubeClient } from '../kube/client.ts';
import { errorText } from '../kube/errors.ts';
import { reflector } from '../kube/reflector.ts';
import type { KubeObject } from '../model/object.ts';
import { err, ok } from '../result.ts';
import type { Clock, Random } from '../runtime/clock.ts';
import type { Logger } from '../runtime/log.ts';
import type { OwnNode, OwnObject } from './pass.ts';

interface OwnNodeOptions {
  readonly nodeName: string;
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  /** Called when the object is not what it was. */
  readonly onChange: () => void;
}

/** A status that cannot be written at once must not keep the agent from watching the very component that is away. */
const WRITE_TIMEOUT_MS = 3_000;

/** The agent's object in the API: watched by name, so that no other node's is ever even read. */
export function watchOwnNode(options: OwnNodeOptions): OwnNode & { run(signal: AbortSignal): Promise<void> } {
  const { nodeName, client, clock, random, log } = options;
  const cache = reflector<KubeObject>({
    client,
    clock,
    random,
    query: { apiVersion: API_VERSION, kind: NODE.kind, fieldSelector: `metadata.name=${nodeName}` },
    trim: (object) => object,
    onChange: options.onChange,
    onError: (error) => log.debug('the DualStackNode cannot be watched for now', { problem: messageOf(error) }),
  });
  /** What the server answered to the last write, until the watch brings something newer than what was written over. */
  let answered: { readonly over: string; readonly object: KubeObject } | null = null;

  const latest = (): KubeObject | null => {
    const cached = cache.get(nodeName);
    if (cached === undefined) return null;
    return answered !== null && cached.metadata.resourceVersion === answered.over ? answered.object : cached;
  };

  return {
    run: (signal) => cache.run(signal),
    current: () => {
      const object = latest();
      return object === null ? null : ownObject(object);
    },
    async writeStatus(status) {
      const over = cache.get(nodeName)?.metadata.resourceVersion ?? '';
      const written = await client.jsonPatch(
        { apiVersion: API_VERSION, kind: NODE.kind, name: nodeName },
        // `add` replaces what is there whole: a merge would keep keys that are gone from the host.
        [{ op: 'add', path: '/status', value: status }],
        { subresource: 'status', fieldManager: 'dualstack-agent', signal: AbortSignal.timeout(WRITE_TIMEOUT_MS) },
      );
      if (!written.ok) return err(errorText(written.error));
      answered = { over, object: written.value };
      return ok(ownObject(written.value));
    },
  };
}

const ownObject = (object: KubeObject): OwnObject => ({
  name: object.metadata.name,
  generation: object.metadata.generation ?? 0,
  spec: object['spec'],
  status: object['status'],
});

const messageOf = (error: Error | { readonly message: string }): string => error.message;
