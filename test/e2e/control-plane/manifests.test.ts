import { describe, expect } from '@jest/globals';
import type { ClusterOptions } from '../../cluster/index.ts';
import { askForDualStack, conditionOf, isReady, startInstalled, untilStatus } from '../../support/conversion.ts';
import { manifestPath } from '../../support/real-manifests.ts';
import { testWith } from '../../support/with-manifests.ts';

const DEADLINE_MS = 300_000;

/** Converts one small cluster and takes it away again. `more`: an object that is made before. */
async function convert(options: ClusterOptions, more: object | null): Promise<Readonly<Record<string, string>>> {
  const installed = await startInstalled({ controlPlanes: 1, workers: 2, ...options });
  try {
    const { cluster } = installed;
    if (more !== null) await cluster.kubectl(['create', '-f', '-'], JSON.stringify(more));
    await askForDualStack(cluster);
    const status = await untilStatus(cluster, 'the cluster is Ready', isReady, DEADLINE_MS);
    const get = async (...args: string[]): Promise<string> => (await cluster.kubectl(['get', ...args])).stdout.trim();
    return {
      verified: conditionOf(status, 'ConnectivityVerified')?.reason ?? '',
      annotated: await get('nodes', '-o', 'jsonpath={.items[*].metadata.annotations.projectcalico\\.org/IPv6Address}'),
      pools: await get('ippools.crd.projectcalico.org', '-o', 'jsonpath={.items[*].spec.cidr}'),
      modes: await get(
        'ippools.crd.projectcalico.org/default-ipv6-ippool',
        '-o',
        'jsonpath={.spec.vxlanMode},{.spec.ipipMode}',
      ),
      strategy: await get('-n', 'kube-system', 'daemonset/calico-node', '-o', 'jsonpath={.spec.updateStrategy.type}'),
    };
  } finally {
    await installed.stop();
  }
}

/** As Calico's own instructions switch it on. */
const EBPF = {
  apiVersion: 'crd.projectcalico.org/v1',
  kind: 'FelixConfiguration',
  metadata: { name: 'default' },
  spec: { bpfEnabled: true },
};

describe.each([
  { file: 'calico.yaml', modes: 'Never,Never', what: 'BGP, IPIP for IPv4', more: null },
  { file: 'calico-vxlan.yaml', modes: 'CrossSubnet,Never', what: 'VXLAN across subnets', more: null },
  { file: 'calico-typha.yaml', modes: 'Never,Never', what: 'Typha, eBPF', more: EBPF },
])('the released $file ($what)', ({ file, modes, more }) => {
  const released = `calico-v3.31.7/${file}`;

  testWith(released)(
    'converts',
    async () => {
      const result = await convert({ calico: { manifest: { file: manifestPath(released) } } }, more);
      expect(result).toMatchObject({ verified: 'ProvenByAPI', modes, strategy: 'RollingUpdate' });
      expect(result['annotated']?.split(' ')).toHaveLength(3);
      expect(result['pools']).toContain('fd00:10:244::/56');
    },
    DEADLINE_MS + 120_000,
  );
});
