import { expect, test } from '@jest/globals';
import { conditionOf } from '../../../src/api/conditions.ts';
import type { KubeClient } from '../../../src/kube/client.ts';
import type { KubeObject } from '../../../src/model/object.ts';
import { pass, type Next } from '../../../src/reconcile/pass.ts';
import type { PassDeps } from '../../../src/reconcile/pass-deps.ts';
import { proofRuns } from '../../../src/reconcile/proof-runs.ts';
import { ok } from '../../../src/result.ts';
import { PROBE_LABEL } from '../../../src/verify/probes.ts';
import { settle } from '../../support/fake-clock.ts';
import { podPlayer } from '../../support/pod-player.ts';
import { CLUSTER, kubeadmObjects, resource, type Scene, scene } from './scene.ts';

const SPEC = { ipFamilies: ['IPv4'] };
const IMAGE = { image: 'dualstack-operator:dev', pullPolicy: 'IfNotPresent', pullSecrets: [] } as const;

/** What the API server and the endpoint slice controller make of Services of one family. */
const withServices = (client: KubeClient): KubeClient => ({
  ...client,
  create: (object) => {
    const isProbe = object.kind === 'Service' && object.metadata.labels?.[PROBE_LABEL] === 'true';
    const given = { ipFamilies: ['IPv4'], clusterIPs: ['10.96.1.2'] };
    return client.create(isProbe ? { ...object, spec: { ...(object['spec'] as object), ...given } } : object);
  },
  list: (query) => {
    if (query.kind !== 'EndpointSlice') return client.list(query);
    const slice = { apiVersion: 'discovery.k8s.io/v1', kind: 'EndpointSlice', metadata: { name: 'a' } };
    return Promise.resolve(ok({ items: [{ ...slice, addressType: 'IPv4' }], resourceVersion: '1' }));
  },
});

/** Time stands still meanwhile: a pass that waits for the proof would never end. */
const soon = (work: Promise<Next>): Promise<Next> => Promise.race([work, tooLate()]);

async function tooLate(): Promise<never> {
  for (let turn = 0; turn < 50; turn += 1) await settle();
  throw new Error('the pass waits for something that takes time');
}

interface Proving {
  readonly run: Scene;
  readonly deps: PassDeps;
  readonly ending: AbortController;
  readonly pass: () => Promise<Next>;
  /** Lets the pods that wait become ready. */
  readonly letStart: () => void;
  readonly probes: () => Promise<readonly string[]>;
  readonly edit: (change: object) => void;
}

/** A cluster where only the proof with packets is left to be done; its pods are not started before they are let. */
async function proving(): Promise<Proving> {
  const run = scene([resource(SPEC), ...kubeadmObjects()]);
  const player = podPlayer(run.kube);
  const waiting = { phase: 'Pending', containerStatuses: [{ state: { waiting: { reason: 'ContainerCreating' } } }] };
  const held: KubeObject[] = [];
  let isHeld = true;
  player.status = (pod) => {
    if (!isHeld) return null;
    held.push(pod);
    return waiting;
  };
  const ending = new AbortController();
  const deps: PassDeps = {
    ...run.deps,
    client: withServices(player.client),
    signal: ending.signal,
    proofs: proofRuns(ending.signal),
    probeImage: () => Promise.resolve(ok(IMAGE)),
  };
  const scened: Proving = {
    run,
    deps,
    ending,
    pass: () => soon(pass('cluster', deps)),
    letStart: () => {
      isHeld = false;
      for (const pod of held) {
        const podIPs = [{ ip: '10.244.0.5' }];
        run.kube.put({ ...pod, status: { phase: 'Running', podIPs, containerStatuses: [{ ready: true }] } });
      }
    },
    probes: async () => {
      const pods = await run.kube.client.list({
        apiVersion: 'v1',
        kind: 'Pod',
        labelSelector: `${PROBE_LABEL}=packets`,
      });
      return pods.ok ? pods.value.items.map(({ metadata }) => metadata.name) : [];
    },
    edit: (change) => {
      const now = run.kube.get(CLUSTER);
      run.kube.put({ ...(now as KubeObject), spec: { ...SPEC, ...change } });
    },
  };
  for (let passes = 0; run.status().plan?.current?.id !== 'verify/packets'; passes += 1) {
    expect(passes).toBeLessThan(10);
    await scened.pass();
  }
  await settle();
  return scened;
}

const READY = 'Ready';
const readyOf = ({ run }: Proving) => run.status().conditions?.find(({ type }) => type === READY);

