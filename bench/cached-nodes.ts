// Our side of the comparison: the cached watch of Nodes as the operator has it, with what is made of each. Bundled before it is run, as the
// operator is. It says "synced N" once it has them all, and stays until it is stopped.
import { connect } from '../src/kube/connect.ts';
import { reflector } from '../src/kube/reflector.ts';
import { NODE_FIELDS } from '../src/observe/nodes.ts';
import { systemClock } from '../src/runtime/clock.ts';

// As in its pod, where there is no kubeconfig.
const made = await connect({
  serviceAccountFolder: process.argv[2] ?? '',
  version: 'bench',
  clock: systemClock,
  random: Math.random,
  environment: process.env,
});
if (!made.ok) throw new Error(made.error);
const stop = new AbortController();
process.once('SIGTERM', () => stop.abort());
const cache = reflector({
  client: made.value.client,
  clock: systemClock,
  random: Math.random,
  query: { apiVersion: 'v1', kind: 'Node', fields: NODE_FIELDS },
  trim: (node) => node,
  onError: (error) => console.error(error.message),
});
const running = cache.run(stop.signal);
if (await cache.whenSynced(stop.signal)) console.log(`synced ${cache.size}`);
await running;
await made.value.close();
