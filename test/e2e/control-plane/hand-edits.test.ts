import { readFileSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { calicoManifest } from '../../cluster/calico.ts';
import type { TestCluster, TestNode } from '../../cluster/index.ts';
import {
  askForDualStack,
  conditionOf,
  flagOf,
  type Installed,
  isReady,
  isStalled,
  SERVICES,
  startInstalled,
  statusNow,
  untilStatus,
} from '../../support/conversion.ts';
import { eventually } from '../../support/eventually.ts';
import { snapshotOf } from '../../support/snapshot.ts';
import { eventsOf } from '../../support/watching.ts';

// What people do to a converted cluster, one after another: each test begins and ends with a Ready one, but for the last.

const DEADLINE_MS = 180_000;
const PROXY = '/api/v1/namespaces/kube-system/configmaps/kube-proxy';
const FLAG = / {4}- --service-cluster-ip-range=.*\n/u;

let installed: Installed;
let cluster: TestCluster;
let converted: Awaited<ReturnType<typeof snapshotOf>>;
let proxyBefore: unknown;

beforeAll(async () => {
  // More nodes than times that a thing may be put right: new pods, one after another, must not look like a fight.
  installed = await startInstalled({ controlPlanes: 1, workers: 3, keep: process.env['KEEP'] === '1' });
  cluster = installed.cluster;
  proxyBefore = (await cluster.api.get(PROXY))?.['data'];
  await askForDualStack(cluster);
  await untilStatus(cluster, 'it is converted', isReady, DEADLINE_MS);
  converted = await snapshotOf(cluster);
}, DEADLINE_MS + 120_000);

afterAll(async () => {
  await installed?.stop();
}, 60_000);

test(
  'the original manifest of Calico applied again',
  async () => {
    await cluster.kubectl(
      ['apply', '--server-side', '--force-conflicts', '-f', '-'],
      calicoManifest({ manifest: 'vxlan' }),
    );
    await untilCorrected('ConfigMap kube-system/calico-config');
    // New pods and the strategy put back are part of it, not more of it.
    const corrected = (await statusNow(cluster))?.corrections?.map(({ id, count }) => `${count} ${id}`);
    expect(corrected?.toSorted()).toEqual(['1 calico/cni-config', '1 calico/env']);
  },
  DEADLINE_MS,
);

test(
  'a flag taken out of the manifest of kube-apiserver on its host',
  async () => {
    const host = controlPlane();
    const starts = cluster.history.of('kube-apiserver').length;
    const file = host.manifest('kube-apiserver');
    const text = readFileSync(file, 'utf8');
    expect(text).toMatch(FLAG);
    writeFileSync(file, text.replace(FLAG, '    - --service-cluster-ip-range=10.96.0.0/16\n'));
    await untilCorrected(`kube-apiserver on ${host.name} (--service-cluster-ip-range)`);
    expect(readFileSync(file, 'utf8')).toBe(text);
    expect(flagOf(cluster.history.running('kube-apiserver', host.name)!, 'service-cluster-ip-range')).toBe(SERVICES);
    // One start by the hand, one by the agent.
    expect(cluster.history.of('kube-apiserver')).toHaveLength(starts + 2);
  },
  DEADLINE_MS,
);

test(
  'the kube-proxy ConfigMap of one family again',
  async () => {
    await revertProxy();
    await untilCorrected('ConfigMap kube-system/kube-proxy');
  },
  DEADLINE_MS,
);

test(
  'a field that somebody else sets again and again is reported, not fought for',
  async () => {
    const stopping = new AbortController();
    const fight = (async () => {
      while (!stopping.signal.aborted) {
        await revertProxy();
        await sleep(200);
      }
    })();
    try {
      const status = await untilStatus(cluster, 'it is Stalled', isStalled, DEADLINE_MS);
      const message = conditionOf(status, 'Stalled')?.message ?? '';
      expect(message).toContain('FieldContested');
      expect(message).toContain('ConfigMap kube-system/kube-proxy');
      expect(message).toContain('--show-managed-fields');

      const since = Date.now();
      await sleep(5_000);
      const ours = (await cluster.auditedWrites(since)).filter(
        ({ user, resource }) => user.endsWith(':dualstack-operator') && resource === 'configmaps',
      );
      expect(ours).toEqual([]);
      expect(conditionOf(await statusNow(cluster), 'Stalled')?.status).toBe('True');
    } finally {
      stopping.abort();
      await fight;
    }
    // The fight is over: an edited spec goes on, as the message says.
    await askForDualStack(cluster, { rollout: { tolerateUnavailable: 0 } });
    await untilStatus(cluster, 'it is Ready again', isReadyAbout(2), DEADLINE_MS);
    expect(await snapshotOf(cluster)).toEqual(converted);
  },
  2 * DEADLINE_MS,
);

const controlPlane = (): TestNode => cluster.controlPlanes[0]!;

const revertProxy = (): Promise<unknown> => cluster.api.mergePatch(PROXY, { data: proxyBefore });

const isReadyAbout =
  (generation: number) =>
  (status: Parameters<typeof isReady>[0]): boolean =>
    isReady(status) && status.observedGeneration === generation;

/** Told, everything as it was after the conversion, and Ready again. The one API server may be away meanwhile. */
async function untilCorrected(target: string): Promise<void> {
  const isTold = async (): Promise<boolean> =>
    (await eventsOf(cluster)).some(({ reason, note }) => reason === 'Corrected' && note.startsWith(target));
  const isAsBefore = async (): Promise<boolean> =>
    JSON.stringify(await snapshotOf(cluster)) === JSON.stringify(converted);
  await eventually(`an Event says that ${target} is put right`, () => isTold().catch(() => false), 60_000);
  await eventually('all is as it was', () => isAsBefore().catch(() => false), DEADLINE_MS / 2);
  await untilStatus(cluster, 'it is Ready again', isReady, DEADLINE_MS / 2);
  expect(await snapshotOf(cluster)).toEqual(converted);
}
