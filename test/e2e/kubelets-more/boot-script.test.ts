import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { type RealCluster, type RealNode, startRealCluster } from '../cluster/index.ts';
import { applyResource, dualStackCluster, isWhole, untilStatus } from '../kubelets/support/conversion.ts';
import { eventReasons, fieldOf, kubeletPid } from '../kubelets/support/observed.ts';
import { checkPackets, failedText } from '../kubelets/support/packets.ts';
import { whereItRuns } from '../kubelets/support/where-it-runs.ts';

const MINUTES = 60_000;
const LATE = 'worker-1';
const GRACE_SECONDS = 30;

/** As hosts of machine-controller have it: what the interface has when the kubelet starts is what it is told, for good. */
const DROP_IN = `[Service]
ExecStartPre=/bin/sh /etc/kubernetes/node-ip.sh
EnvironmentFile=-/etc/kubernetes/nodeip.conf
ExecStart=
ExecStart=/usr/bin/kubelet $KUBELET_KUBECONFIG_ARGS $KUBELET_CONFIG_ARGS $KUBELET_KUBEADM_ARGS $KUBELET_EXTRA_ARGS --node-ip \${KUBELET_NODE_IP}
`;

const script = ({ IPv4, IPv6 }: RealNode, ipv6InHex: string): string => `ips=${IPv4}
grep -q ${ipv6InHex} /proc/net/if_inet6 && ips=$ips,${IPv6}
echo "KUBELET_NODE_IP=$ips" > /etc/kubernetes/nodeip.conf
`;

whereItRuns('a node whose script asks for its addresses before IPv6 has come', () => {
  let cluster: RealCluster;
  let late: RealNode;

  beforeAll(async () => {
    cluster = await startRealCluster({
      workers: 1,
      families: ['IPv4', 'IPv6'],
      nodeIP: 'pair',
      nodes: { [LATE]: { hostFamilies: 'IPv4', nodeIP: 'unset' } },
    });
    late = cluster.node(LATE);
    late.writeFile('/etc/kubernetes/node-ip.sh', script(late, hexOf(late.IPv6)));
    late.writeFile('/etc/systemd/system/kubelet.service.d/30-node-ip.conf', DROP_IN);
    await late.run(['systemctl', 'daemon-reload']);
    await late.run(['systemctl', 'restart', 'kubelet']);
    await cluster.installOperator();
    await applyResource(cluster, dualStackCluster(cluster, { nodes: { gracePeriod: `${GRACE_SECONDS}s` } }));
  }, 8 * MINUTES);

  afterAll(async () => {
    await cluster?.stop();
  }, MINUTES);

  test(
    'is told with its cause, and its kubelet is restarted once when the address has come',
    async () => {
      const before = await untilStatus(
        cluster,
        'the node is told',
        ({ nodes }) => nodes?.exceptions.some(({ name }) => name === LATE) === true,
        2 * MINUTES,
      );
      // Which cause it is depends on what the host does with router advertisements.
      expect(before.nodes?.exceptions[0]?.message).toContain('IPv6');
      const started = await kubeletPid(late);

      await late.addAddress();
      const seen = await untilStatus(
        cluster,
        'it is told that the address came late',
        ({ nodes }) => nodes?.exceptions.some(({ cause }) => cause === 'LateAddress') === true,
        MINUTES,
      );
      expect(seen.nodes?.exceptions).toMatchObject([{ name: LATE, byOperator: true }]);
      await untilStatus(cluster, 'the node is whole', isWhole, 5 * MINUTES);
      expect(await kubeletPid(late)).not.toBe(started);
      expect(await fieldOf(cluster, 'dualstacknode', LATE, '{.spec.restart.kubelet}')).toMatch(
        new RegExp(String.raw`^1\.\d+\.\d+\.${late.IPv6}$`, 'u'),
      );
      // The script's, not ours.
      expect(late.readFile('/var/lib/kubelet/kubeadm-flags.env')).not.toContain('node-ip');
      const reasons = await eventReasons(cluster);
      expect(reasons).toEqual(expect.arrayContaining(['NodeRemedyBegun', 'NodeRemedied']));
      expect(reasons.filter((reason) => reason === 'NodeRemedyBegun')).toHaveLength(1);
    },
    8 * MINUTES,
  );

  test(
    'has pods with both families then',
    async () => {
      expect(failedText(await checkPackets(cluster))).toBe('');
    },
    3 * MINUTES,
  );
});

/** As `/proc/net/if_inet6` has it: 32 digits. */
function hexOf(address: string): string {
  const [head = '', tail = ''] = address.split('::');
  const zeros = Array.from({ length: 8 - groups(head).length - groups(tail).length }, () => '0');
  return [...groups(head), ...zeros, ...groups(tail)].map((group) => group.padStart(4, '0')).join('');
}

const groups = (text: string): readonly string[] => (text === '' ? [] : text.split(':'));
