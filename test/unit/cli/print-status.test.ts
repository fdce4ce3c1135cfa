import { expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { printStatus, statusLine } from '../../../src/cli/print-status.ts';
import { standing, statusView } from '../../../src/cli/status-view.ts';
import type { KubeObject } from '../../../src/model/object.ts';
import { ready, stalled, unseen, working } from './status-resource.ts';
import { screen, tooLong } from './support.ts';

test('a conversion under way: verdict, progress, the step of now with its time, and what is known', () => {
  expect(printStatus(statusView(working), screen())).toBe(`DualStackCluster cluster: working
Wanted: IPv4, IPv6
kube-apiserver on cp-2 is being restarted.

██████████░░░░░░░░░░░░░░ 6 of 14 steps done
Now: kube-apiserver on cp-2, for 1 min 35 s
     the new process is not ready yet
Warnings (1)
  ! NodesOnDifferentLinks: Two networks.
    Do: Check the routers.

Cluster:   v1.36.3, Kubeadm, Calico, IPv4 first
Nodes:     5 of 6 dual-stack, 1 IPv4 only, 1 overdue
  worker-3: NoAddress, No interface has IPv6.
Services:  1 of 12 dual-stack, 1 pending
Workloads: 2 of 9 dual-stack, restarting Deployment shop/web

CONDITION              STATUS  REASON          AGE  MESSAGE
Ready                  False   Converting      5m   Step 6 of 14 is under way.
Reconciling            True    StepInProgress  5m   kube-apiserver on cp-2 is
                                                    being restarted.
ControlPlaneDualStack  False   StepsPending    5m   kube-apiserver on cp-2 and
                                                    cp-3 know one family.
`);
});

test('wide adds the steps and the components', () => {
  const text = printStatus(statusView(working), screen({ wide: true }));
  expect(text).toContain('APIServer: kube-apiserver (1 of 3) – InProgress: not ready yet');
  expect(text).toContain('service-cluster-ip-range=');
});

test.each([
  [unseen, 'Unseen', 'not seen by the operator yet'],
  [working, 'Working', 'working'],
  [ready, 'Ready', 'ready'],
  [stalled, 'Stalled', 'stalled, it needs you'],
] as const)('the verdict follows the conditions (%#)', (resource, expected, words) => {
  const view = statusView(resource);
  expect(standing(view)).toBe(expected);
  expect(printStatus(view, screen()).split('\n')[0]).toBe(`DualStackCluster cluster: ${words}`);
});

test('an older generation is not the present verdict', () => {
  const changed = { ...ready, metadata: { ...ready.metadata, generation: 4 } };
  expect(standing(statusView(changed))).toBe('Unseen');
});

test('a roll-back is told with the way on', () => {
  expect(printStatus(statusView(stalled), screen())).toContain(
    'Rolled back (StepFailed at api-server/cp-1). Change the spec to try again.',
  );
});

test('one line says where it is', () => {
  expect(statusLine(statusView(working))).toBe(
    'working, 6 of 14 steps done: kube-apiserver on cp-2 InProgress (the new process is not ready yet)',
  );
  expect(statusLine(statusView(ready))).toBe('ready, 14 of 14 steps done');
});

test('whatever an operator of another version wrote, the screen has its width and nothing throws', () => {
  const name = fc.constantFrom(
    'conditions',
    'plan',
    'nodes',
    'steps',
    'current',
    'exceptions',
    'message',
    'total',
    'x',
  );
  const status = fc.dictionary(name, fc.jsonValue({ maxDepth: 4 }));
  fc.assert(
    fc.property(status, fc.boolean(), (odd, wide) => {
      const resource = { ...working, status: { ...(working['status'] as object), ...odd } } as KubeObject;
      const text = printStatus(statusView(resource), screen({ wide }));
      expect(tooLong(text)).toEqual([]);
    }),
  );
});
