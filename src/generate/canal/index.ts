import { ok } from '../../result.ts';
import { cniNetworkConfig } from '../calico-conf.ts';
import type { GeneratedFile, Generator, NewCluster } from '../contract.ts';
import { asked, impossible } from '../flags.ts';
import { kustomization } from '../kustomization.ts';
import { isDual, maskProblems, USUAL_NETWORKS } from '../networks.ts';
import { note, yamlText } from '../yaml.ts';

const MANIFEST = 'canal.yaml';

/** Patches for Canal's manifest: flannel moves the packets, Calico holds them to policies. */
export const canal: Generator = {
  name: 'canal',
  summary: "Patches for Canal's own manifest: flannel's networks, CNI configuration and Felix.",
  flags: [],
  defaults: () => USUAL_NETWORKS,
  generate(cluster) {
    if (!cluster.families.includes('IPv4')) {
      return impossible(
        'Canal for IPv6 alone is nothing that its projects describe: choose IPv4,IPv6 or IPv6,IPv4, or take calico, tigera or cilium',
      );
    }
    const problems = maskProblems(cluster, { IPv4: 24, IPv6: 64 });
    if (problems.length > 0) return asked(...problems);
    const patches = [
      configPatch(cluster),
      ...(cluster.pods.IPv6 === undefined ? [] : [daemonSetPatch(cluster.pods.IPv6)]),
    ];
    return ok({
      files: [
        ...patches,
        kustomization(MANIFEST, 'Canal of Calico 3.22 or newer (flannel 0.15) with these networks.', patches),
      ],
      notes: [
        `Each Node needs a pod CIDR of ${isDual(cluster) ? 'each family' : 'IPv4'} (spec.podCIDRs), which kube-controller-manager gives: pods without fail to start.`,
      ],
    });
  },
};

/** host-local takes the Node's own networks: `usePodCidr` its IPv4 one, `usePodCidrIPv6` the other (calico/cni-plugin/pkg/k8s). */
const RANGES = { IPv4: [{ subnet: 'usePodCidr' }], IPv6: [{ subnet: 'usePodCidrIPv6' }] } as const;

function configPatch(cluster: NewCluster): GeneratedFile {
  const ipam = isDual(cluster)
    ? { type: 'host-local', ranges: [RANGES.IPv4, RANGES.IPv6] }
    : { type: 'host-local', subnet: 'usePodCidr' };
  return {
    name: 'canal-config.yaml',
    text: yamlText([
      {
        about: `Patch for ConfigMap kube-system/canal-config of ${MANIFEST}.`,
        value: {
          apiVersion: 'v1',
          kind: 'ConfigMap',
          metadata: { name: 'canal-config', namespace: 'kube-system' },
          data: {
            cni_network_config: note(`${cniNetworkConfig(ipam)}\n`, 'Addresses come from the pod CIDRs of the Node.'),
            'net-conf.json': note(
              `${JSON.stringify(netConf(cluster), null, 2)}\n`,
              "flannel's networks: the pod networks.",
            ),
          },
        },
      },
    ]),
  };
}

const netConf = ({ families, pods }: NewCluster): object => ({
  Network: pods.IPv4,
  ...(families.includes('IPv6') ? { EnableIPv6: true, IPv6Network: pods.IPv6 } : {}),
  Backend: { Type: 'vxlan' },
});

const daemonSetPatch = (pods: string): GeneratedFile => ({
  name: 'canal-daemonset.yaml',
  text: yamlText([
    {
      about: `Patch for DaemonSet kube-system/canal of ${MANIFEST}.`,
      value: {
        apiVersion: 'apps/v1',
        kind: 'DaemonSet',
        metadata: { name: 'canal', namespace: 'kube-system' },
        spec: {
          template: {
            spec: {
              containers: [
                {
                  name: 'calico-node',
                  env: [
                    note({ name: 'FELIX_IPV6SUPPORT', value: 'true' }, 'Policies and routes of pods for IPv6, too.'),
                    note(
                      { name: 'CALICO_IPV6POOL_CIDR', value: pods },
                      'Without this Felix with IPv6 would make a pool at random.',
                    ),
                  ],
                },
              ],
            },
          },
        },
      },
    },
  ]),
});
