import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { asArray, at, type KubeObject } from '../../../../src/model/object.ts';
import type { Cause } from '../../../../src/nodes/cause.ts';
import { type Cni, type RealCluster, type RealNode, startRealCluster } from '../../cluster/index.ts';
import { applyResource, dualStackCluster, isWhole, untilStatus } from './conversion.ts';
import { checkPackets, failedText } from './packets.ts';
import { nodesOfShop, openShop, scaleShop } from './shop.ts';
import { whereItRuns } from './where-it-runs.ts';

const MINUTES = 60_000;
const LATE = 'worker-2';
const TAINT = 'dualstack.dev/family-missing';

/**
 * A node of a dual-stack cluster that started without IPv6: most CNIs leave its pods with one family, Calico and flannel take down the other one, too.
 * @param cause As what it is told in the end; absent: that depends on what the host does with router advertisements.
 */
export const describeLateIPv6 = (cni: Cni, cause?: Cause): void =>
  whereItRuns(`a node whose IPv6 comes late, with ${cni}`, () => {
    let cluster: RealCluster;
    let late: RealNode;

    beforeAll(async () => {
      cluster = await startRealCluster({
        workers: 2,
        families: ['IPv4', 'IPv6'],
        nodeIP: 'pair',
        cni,
        nodes: { [LATE]: { hostFamilies: 'IPv4', nodeIP: 'unset' } },
      });
      late = cluster.node(LATE);
      await cluster.installOperator();
      await applyResource(cluster, dualStackCluster(cluster, { nodes: { guard: 'Taint' } }));
    }, 8 * MINUTES);

    afterAll(async () => {
      await cluster?.stop();
    }, MINUTES);

    const node = async (): Promise<KubeObject> =>
      JSON.parse((await cluster.kubectl(['get', 'node', LATE, '-o', 'json'])).stdout) as KubeObject;

    /** The network plug-in has to have met it first. */
    const toldAs = (cause: Cause) =>
      untilStatus(
        cluster,
        `the node is told as ${cause}`,
        ({ nodes }) => nodes?.exceptions.some((each) => each.name === LATE && each.cause === cause) === true,
        3 * MINUTES,
      );

    test(
      'is found, told and kept free of new pods',
      async () => {
        const status = await untilStatus(
          cluster,
          'the node is guarded',
          ({ nodes }) => nodes?.exceptions.some(({ guarded }) => guarded === true) === true,
          3 * MINUTES,
        );
        expect(status.nodes?.exceptions.map(({ name }) => name)).toEqual([LATE]);
        expect(status.nodes?.exceptions[0]?.message).toContain('IPv6');
        if (cause !== undefined) await toldAs(cause);
        expect(taintsOf(await node())).toContain(TAINT);

        await openShop(cluster);
        await scaleShop(cluster, 'web', 6);
        expect(await nodesOfShop(cluster, 'web')).toEqual(['worker-1']);
      },
      6 * MINUTES,
    );

    test(
      'is given both families when its address has come, and takes pods again',
      async () => {
        await late.addAddress();
        await untilStatus(cluster, 'the node is whole', isWhole, 5 * MINUTES);
        const whole = await node();
        expect(familiesOf(whole)).toEqual(['IPv4', 'IPv6']);
        expect(taintsOf(whole)).not.toContain(TAINT);
        expect(failedText(await checkPackets(cluster))).toBe('');
      },
      8 * MINUTES,
    );
  });

const taintsOf = (node: KubeObject): readonly unknown[] =>
  asArray(at(node, 'spec', 'taints')).map((taint) => at(taint, 'key'));

const familiesOf = (node: KubeObject): readonly unknown[] =>
  asArray(at(node, 'status', 'addresses'))
    .filter((address) => at(address, 'type') === 'InternalIP')
    .map((address) => (String(at(address, 'address')).includes(':') ? 'IPv6' : 'IPv4'));