test('while packets are proven, passes look around and tell how far it is; then the proof is kept', async () => {
  const scened = await proving();
  const { run } = scened;
  for (const seconds of [1, 20, 20]) {
    await run.clock.advance(seconds * 1000);
    expect(await scened.pass()).toEqual({ is: 'Again', afterMs: 1000 });
    expect(run.status().plan?.current).toMatchObject({
      id: 'verify/packets',
      state: 'InProgress',
      message: 'the proof with packets runs: 0 of 1 pods that answer are ready',
    });
  }
  // One proof, and not one more with each pass.
  expect(await scened.probes()).toHaveLength(1);
  expect(run.status().connectivity).toBeUndefined();

  scened.letStart();
  for (let seconds = 0; run.status().connectivity === undefined; seconds += 1) {
    expect(seconds).toBeLessThan(10);
    await run.clock.advance(1000);
    await scened.pass();
  }
  expect(run.status().connectivity).toMatchObject({ checks: { failed: 0 } });
  // Both are in the same status: nobody reads a proof beside "nothing was proven yet".
  expect(conditionOf(run.status().conditions ?? [], 'ConnectivityVerified')).toMatchObject({ status: 'True' });
  await scened.pass();
  expect(readyOf(scened)?.status).toBe('True');
  expect(await scened.probes()).toEqual([]);
});

test.each<[string, object, string]>([
  ['a pause', { paused: true }, 'Paused'],
  ['that only a plan is asked for', { mode: 'Plan' }, 'PlanOnly'],
  ['a spec that asks for no proof', { verification: { mode: 'None' } }, 'Converged'],
  ['a spec that is wrong', { ipFamilies: ['IPv4', 'IPv4'] }, 'Invalid'],
])('%s is seen at the next pass, and the proof is broken off and leaves nothing', async (_name, change, reason) => {
  const scened = await proving();
  expect(await scened.probes()).toHaveLength(1);
  scened.edit(change);
  await scened.pass();
  expect(readyOf(scened)?.reason).toBe(reason);
  await scened.run.clock.advance(1000);
  await scened.deps.proofs.idle();
  expect(await scened.probes()).toEqual([]);
  expect(scened.run.status().connectivity).toBeUndefined();

  // And it is made anew when it is wanted again.
  scened.letStart();
  scened.edit({});
  for (let seconds = 0; scened.run.status().connectivity === undefined; seconds += 1) {
    expect(seconds).toBeLessThan(10);
    await scened.pass();
    await scened.run.clock.advance(1000);
  }
});

test('a resource that is gone needs no proof', async () => {
  const scened = await proving();
  await scened.run.kube.client.delete(CLUSTER);
  expect(await scened.pass()).toEqual({ is: 'Gone' });
  await scened.run.clock.advance(1000);
  await scened.deps.proofs.idle();
  expect(await scened.probes()).toEqual([]);
});

test('when the process ends, the proof is waited for until it has removed what it made', async () => {
  const scened = await proving();
  scened.ending.abort();
  await scened.deps.proofs.idle();
  expect(await scened.probes()).toEqual([]);
});

test('what cannot be read for a moment does not break a proof off', async () => {
  const scened = await proving();
  scened.run.kube.refuse = (verb, on) => (verb === 'get' && on.includes('dualstack-records') ? 'ServerError' : null);
  await scened.pass();
  scened.run.kube.refuse = () => null;
  await scened.pass();
  expect(scened.run.status().plan?.current).toMatchObject({ id: 'verify/packets', state: 'InProgress' });
});

test('an exception in a proof is the exception of the pass that comes for it', async () => {
  const scened = await proving();
  scened.run.kube.refuse = (verb, on) => {
    if (verb === 'list' && on === 'Pod') throw new Error('a mistake of ours');
    return null;
  };
  await scened.run.clock.advance(1000);
  scened.run.kube.refuse = () => null;
  await expect(scened.pass()).rejects.toThrow('a mistake of ours');
  await scened.pass();
  expect(scened.run.status().plan?.current?.id).toBe('verify/packets');
});

test('a proof for other settings takes the place of one for those from before, after that has removed what it made', async () => {
  const runs = proofRuns(new AbortController().signal);
  const order: string[] = [];
  const work = (name: string) => async (signal: AbortSignal) => {
    order.push(`${name} begins`);
    await new Promise<void>((resolve) => signal.addEventListener('abort', () => setImmediate(resolve)));
    order.push(`${name} has ended`);
    return { is: 'Unchanged' } as const;
  };
  runs.start('cluster', 'first', work('first'));
  await settle();
  expect(runs.take('cluster', 'first')).toMatchObject({ is: 'Running' });
  expect(runs.take('another', 'first')).toBeNull();
  expect(runs.take('cluster', 'second')).toBeNull();
  runs.start('cluster', 'second', work('second'));
  await settle();
  expect(order).toEqual(['first begins', 'first has ended', 'second begins']);
  runs.breakOff('cluster');
  await runs.idle();
  expect(runs.take('cluster', 'second')).toBeNull();
});
