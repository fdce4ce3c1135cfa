import { expect, test } from '@jest/globals';
import { execute } from '../../../src/apply/execute.ts';
import { at, type KubeObject } from '../../../src/model/object.ts';
import type { Step } from '../../../src/model/step.ts';
import { systemClock } from '../../../src/runtime/clock.ts';
import { fakeKube } from '../../support/fake-kube.ts';
import { someStep } from '../../support/plan-scene.ts';

const REF = { apiVersion: 'apps/v1', kind: 'Deployment', namespace: 'shop', name: 'web' } as const;
const MARK = 'dualstack.dev/restarted';

const web = (resourceVersion: string): KubeObject => ({
  apiVersion: REF.apiVersion,
  kind: REF.kind,
  metadata: { namespace: REF.namespace, name: REF.name, resourceVersion },
  spec: { template: {} },
});

const restart = (resourceVersion: string): Step =>
  someStep(
    'workloads/deployment/shop/web',
    { is: 'Pending' },
    {
      kind: 'RolloutWorkload',
      ref: REF,
      next: { is: 'Restart', mark: MARK, value: 'networks', resourceVersion },
    },
  );

const run = (objects: readonly KubeObject[], refuse: 'Forbidden' | null = null) => {
  const kube = fakeKube(objects);
  kube.refuse = () => refuse;
  const deps = {
    client: kube.client,
    clock: systemClock,
    namespace: 'dualstack-system',
    suffix: () => 'x',
    attempt: () => 'y',
    signal: new AbortController().signal,
  };
  return { kube, outcome: execute(restart('7'), deps) };
};

test('the workload that was looked at is restarted and marked', async () => {
  const { kube, outcome } = run([web('7')]);
  expect(await outcome).toEqual({ is: 'Changed', what: 'restarted Deployment shop/web' });
  expect(kube.get(REF)?.metadata.annotations).toEqual({ [MARK]: 'networks' });
});

test.each<[string, readonly KubeObject[]]>([
  ['it was changed, or deleted and made anew', [web('8')]],
  ['it was deleted', []],
])('%s since: nothing is done, and it is looked at again', async (_name, objects) => {
  const { kube, outcome } = run(objects);
  expect(await outcome).toEqual({ is: 'Unchanged' });
  expect(at(kube.get(REF), 'metadata', 'annotations')).toBeUndefined();
});

test('a refusal for another reason is told', async () => {
  expect(await run([web('7')], 'Forbidden').outcome).toMatchObject({ is: 'Refused' });
});
