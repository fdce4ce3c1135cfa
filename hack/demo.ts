// `make demo`: a real control plane becomes dual-stack before your eyes.
import { spawn } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { startCluster, type TestCluster } from '../test/cluster/index.ts';
import { unavoidableRestarts } from '../test/support/downtime.ts';
import { hostsReported, install, PROGRAM, startAgents, startOperator } from '../test/support/install.ts';
import { sideBySide, takeSnapshot } from './demo-snapshot.ts';

const { values } = parseArgs({ options: { keep: { type: 'boolean', default: false } } });
const SAMPLE = fileURLToPath(new URL('../config/samples/dualstackcluster.yaml', import.meta.url));
const started = Date.now();
const seconds = (since: number): string => `${((Date.now() - since) / 1000).toFixed(0)} s`;
const title = (text: string): void => console.log(`\n── ${text} ${'─'.repeat(Math.max(0, 76 - text.length))}`);

const REQUIRE_DUAL_STACK = `apiVersion: v1
kind: Service
metadata: {name: after, namespace: default}
spec: {ipFamilyPolicy: RequireDualStack, selector: {app: after}, ports: [{port: 80}]}
`;

let cluster: TestCluster | undefined;
let stopParts: () => Promise<void> = () => Promise.resolve();
try {
  await run();
} catch (error) {
  console.error(`\nThe demo failed: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
} finally {
  await stopParts();
  await cluster?.stop();
}

async function run(): Promise<void> {
  title('A kubeadm cluster with IPv4 alone: 3 control planes, 3 workers, Calico');
  cluster = await startCluster({
    controlPlanes: 3,
    workers: 3,
    calico: { manifest: 'vxlan' },
    log: (line) => {
      if (!line.includes(': ')) console.log(`  [${seconds(started)}] ${line}`);
    },
  });
  const here = cluster;
  await install(here);
  const [agents, operator] = await Promise.all([startAgents(here), startOperator(here)]);
  stopParts = async () => {
    await operator.stop();
    await agents.stop();
  };
  await hostsReported(here);
  await here.kubectl(['create', 'service', 'clusterip', 'before', '--tcp=80:80']);
  console.log(`  [${seconds(started)}] real etcd, kube-apiserver, kube-controller-manager and kube-scheduler run;`);
  console.log('         kubelets, pods and Calico are played, the operator and its agents are real.');

  title('What would be done: kubectl dualstack plan -f config/samples/dualstackcluster.yaml');
  await dualstack(here, ['plan', '-f', SAMPLE]);
  const before = await takeSnapshot(here);

  title('kubectl apply -f config/samples/dualstackcluster.yaml');
  const applied = Date.now();
  await here.kubectl(['apply', '-f', SAMPLE]);
  const code = await dualstack(here, ['status', '--watch', '--name', 'cluster']);
  if (code !== 0) throw new Error(`the cluster did not become Ready (exit code ${code}); see the status above`);
  const took = Date.now() - applied;

  title('Before and after');
  await here.kubectl(['apply', '-f', '-'], REQUIRE_DUAL_STACK);
  const after = await takeSnapshot(here);
  console.log(sideBySide(before, after));
  title('Nodes: kubectl dualstack nodes');
  await dualstack(here, ['nodes']);

  const restarts = unavoidableRestarts(here, applied);
  console.log(`
It took ${(took / 1000).toFixed(1)} s. Of these, ${(restarts.totalMs / 1000).toFixed(1)} s are restarts of control-plane components
(${restarts.parts.map(({ component, count, ms }) => `${count} × ${component} ${(ms / 1000).toFixed(1)} s`).join(', ')}), and 30 s are
spent on seeing the new kube-controller-manager hold its Lease before a second
one is touched.
At most ${here.balancer.mostDownAtOnce(applied)} API server was down at a time.`);
  if (values.keep) await keep(here);
}

async function keep(here: TestCluster): Promise<void> {
  const bin = join(here.dir, 'bin');
  await mkdir(bin, { recursive: true });
  await writeFile(join(bin, 'kubectl-dualstack'), `#!/bin/sh\nexec ${process.execPath} ${PROGRAM} "$@"\n`, {
    mode: 0o755,
  });
  console.log(`
The cluster stays until Ctrl-C. In another terminal:
  export KUBECONFIG=${here.kubeconfig}
  export PATH=${bin}:$PATH
  kubectl get dualstackcluster
  kubectl dualstack status`);
  await new Promise<void>((resolve) => {
    process.once('SIGINT', () => resolve());
    process.once('SIGTERM', () => resolve());
    setInterval(() => undefined, 60_000);
  });
  process.exit(0);
}

/** The command as a user has it, on this terminal. */
function dualstack(here: TestCluster, args: readonly string[]): Promise<number> {
  const child = spawn(process.execPath, [PROGRAM, '--kubeconfig', here.kubeconfig, ...args], { stdio: 'inherit' });
  return new Promise((resolve) => {
    child.once('exit', (code) => resolve(code ?? 1));
  });
}
