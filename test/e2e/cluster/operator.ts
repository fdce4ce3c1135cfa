import { join } from 'node:path';
import type { RealCluster } from './cluster.ts';

const CONFIG = join(import.meta.dirname, '../../../config/default');
const NAMESPACE = 'dualstack-system';
const DEADLINE = '120s';

/** As a user installs it, with the image that every node has already. Until operator and agents are Ready. */
export async function installOperator(cluster: RealCluster): Promise<void> {
  await cluster.kubectl(['apply', '-k', CONFIG]);
  await Promise.all(
    ['deployment/dualstack-operator', 'daemonset/dualstack-agent'].map((workload) =>
      cluster.kubectl(['rollout', 'status', workload, '--namespace', NAMESPACE, `--timeout=${DEADLINE}`]),
    ),
  );
}
