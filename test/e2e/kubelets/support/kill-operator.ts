import { expect } from '@jest/globals';
import type { KubeClient } from '../../../../src/kube/client.ts';
import type { KubeObject } from '../../../../src/model/object.ts';
import { connectTo } from '../../../support/connect.ts';
import type { RealCluster } from '../../cluster/index.ts';

const MINUTE = 60_000;

/** Kills the operator's processes, whose pods the kubelets then start anew. */
export function killOperator(cluster: RealCluster): void {
  const operators = operatorPids(cluster);
  for (const pid of operators) process.kill(pid, 'SIGKILL');
  expect(operators.length).toBeGreaterThan(0);
}

const operatorPids = (cluster: RealCluster): readonly number[] =>
  cluster.nodes.flatMap(({ machine }) => machine.pids(/ \/app\/main\.js operator /u));

/** Kills the operator as soon as a Node is gone, or on its way: before its successor was made. Gives that Node's name. */
export async function killOperatorAtDeletion(cluster: RealCluster, deadlineMs = MINUTE): Promise<string> {
  const admin = await connectTo(cluster.kubeconfig);
  try {
    const uids = new Map((await nodesNow(admin.client)).map(({ metadata }) => [metadata.name, metadata.uid]));
    const operators = operatorPids(cluster);
    const end = performance.now() + deadlineMs;
    while (performance.now() < end) {
      const here = await nodesNow(admin.client);
      const going = [...uids].find(
        ([name, uid]) =>
          !here.some(({ metadata }) => metadata.uid === uid && metadata.deletionTimestamp === undefined) &&
          !here.some(({ metadata }) => metadata.name === name && metadata.uid !== uid),
      );
      if (going === undefined) continue;
      for (const pid of operators) process.kill(pid, 'SIGKILL');
      expect(operators.length).toBeGreaterThan(0);
      return going[0];
    }
    throw new Error('no Node was seen to be deleted');
  } finally {
    await admin.close();
  }
}

async function nodesNow(client: KubeClient): Promise<readonly KubeObject[]> {
  const listed = await client.list({ apiVersion: 'v1', kind: 'Node' });
  if (!listed.ok) throw new Error(listed.error.message);
  return listed.value.items;
}
