import type { ClusterStatus } from '../../src/api/cluster-status.ts';
import type { NodeStatus } from '../../src/api/node.ts';
import { DUAL } from './crd-corpus.ts';

const AT = '2026-11-21T12:00:00Z';

const finding = {
  reason: 'CIDROverlap',
  object: 'Node cp-1',
  message: 'the pod network overlaps an address of the node',
  remedy: 'choose another network',
  blocks: ['APIServer', 'ControllerManager'] as ('APIServer' | 'ControllerManager')[],
};

/** A status with every field in it. */
export const FULL_STATUS: ClusterStatus = {
  observedGeneration: 3,
  conditions: [
    {
      type: 'Ready',
      status: 'False',
      observedGeneration: 3,
      lastTransitionTime: AT,
      reason: 'Converting',
      message: 'step 3 of 14',
    },
    { type: 'Reconciling', status: 'True', lastTransitionTime: AT, reason: 'Converting', message: '' },
  ],
  detected: {
    kubernetesVersion: 'v1.36.3',
    distribution: 'Kubeadm',
    cni: 'Calico',
    provider: 'none',
    primaryFamily: 'IPv4',
  },
  components: [
    {
      component: 'kube-apiserver',
      where: 'cp-1',
      source: 'running process',
      settings: { 'service-cluster-ip-range': '10.96.0.0/16' },
    },
  ],
  plan: {
    hash: 'abc',
    direction: 'Forward',
    total: 14,
    done: 6,
    current: {
      id: 'api-server/cp-1',
      target: 'kube-apiserver on cp-1',
      startedAt: AT,
      state: 'Intended',
      message: 'waits for it to be ready',
    },
    steps: [
      {
        id: 'api-server',
        group: 'api-server',
        phase: 'APIServer',
        target: 'kube-apiserver on 3 nodes',
        total: 3,
        done: 1,
        state: 'InProgress',
        message: 'one at a time',
        disruption: 'that API server is away for 10 to 40 s',
        diff: [{ path: '--service-cluster-ip-range', before: '10.96.0.0/16', after: '10.96.0.0/16,fd00:10:96::/112' }],
      },
    ],
    blockers: [finding],
    warnings: [{ ...finding, blocks: [] }],
  },
  nodes: {
    total: 3,
    dualStack: 2,
    ipv4Only: 1,
    ipv6Only: 0,
    none: 0,
    delayed: 1,
    delayedSince: AT,
    exceptions: [
      {
        name: 'worker-1',
        families: ['IPv4'],
        cause: 'NoAddress',
        message: 'no IPv6',
        remedy: 'add one',
        command: 'ip -6 address add ADDRESS/64 dev eth0',
        runOn: 'Node',
        byOperator: true,
        since: AT,
        delayed: true,
        tried: { remedy: 'RestartKubelet', times: 2, at: AT, inVain: true },
        guarded: true,
      },
    ],
  },
  services: { total: 8, dualStack: 1, singleStack: 7, pending: 0 },
  applied: { ...DUAL, distribution: 'Kubeadm', cni: 'Calico' } as ClusterStatus['applied'] & object,
  appliedGeneration: 2,
  verified: { fingerprint: 'f00', at: AT, checks: [{ name: 'ServiceCIDR', ok: true, detail: 'both families' }] },
  connectivity: {
    fingerprint: 'f00',
    at: AT,
    failedInRow: 2,
    nodes: { ready: 50, probed: 40, newest: AT, leftOut: ['worker-9'] },
    pairs: { tested: 200, total: 2450 },
    checks: { total: 1800, failed: 12 },
    families: [
      { family: 'IPv4', total: 900, failed: 0, latencyMicroseconds: { median: 400, p99: 2100 } },
      { family: 'IPv6', total: 900, failed: 12 },
    ],
    hops: [{ hop: 'Node', family: 'IPv6', nodes: ['worker-1'], checks: 12, message: 'it fails', remedy: 'see routes' }],
  },
  rollBack: { generation: 2, state: 'Done', reason: 'StepFailed', step: 'api-server/cp-1', at: AT },
  corrections: [{ id: 'calico/env', count: 2, lastAt: AT }],
};

export const FULL_NODE_STATUS: NodeStatus = {
  observedGeneration: 2,
  conditions: [
    {
      type: 'Applied',
      status: 'True',
      observedGeneration: 2,
      lastTransitionTime: AT,
      reason: 'Applied',
      message: 'in force',
    },
    { type: 'RolledBack', status: 'False', lastTransitionTime: AT, reason: 'NothingRolledBack', message: '' },
  ],
  hostname: 'cp-1',
  addresses: [
    { address: '2001:db8::1', prefixLength: 64, interface: 'eth0', scope: 'Global', flags: ['permanent'], since: AT },
  ],
  watchingSince: AT,
  network: {
    ipv6Disabled: false,
    ipv6DisabledOn: ['eth1'],
    networkScripts: { 'eth0 IPV6INIT': 'yes' },
    forwarding: { IPv4: true, IPv6: false },
    acceptRA: { eth0: '1' },
    defaultRoutes: { IPv4: { interface: 'eth0', learned: false }, IPv6: { interface: 'eth0', learned: true } },
  },
  kubelet: {
    running: { startedAt: AT, args: { 'node-ip': '192.0.2.1' } },
    source: '/var/lib/kubelet/kubeadm-flags.env',
    nodeIPFrom: '/etc/kubernetes/nodeip.conf',
  },
  staticPods: {
    'kube-apiserver': {
      file: '/etc/kubernetes/manifests/kube-apiserver.yaml',
      hash: 'a'.repeat(64),
      args: { 'service-cluster-ip-range': '10.96.0.0/16' },
      running: null,
      healthy: null,
    },
  },
  recorded: {
    kubelet: { nodeIP: null },
    staticPods: { 'kube-controller-manager': { 'cluster-cidr': '10.244.0.0/16', 'node-cidr-mask-size-ipv6': null } },
    sysctls: { 'net.ipv6.conf.all.forwarding': '0' },
  },
  refused: [
    {
      component: 'kube-apiserver',
      flag: 'service-cluster-ip-range',
      value: 'x',
      generation: 2,
      why: 'exited three times',
    },
  ],
  stopped: false,
};
