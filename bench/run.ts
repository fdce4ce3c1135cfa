// `make bench`: prints lines `NAME ours X reference Y ratio Z`. Each figure and its reference are measured in this same run.
import { fileURLToPath } from 'node:url';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { type ClusterOptions, startCluster, type TestCluster } from '../test/cluster/index.ts';
import { hostsReported, install, startAgents, startOperator } from '../test/support/install.ts';
import { convertByHand } from './by-hand.ts';

const { values } = parseArgs({
  options: {
    profile: { type: 'string', default: 'slow' },
    'idle-seconds': { type: 'string', default: '300' },
    workers: { type: 'string', default: '3' },
  },
});
const SAMPLE = fileURLToPath(new URL('../config/samples/dualstackcluster.yaml', import.meta.url));
const options: ClusterOptions = {
  controlPlanes: 3,
  workers: Number(values.workers),
  calico: { manifest: 'vxlan' },
  profile: values.profile === 'fast' ? 'fast' : 'slow',
};
const began = Date.now();
const progress = (text: string): void => console.error(`[${((Date.now() - began) / 1000).toFixed(0)} s] ${text}`);
const say = (name: string, ours: number, reference: number, unit: string): void =>
  console.log(
    `${name} ours ${ours.toFixed(2)}${unit} reference ${reference.toFixed(2)}${unit} ratio ${(ours / reference).toFixed(2)}`,
  );

const reference = await withCluster(async (cluster) => {
  progress(`converting by hand (${options.profile} profile)`);
  return seconds(() => convertByHand(cluster));
});
progress(`by hand: ${reference.toFixed(1)} s`);

await withCluster(async (cluster) => {
  await install(cluster);
  const agents = await startAgents(cluster);
  const [operator, ours] = await convert(cluster);
  say('conversion', ours, reference, 's');

  progress('starting the operator again');
  await operator.stop();
  const first = await timeToFirstStatus(cluster);
  say('start-to-first-status', first.ours, first.reference, 's');

  progress(`idle for ${values['idle-seconds']} s`);
  const idle = await idleWrites(cluster, Number(values['idle-seconds']) * 1000);
  say('idle-writes', idle.ours, idle.reference, '');
  await first.operator.stop();
  await agents.stop();
});

type Operator = Awaited<ReturnType<typeof startOperator>>;

async function convert(cluster: TestCluster): Promise<readonly [Operator, number]> {
  const operator = await startOperator(cluster);
  await hostsReported(cluster);
  progress('converting by the operator');
  const took = await seconds(async () => {
    await cluster.kubectl(['apply', '-f', SAMPLE]);
    await cluster.kubectl(['wait', '--for=condition=Ready', '--timeout=1800s', 'dualstackcluster/cluster']);
  });
  progress(`by the operator: ${took.toFixed(1)} s`);
  return [operator, took];
}

/**
 * From the start of the process until its first word on a resource that is new to it. Reference: a Go program that starts, finds the
 * kind by discovery and reads the same resource once.
 */
async function timeToFirstStatus(
  cluster: TestCluster,
): Promise<{ readonly ours: number; readonly reference: number; readonly operator: Operator }> {
  await cluster.kubectl(['patch', 'dualstackcluster', 'cluster', '--type=merge', '-p', '{"spec":{"paused":true}}']);
  // A stopped operator gave its Lease back, so that the next one need not wait for it to run out.
  const started = Date.now();
  const operator = await startOperator(cluster);
  const generation = await field(cluster, '{.metadata.generation}');
  while ((await field(cluster, '{.status.observedGeneration}')) !== generation) await sleep(20);
  const ours = (Date.now() - started) / 1000;
  const reads: number[] = [];
  for (let run = 0; run < 5; run++) {
    const cache = ['--cache-dir', `${cluster.dir}/.run/cache-${run}`];
    reads.push(await seconds(() => cluster.kubectl(['get', 'dualstackcluster', 'cluster', ...cache])));
  }
  await cluster.kubectl(['patch', 'dualstackcluster', 'cluster', '--type=merge', '-p', '{"spec":{"paused":false}}']);
  await cluster.kubectl(['wait', '--for=condition=Ready', '--timeout=120s', 'dualstackcluster/cluster']);
  return { ours, reference: reads.toSorted((a, b) => a - b)[2] ?? 0, operator };
}

async function field(cluster: TestCluster, path: string): Promise<string> {
  const { stdout } = await cluster.kubectl(['get', 'dualstackcluster', 'cluster', '-o', `jsonpath=${path}`]);
  return stdout;
}

/** Writes of the operator and its agents but for Lease renewals; reference: those renewals, which any operator makes. */
async function idleWrites(
  cluster: TestCluster,
  milliseconds: number,
): Promise<{ readonly ours: number; readonly reference: number }> {
  // What the last change set off has come to rest by then.
  await sleep(15_000);
  const since = Date.now();
  await sleep(milliseconds);
  const writes = (await cluster.auditedWrites(since)).filter(
    ({ user, dryRun }) => !dryRun && user.startsWith('system:serviceaccount:dualstack-system:'),
  );
  const renewals = writes.filter(({ resource }) => resource === 'coordination.k8s.io/leases');
  for (const write of writes.filter((each) => !renewals.includes(each))) {
    progress(`idle write: ${write.user} ${write.verb} ${write.resource} ${write.name}`);
  }
  return { ours: writes.length - renewals.length, reference: renewals.length };
}

async function withCluster<T>(use: (cluster: TestCluster) => Promise<T>): Promise<T> {
  progress(`starting ${options.controlPlanes} control planes and ${options.workers} workers`);
  const cluster = await startCluster(options);
  try {
    return await use(cluster);
  } finally {
    await cluster.stop();
  }
}

async function seconds(work: () => Promise<unknown>): Promise<number> {
  const started = Date.now();
  await work();
  return (Date.now() - started) / 1000;
}
