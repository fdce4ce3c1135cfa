import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { ClusterStatus, NodeException } from '../../../src/api/cluster-status.ts';
import { attemptOf } from '../../../src/nodes/attempt.ts';
import type { Cause } from '../../../src/nodes/cause.ts';
import { PROGRAM } from '../../support/install.ts';
import { type RealCluster, type RealNode, startRealCluster } from '../cluster/index.ts';
import { applyResource, dualStackCluster, isReady, untilStatus } from '../kubelets/support/conversion.ts';
import { eventReasons, fieldOf, kubeletPid } from '../kubelets/support/observed.ts';
import { whereItRuns } from '../kubelets/support/where-it-runs.ts';

const MINUTES = 60_000;
const GRACE_SECONDS = 30;
const NAME = 'worker-1';
const FLAGS = '/var/lib/kubelet/kubeadm-flags.env';
const OTHER = '2001:db8::dead';

// The control plane is dual-stack from the start, so that nothing but this node is to be told. What its host alone makes of its addresses is tried in
// network namespaces (unit tests); here it is the real kubelet that decides what its Node shows.
whereItRuns('why a node lacks a family, where its kubelet is the reason', () => {
  let cluster: RealCluster;
  let node: RealNode;

  beforeAll(async () => {
    cluster = await startRealCluster({
      workers: 1,
      families: ['IPv4', 'IPv6'],
      nodeIP: 'pair',
      nodes: { [NAME]: { nodeIP: 'unset' } },
    });
    node = cluster.node(NAME);
  }, 5 * MINUTES);

  afterAll(async () => {
    await cluster?.stop();
  }, MINUTES);

  test('nobody looks at it: Unknown', async () => {
    const told = JSON.parse(await command('nodes', '-o', 'json')) as { nodes: { name: string; cause: unknown }[] };
    expect(told.nodes.find(({ name }) => name === NAME)?.cause).toBe('Unknown');
  });

  test(
    'the operator is asked to look, and to change nothing',
    async () => {
      await cluster.installOperator();
      await ask('Plan');
      await told('KubeletNodeIPSingleFamily', 'runs without --node-ip');
    },
    6 * MINUTES,
  );

  const stopped = () => node.run(['systemctl', 'stop', 'kubelet']);
  const SITUATIONS: readonly [string, () => Promise<unknown>, Cause, string][] = [
    ['one address in --node-ip', () => runWith(node.IPv4), 'KubeletNodeIPSingleFamily', 'runs with --node-ip='],
    ['no kubelet', stopped, 'KubeletNotRunning', 'no kubelet runs on it'],
    ['an address that is not there', () => runWith(`${node.IPv4},${OTHER}`), 'KubeletNodeIPNotOnHost', `no ${OTHER}`],
  ];

  test.each(SITUATIONS)(
    '%s',
    async (_, begin, cause, says) => {
      await begin();
      await told(cause, says);
    },
    3 * MINUTES,
  );

  test(
    'it comes late: a kubelet that is told it shows it by itself',
    async () => {
      const before = await kubeletPid(node);
      await node.addAddress(OTHER);
      const meanwhile = await whole();
      console.log(`until it was whole it was told as ${meanwhile.join(', ')}`);
      // The pods on its network learn of it last: the kubelet looks at each every minute or so.
      expect(['KubeletNodeIPNotOnHost', 'LateAddress', 'HostPodsSingleFamily']).toEqual(
        expect.arrayContaining([...meanwhile]),
      );
      expect(await kubeletPid(node)).toBe(before);
    },
    3 * MINUTES,
  );

  test(
    'it goes again: the Node goes on showing it, which is told',
    async () => {
      await node.removeAddress(OTHER);
      const { remedy } = await told('AddressGone', `shows ${OTHER}, which its host no longer has`);
      expect(remedy).toContain(node.IPv6);
    },
    3 * MINUTES,
  );

  test(
    'the second family first',
    async () => {
      await runWith(`${node.IPv6},${node.IPv4}`);
      await told('AddressOrder', `lists ${node.IPv6} first`);
    },
    3 * MINUTES,
  );

  test(
    'a cloud controller manager that has not come yet, and one that publishes one family',
    async () => {
      await stopped();
      await cluster.kubectl(['delete', 'node', NAME]);
      await runWith('', '--cloud-provider=external');
      await cluster.kubectl(['wait', '--for=create', `node/${NAME}`, '--timeout=60s']);
      await publish(node.IPv4);
      await told('CloudProviderPending', 'has not published IPv6 yet');

      await cluster.kubectl(['taint', 'node', NAME, 'node.cloudprovider.kubernetes.io/uninitialized-']);
      await told('CloudProviderDoesNotPublish', 'does not publish IPv6');
    },
    4 * MINUTES,
  );

  test(
    'renumbered: its kubelet is given the new address once, and that is told',
    async () => {
      await runWith(`${node.IPv4},${node.IPv6}`);
      await whole();
      await ask('Apply');
      await untilStatus(cluster, 'all is converted', isReady, 4 * MINUTES);
      const before = await kubeletPid(node);
      const next = await node.renumber('IPv6');
      await told('AddressGone');
      await whole();

      expect(await addresses()).toEqual([node.IPv4, next]);
      expect(await kubeletPid(node)).not.toBe(before);
      expect(node.readFile(FLAGS)).toContain(`--node-ip=${node.IPv4},${next}`);
      const token = await fieldOf(cluster, 'dualstacknode', NAME, '{.spec.restart.kubelet}');
      expect(attemptOf(token)).toMatchObject({ count: 1, address: next });
      const reasons = await eventReasons(cluster);
      expect(reasons).toEqual(expect.arrayContaining(['NodeRemedyBegun', 'NodeRemedied']));
      expect(reasons.filter((reason) => reason === 'NodeRemedyBegun')).toHaveLength(1);
      const counted = await metrics();
      expect(counted).toContain('dualstack_remedies_total{remedy="set_node_ip",result="success"} 1');
      expect(counted).toContain(`dualstack_nodes{state="dual_stack"} ${cluster.nodes.length}`);
    },
    12 * MINUTES,
  );

  const ask = (mode: string): Promise<void> =>
    applyResource(cluster, dualStackCluster(cluster, { mode, nodes: { gracePeriod: `${GRACE_SECONDS}s` } }));

  async function told(cause: Cause, says = ''): Promise<NodeException> {
    const isIt = (entry: NodeException): boolean =>
      entry.name === NAME && entry.cause === cause && entry.message.includes(says);
    const status = await untilStatus(
      cluster,
      `${NAME} is told as ${cause}`,
      ({ nodes }) => nodes?.exceptions.some(isIt) === true,
      2 * MINUTES,
    );
    const found = status.nodes?.exceptions.find(isIt);
    if (found === undefined) throw new Error(`${NAME} is not told as ${cause}`);
    return found;
  }

  /** Gives what the node was told as until then. */
  async function whole(): Promise<readonly string[]> {
    const causes = new Set<string>();
    const holds = ({ nodes }: ClusterStatus): boolean => {
      for (const { cause } of nodes?.exceptions ?? []) causes.add(cause);
      return nodes?.exceptions.length === 0;
    };
    await untilStatus(cluster, 'every node is whole', holds, 3 * MINUTES);
    return [...causes];
  }

  /** Restarts the kubelet with this `--node-ip`, and what is added. */
  async function runWith(nodeIP: string, more = ''): Promise<void> {
    const plain = node.readFile(FLAGS).replaceAll(/ *--(?:node-ip|cloud-provider)=[^ "]*/gu, '');
    const flags = [more, nodeIP === '' ? '' : `--node-ip=${nodeIP}`].filter((flag) => flag !== '').join(' ');
    node.writeFile(FLAGS, plain.replace('="', `="${flags} `));
    await node.run(['systemctl', 'restart', 'kubelet']);
  }

  /** As a cloud controller manager does. */
  async function publish(address: string): Promise<void> {
    const patch = { status: { addresses: [{ type: 'InternalIP', address }] } };
    await cluster.kubectl(['patch', 'node', NAME, '--subresource=status', '--type=merge', '-p', JSON.stringify(patch)]);
  }

  const addresses = async (): Promise<readonly string[]> =>
    (await fieldOf(cluster, 'node', NAME, '{.status.addresses[?(@.type=="InternalIP")].address}')).split(' ');

  async function command(...args: readonly string[]): Promise<string> {
    const argv = [PROGRAM, ...args, '--kubeconfig', cluster.kubeconfig];
    return (await promisify(execFile)(process.execPath, argv)).stdout;
  }

  /** Of each operator: they serve them on their hosts' loopback. */
  async function metrics(): Promise<string> {
    const argv = ['curl', '--silent', 'http://127.0.0.1:27871/metrics'];
    return (await Promise.all(cluster.nodes.map((each) => each.exec(argv)))).map(({ stdout }) => stdout).join('\n');
  }
});
