import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseAllDocuments } from 'yaml';
import type { KubeClient } from '../../src/kube/client.ts';
import type { KubeError } from '../../src/kube/errors.ts';
import { asString, at } from '../../src/model/object.ts';
import type { Result } from '../../src/result.ts';
import { startCluster, type TestCluster } from '../cluster/index.ts';
import { connectTo } from './connect.ts';
import { install, serviceAccountKubeconfig } from './install.ts';

const FOLDER = fileURLToPath(new URL('../../config/admission/', import.meta.url));

/** Names of all admission policies that are installed. */
export const policyNames: readonly string[] = readdirSync(FOLDER)
  .filter((file) => file !== 'kustomization.yaml')
  .flatMap((file) => parseAllDocuments(readFileSync(`${FOLDER}${file}`, 'utf8')))
  .map((document) => document.toJS() as unknown)
  .filter((object) => at(object, 'kind') === 'ValidatingAdmissionPolicy')
  .flatMap((object) => asString(at(object, 'metadata', 'name')) ?? []);

/** A cluster with the policies, and two to try them: the operator's service account, and an administrator. */
export interface PolicyScene {
  readonly cluster: TestCluster;
  readonly operator: KubeClient;
  readonly admin: KubeClient;
  stop(): Promise<void>;
}

export async function startWithPolicies(): Promise<PolicyScene> {
  const cluster = await startCluster({ controlPlanes: 1, workers: 1 });
  await install(cluster);
  const [operator, admin] = [
    await connectTo(await serviceAccountKubeconfig(cluster, 'dualstack-operator')),
    await connectTo(cluster.kubeconfig),
  ];
  return {
    cluster,
    operator: operator.client,
    admin: admin.client,
    async stop() {
      await operator.close();
      await admin.close();
      await cluster.stop();
    },
  };
}

/** Nothing is stored. */
export const TRIAL = { dryRun: true, fieldManager: 'dualstack-operator' } as const;

export async function sure<T>(call: Promise<Result<T, KubeError>>): Promise<T> {
  const done = await call;
  if (!done.ok) throw new Error(done.error.message);
  return done.value;
}

/** The server's words; `done` where it had no objection. */
export async function said(call: Promise<Result<unknown, KubeError>>): Promise<string> {
  const done = await call;
  return done.ok ? 'done' : done.error.message;
}
