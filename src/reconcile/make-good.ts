import { type Recovered, recoverNodes } from '../apply/bring-back.ts';
import type { KubeClient } from '../kube/client.ts';
import { errorText, type KubeError } from '../kube/errors.ts';
import type { EventRecorder } from '../kube/events.ts';
import { refText } from '../model/object.ts';
import { REPLACED_NODES_SECRET } from '../model/replaced-node.ts';
import { err, ok, type Result, unreachable } from '../result.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Logger } from '../runtime/log.ts';
import type { NodeCache } from './node-cache.ts';

export interface MakeGoodDeps {
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly log: Logger;
  readonly events: EventRecorder;
  /** Told of each Node that comes back. */
  readonly nodes?: Pick<NodeCache, 'forget'>;
}

/** How long one pass waits for a Node that is on its way. Its going wakes the next pass at once. */
const PATIENCE_MS = 2_000;

/**
 * Brings every Node back whose replacement was begun and not ended, whatever the resources ask for, and tells. Gives the names of those that
 * are still on their way. An error: a Node is missing, or it could not be told; then nothing else is to be done first.
 */
export async function makeGood(deps: MakeGoodDeps): Promise<Result<ReadonlySet<string>, string>> {
  const { recovered, problem } = await recoverNodes(deps, PATIENCE_MS);
  if (recovered.length > 0) deps.nodes?.forget();
  for (const each of recovered) tellOf(each, deps);
  if (problem !== null) {
    deps.log.warn('it could not be told whether a Node is being replaced', { error: problem });
    return err(`it could not be told whether a Node is being replaced: ${problem}`);
  }
  for (const { node, back } of recovered) if (back.is === 'Missing') return err(missingText(node, back.error));
  const onTheirWay = recovered.filter(({ back }) => back.is === 'Terminating' || back.is === 'Alive');
  return ok(new Set(onTheirWay.map(({ node }) => node)));
}

const missingText = (node: string, error: KubeError): string =>
  `Node ${node} was deleted to be replaced and cannot be created again (it is stored in ${refText(REPLACED_NODES_SECRET)}): ${errorText(error)}`;

function tellOf({ node, uid, back }: Recovered, { log, events }: MakeGoodDeps): void {
  const regarding = { apiVersion: 'v1', kind: 'Node', name: node, ...(uid === undefined ? {} : { uid }) };
  switch (back.is) {
    case 'Back':
      log.info('a Node that was being replaced is back', { node, created: back.created });
      if (!back.created) return;
      void events.record(regarding, {
        type: 'Normal',
        reason: 'NodeBroughtBack',
        action: 'ReplaceNode',
        note: `Node ${node} was created again from what was stored before it was deleted`,
      });
      return;
    case 'Reregistered':
      log.warn('a Node that was being replaced was registered anew by somebody else', { node, what: back.what });
      void events.record(regarding, {
        type: 'Warning',
        reason: 'NodeReregistered',
        action: 'ReplaceNode',
        note: `Node ${node} was registered anew by somebody else while it was being replaced: ${back.what}`,
      });
      return;
    case 'Terminating':
      log.debug('a Node that is being replaced waits for the garbage collector', { node });
      return;
    case 'Alive':
      log.debug('a Node that was to be replaced was not deleted', { node });
      return;
    case 'Missing':
      log.error('a Node that was being replaced could not be created again', { node, error: errorText(back.error) });
      void events.record(regarding, {
        type: 'Warning',
        reason: 'NodeMissing',
        action: 'ReplaceNode',
        note: missingText(node, back.error),
      });
      return;
    default:
      return unreachable(back);
  }
}
