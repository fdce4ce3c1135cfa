import type { KubeObject } from '../../../src/model/object.ts';
import { NOW } from './support.ts';

const ago = (seconds: number): string => new Date(NOW - seconds * 1000).toISOString();

export const condition = (type: string, status: string, reason: string, message: string) => ({
  type,
  status,
  reason,
  message,
  observedGeneration: 3,
  lastTransitionTime: ago(300),
});

const detected = { kubernetesVersion: 'v1.36.3', distribution: 'Kubeadm', cni: 'Calico', primaryFamily: 'IPv4' };

const resource = (status: object): KubeObject => ({
  apiVersion: 'dualstack.dev/v1alpha1',
  kind: 'DualStackCluster',
  metadata: { name: 'cluster', generation: 3, creationTimestamp: ago(600) },
  spec: { ipFamilies: ['IPv4', 'IPv6'] },
  status,
});

export const unseen = resource({ observedGeneration: -1 });

export const working = resource({
  observedGeneration: 3,
  conditions: [
    condition('Ready', 'False', 'Converting', 'Step 6 of 14 is under way.'),
    condition('Reconciling', 'True', 'StepInProgress', 'kube-apiserver on cp-2 is being restarted.'),
    condition('ControlPlaneDualStack', 'False', 'StepsPending', 'kube-apiserver on cp-2 and cp-3 know one family.'),
  ],
  detected,
  components: [
    {
      component: 'kube-apiserver',
      where: 'cp-1',
      source: 'process',
      settings: { 'service-cluster-ip-range': '10.96.0.0/16,fd00:10:96::/112' },
    },
  ],
  plan: {
    hash: 'abc',
    total: 14,
    done: 6,
    current: {
      id: 'api-server/cp-2',
      target: 'kube-apiserver on cp-2',
      startedAt: ago(95),
      state: 'InProgress',
      message: 'the new process is not ready yet',
    },
    steps: [
      {
        id: 'record',
        group: 'record',
        phase: 'Record',
        target: 'records',
        total: 1,
        done: 1,
        state: 'Satisfied',
        message: '',
      },
      {
        id: 'api-server',
        group: 'api-server',
        phase: 'APIServer',
        target: 'kube-apiserver',
        total: 3,
        done: 1,
        state: 'InProgress',
        message: 'not ready yet',
      },
    ],
    blockers: [],
    warnings: [{ reason: 'NodesOnDifferentLinks', message: 'Two networks.', remedy: 'Check the routers.', blocks: [] }],
  },
  nodes: {
    total: 6,
    dualStack: 5,
    ipv4Only: 1,
    ipv6Only: 0,
    none: 0,
    delayed: 1,
    exceptions: [{ name: 'worker-3', families: ['IPv4'], cause: 'NoAddress', message: 'No interface has IPv6.' }],
  },
  services: { total: 12, dualStack: 1, singleStack: 11, pending: 1 },
  workloads: { total: 9, dualStack: 2, singleStack: 7, restarting: 'Deployment shop/web', exceptions: [] },
});

export const ready = resource({
  observedGeneration: 3,
  conditions: [
    condition('Ready', 'True', 'DualStack', 'The cluster is dual-stack.'),
    condition('Reconciling', 'False', 'DualStack', 'Nothing is left to do.'),
    condition('Stalled', 'False', 'DualStack', 'Nothing is stuck.'),
  ],
  detected,
  plan: { hash: 'abc', total: 14, done: 14, steps: [], blockers: [], warnings: [] },
});

export const stalled = resource({
  observedGeneration: 3,
  conditions: [
    condition('Ready', 'False', 'RolledBack', 'See Stalled.'),
    condition('Reconciling', 'False', 'RolledBack', 'See Stalled.'),
    condition('Stalled', 'True', 'RolledBack', 'The API server on cp-1 did not come back.'),
  ],
  rollBack: { generation: 3, state: 'Done', reason: 'StepFailed', step: 'api-server/cp-1', at: ago(60) },
});
