import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { findBinaries } from '../../../hack/binaries.mjs';
import { type RealCluster, type RealNode, startRealCluster } from '../cluster/index.ts';
import {
  applyResource,
  conditionOf,
  dualStackCluster,
  isReady,
  isStalled,
  statusNow,
  untilStatus,
} from '../kubelets/support/conversion.ts';
import { checkPackets, failedText } from '../kubelets/support/packets.ts';
import { snapshotOf } from '../kubelets/support/snapshot.ts';
import { whereItRuns } from '../kubelets/support/where-it-runs.ts';

const MINUTES = 60_000;

whereItRuns('what goes wrong on real hosts is undone', () => {
  let cluster: RealCluster;
  let before: Readonly<Record<string, unknown>>;
  const only = (): RealNode => cluster.node('cp-1');
  const worker = (): RealNode => cluster.node('worker-1');

  beforeAll(async () => {
    cluster = await startRealCluster({ controlPlanes: 1, workers: 1 });
    await cluster.installOperator();
    before = await snapshotOf(cluster);
  }, 5 * MINUTES);

  afterAll(async () => {
    await cluster?.stop();
  }, MINUTES);

  test(
    'a kubelet that does not come back halts the conversion, with its flags as they were',
    async () => {
      const config = '/var/lib/kubelet/config.yaml';
      const good = worker().readFile(config);
      // As after an upgrade that went wrong and shows only at the next restart.
      worker().writeFile(config, `${good}\nnoSuchField: [\n`);
      await applyResource(cluster, dualStackCluster(cluster));
      const status = await untilStatus(cluster, 'it is Stalled', isStalled, 5 * MINUTES);

      expect(conditionOf(status, 'Stalled')).toMatchObject({ reason: 'StepFailed' });
      expect(conditionOf(status, 'Stalled')?.message).toContain('worker-1');
      expect(await worker().run(['cat', '/var/lib/kubelet/kubeadm-flags.env'])).toBe(
        before['worker-1 /var/lib/kubelet/kubeadm-flags.env'],
      );
      worker().writeFile(config, good);
      await worker().run(['systemctl', 'restart', 'kubelet']);
      await cluster.ready();
    },
    7 * MINUTES,
  );

  test(
    'an API server that does not come up with its new flag is taken back, and with it everything else',
    async () => {
      const manifest = (): string => only().readFile('/etc/kubernetes/manifests/kube-apiserver.yaml');
      const squatter = squat(only(), () => manifest().includes('fd00:10:97::'));
      try {
        await applyResource(
          cluster,
          dualStackCluster(cluster, {
            clusterNetwork: {
              pods: { cidrBlocks: ['fd00:10:244::/56'] },
              services: { cidrBlocks: ['fd00:10:97::/112'] },
            },
            rollout: { onFailure: 'RollBack' },
          }),
        );
        const status = await untilStatus(
          cluster,
          'it is rolled back',
          ({ rollBack }) => rollBack?.state === 'Done',
          8 * MINUTES,
        );
        expect(conditionOf(status, 'Stalled')).toMatchObject({ status: 'True', reason: 'RolledBack' });
        expect(conditionOf(status, 'Stalled')?.message).toContain('kube-apiserver on cp-1');
      } finally {
        await squatter.stop();
      }
      await cluster.ready();
      expect(await snapshotOf(cluster)).toEqual(before);
    },
    10 * MINUTES,
  );

  test(
    'an agent that is killed in the middle of its edit finishes it when it is there again',
    async () => {
      await applyResource(cluster, dualStackCluster(cluster));
      const killed = await onceEdited(only(), '/etc/kubernetes/manifests/kube-apiserver.yaml', 'fd00:10:96::');
      const status = await untilStatus(cluster, 'it is Ready', isReady, 8 * MINUTES);

      expect(killed).toBeGreaterThan(0);
      expect(conditionOf(status, 'ConnectivityVerified')?.status).toBe('True');
      expect(failedText(await checkPackets(cluster))).toBe('');
    },
    10 * MINUTES,
  );

  test(
    'a spec with one family takes it all back',
    async () => {
      const { stdout } = await cluster.kubectl(['get', 'dsc', 'cluster', '-o', 'jsonpath={.metadata.generation}']);
      await applyResource(
        cluster,
        dualStackCluster(cluster, {
          ipFamilies: [cluster.settings.primary],
          clusterNetwork: {
            pods: { cidrBlocks: [cluster.settings.podSubnet] },
            services: { cidrBlocks: [cluster.settings.serviceSubnet] },
          },
        }),
      );
      const back = Number(stdout) + 1;
      await untilStatus(
        cluster,
        'it is back to one family',
        (status) => status.observedGeneration === back && isReady(status),
        8 * MINUTES,
      );
      await cluster.ready();
      expect(await snapshotOf(cluster)).toEqual(before);
      expect(conditionOf(await statusNow(cluster), 'Ready')?.message).toContain('Not as before');
    },
    10 * MINUTES,
  );

  /** Kills every process of the agent there as soon as the file has the text. Gives how many. */
  async function onceEdited(node: RealNode, file: string, text: string): Promise<number> {
    const end = performance.now() + 5 * MINUTES;
    while (!node.readFile(file).includes(text)) {
      if (performance.now() > end) throw new Error(`${node.name}: ${file} was not edited`);
      await sleep(50);
    }
    const { stdout } = await node.exec(['pgrep', '--full', 'main.js agent']);
    const pids = stdout.split('\n').filter((pid) => pid !== '');
    await node.run(['kill', '-KILL', ...pids]);
    return pids.length;
  }
});

/** Takes the API server's port whenever it is free, for as long as that is wanted: as a wrong flag does, it lets no API server start. */
function squat(node: RealNode, wanted: () => boolean): { stop(): Promise<void> } {
  const stopping = new AbortController();
  const running = (async () => {
    const { podtool = 'podtool' } = await findBinaries({ names: ['podtool'] });
    let child: ChildProcess | undefined;
    while (!stopping.signal.aborted) {
      if (wanted() && !isAlive(child)) child = occupy(node, podtool);
      if (!wanted() && isAlive(child)) child?.kill();
      await sleep(50);
    }
    if (child !== undefined && isAlive(child)) {
      child.kill();
      await once(child, 'exit');
    }
  })();
  return {
    async stop() {
      stopping.abort();
      await running;
    },
  };
}

const isAlive = (child: ChildProcess | undefined): boolean =>
  child !== undefined && child.exitCode === null && child.signalCode === null;

const occupy = (node: RealNode, podtool: string): ChildProcess =>
  spawn('nsenter', ['--target', String(node.machine.pid), '--net', '--', podtool, 'serve', '6443'], {
    stdio: 'ignore',
  });
