import { type Cluster, connect } from '../../src/kube/connect.ts';
import { systemClock } from '../../src/runtime/clock.ts';

/** A connection to a real API server, with that kubeconfig and nothing of the environment. */
export async function connectTo(kubeconfig: string): Promise<Cluster> {
  const connected = await connect({
    kubeconfig,
    version: 'test',
    clock: systemClock,
    random: Math.random,
    environment: {},
  });
  if (!connected.ok) throw new Error(connected.error);
  return connected.value;
}
