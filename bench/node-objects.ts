import { createHash } from 'node:crypto';
import type { KubeObject } from '../src/model/object.ts';

/** Who writes Nodes: those that the operator itself has made are looked at one by one until their kubelets are seen. */
export const AS_KUBELET = { fieldManager: 'kubelet' } as const;

/** So many characters that look like chance, and are the same each time. */
const hex = (seed: string, length: number): string => {
  let text = '';
  for (let part = 0; text.length < length; part++) text += createHash('sha256').update(`${seed}/${part}`).digest('hex');
  return text.slice(0, length);
};

/** What the nodes of a cluster have pulled: 200 images, of which each has 50. */
const IMAGES = Array.from({ length: 200 }, (_, n) => {
  const repository = `registry-${n % 17}.example.com/team/app-${n}`;
  const digest = hex(`image-${n}`, 64);
  return {
    names: [
      `${repository}@sha256:${digest}`,
      `${repository}-component-with-a-long-name:v1.${n % 30}.${n % 7}-build.${digest.slice(0, 10)}`,
    ],
    sizeBytes: 10_000_000 + n * 1_000_003,
  };
});

const CAPACITY = {
  cpu: '16',
  memory: '65536Mi',
  pods: '234',
  'ephemeral-storage': '100Gi',
  'hugepages-1Gi': '0',
  'hugepages-2Mi': '0',
};

const bytesOf = (n: number): readonly [number, number, number] => [n >> 16, (n >> 8) & 255, n & 255];

export const nodeName = (n: number): string => `ip-10-${bytesOf(n).join('-')}.eu-central-1.compute.internal`;
const ipv4Of = (n: number): string => `10.${bytesOf(n).join('.')}`;

export const nodeAddresses = (n: number, dual: boolean): readonly object[] => [
  { type: 'InternalIP', address: ipv4Of(n) },
  { type: 'Hostname', address: nodeName(n) },
  ...(dual ? [{ type: 'InternalIP', address: `fd12::${n.toString(16)}` }] : []),
];

/** A worker of a cloud, about 17 KB of JSON; each second one lacks IPv6. */
export function nodeObject(n: number): KubeObject {
  const [, , low] = bytesOf(n);
  const [name, ipv4] = [nodeName(n), ipv4Of(n)];
  const podCIDR = `100.${64 + (n >> 8)}.${low}.0/24`;
  const since = '2026-10-31T08:00:00Z';
  const conditions = ['MemoryPressure', 'DiskPressure', 'PIDPressure', 'Ready'].map((type) => ({
    type,
    status: type === 'Ready' ? 'True' : 'False',
    reason: `Kubelet${type}`,
    message: `kubelet has nothing to say about ${type} that would be worth a look`,
    lastHeartbeatTime: since,
    lastTransitionTime: since,
  }));
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: {
      name,
      labels: {
        'beta.kubernetes.io/arch': 'amd64',
        'beta.kubernetes.io/os': 'linux',
        'kubernetes.io/arch': 'amd64',
        'kubernetes.io/os': 'linux',
        'kubernetes.io/hostname': name,
        'node.kubernetes.io/instance-type': 'm5.4xlarge',
        'topology.kubernetes.io/region': 'eu-central-1',
        'topology.kubernetes.io/zone': `eu-central-1${'abc'.charAt(n % 3)}`,
        'eks.amazonaws.com/nodegroup': `group-${n % 20}`,
        'eks.amazonaws.com/capacityType': 'ON_DEMAND',
        'node-role.kubernetes.io/worker': '',
        'example.com/pool': `pool-${n % 9}`,
      },
      annotations: {
        'node.alpha.kubernetes.io/ttl': '0',
        'volumes.kubernetes.io/controller-managed-attach-detach': 'true',
        'csi.volume.kubernetes.io/nodeid': JSON.stringify({ 'ebs.csi.aws.com': `i-${hex(`csi-${n}`, 17)}` }),
        'alpha.kubernetes.io/provided-node-ip': ipv4,
        'projectcalico.org/IPv4Address': `${ipv4}/20`,
        'example.com/one': hex(`one-${n}`, 30),
        'example.com/two': hex(`two-${n}`, 30),
      },
    },
    spec: {
      podCIDR,
      podCIDRs: [podCIDR, `fd00:${n.toString(16)}::/64`],
      providerID: `aws:///eu-central-1a/i-${hex(`machine-${n}`, 17)}`,
    },
    status: {
      addresses: nodeAddresses(n, n % 2 === 0),
      capacity: CAPACITY,
      allocatable: CAPACITY,
      conditions,
      daemonEndpoints: { kubeletEndpoint: { Port: 10250 } },
      images: Array.from({ length: 50 }, (_, k) => IMAGES[(n * 7 + k * 3) % IMAGES.length]),
      nodeInfo: {
        machineID: hex(`machine-id-${n}`, 32),
        systemUUID: hex(`uuid-${n}`, 36),
        bootID: hex(`boot-${n}`, 36),
        kernelVersion: '6.1.112-122.189.amzn2023.x86_64',
        osImage: 'Amazon Linux 2023.6.20241031',
        containerRuntimeVersion: 'containerd://1.7.22',
        kubeletVersion: 'v1.36.3',
        kubeProxyVersion: '',
        operatingSystem: 'linux',
        architecture: 'amd64',
      },
    },
  };
}
