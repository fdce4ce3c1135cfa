import { createInterface } from 'node:readline';
import { fillWithConfigMaps, loadThroughRestart, type ServerAccess } from '../../../support/request-load.ts';
import { startSlowWebhook } from '../../../support/slow-webhook.ts';

/** What the program is told by its argument. */
export interface LoadSetup {
  readonly access: ServerAccess;
  /** Address here at which API servers reach the webhook. */
  readonly webhookHost: string;
  readonly configMaps: number;
}

/** What it says, a line each. */
export type LoadEvent =
  | { readonly is: 'Webhook'; readonly configuration: object }
  | { readonly is: 'Filled' }
  | { readonly is: 'Begun' }
  | { readonly is: 'Result'; readonly result: Awaited<ReturnType<typeof loadThroughRestart>> };

// Runs in the network between the hosts, where the API servers are reached directly. Each line of the input is one load: how long creations are held up.
const setup = JSON.parse(process.argv[2] ?? '') as LoadSetup;
const say = (event: LoadEvent): void => void process.stdout.write(`${JSON.stringify(event)}\n`);
const webhook = await startSlowWebhook(setup.webhookHost);
say({ is: 'Webhook', configuration: webhook.configuration });
await fillWithConfigMaps(setup.access, setup.configMaps);
say({ is: 'Filled' });
for await (const line of createInterface({ input: process.stdin })) {
  const holdMs = JSON.parse(line) as readonly number[];
  say({ is: 'Result', result: await loadThroughRestart(setup.access, holdMs, () => say({ is: 'Begun' })) });
}
await webhook.stop();
