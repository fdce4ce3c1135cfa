import { ok } from '../../result.ts';
import { cniNetworkConfig } from '../calico-conf.ts';
import type { Flag, GeneratedFile, Generator, NewCluster } from '../contract.ts';
import { asked, first } from '../flags.ts';
import { kustomization } from '../kustomization.ts';
import { isDual, USUAL_NETWORKS } from '../networks.ts';
import { autodetectionOf, type Pool, poolProblems, poolsOf } from '../pool.ts';
import { type Branch, note, type Tree, yamlText } from '../yaml.ts';

const BACKEND: Flag = {
  name: 'backend',
  value: 'backend',
  description: 'vxlan (its default; for calico-vxlan.yaml) or bird, which is BGP (for calico.yaml)',
  choices: ['vxlan', 'bird'],
};

type Backend = 'vxlan' | 'bird';

/** Patches for the manifests that Calico publishes. */
export const calico: Generator = {
  name: 'calico',
  summary: "Patches for Calico's own manifest: environment of calico-node, pools and CNI configuration.",
  flags: [BACKEND],
  defaults: () => USUAL_NETWORKS,
  generate(cluster, values) {
    const backend: Backend = first(values, BACKEND) === 'bird' ? 'bird' : 'vxlan';
    const pools = poolsOf(cluster);
    const problems = [...poolProblems(pools), ...pools.flatMap((pool) => backendProblems(pool, backend))];
    if (problems.length > 0) return asked(...problems);
    const manifest = backend === 'bird' ? 'calico.yaml' : 'calico-vxlan.yaml';
    const patches = [configPatch(cluster, backend, manifest), nodePatch(cluster, pools, backend, manifest)];
    const about = 'Calico 3.23 or newer with the networks of this cluster; IPv6 in VXLAN needs Linux 4.19.';
    return ok({
      files: [...patches, kustomization(manifest, about, patches)],
      notes: [`Put ${manifest} of your Calico release beside these files; kustomization.yaml says what then.`],
    });
  },
};

function backendProblems({ encapsulation }: Pool, backend: Backend): readonly string[] {
  if (backend === 'bird') return [];
  if (encapsulation === 'None')
    return [
      'spec.calico.pool.encapsulation: with backend vxlan None leaves pods of different nodes apart: write VXLAN, or give --backend bird',
    ];
  return encapsulation.startsWith('IPIP')
    ? ['spec.calico.pool.encapsulation: backend vxlan knows no IPIP: write VXLAN, or give --backend bird']
    : [];
}

function configPatch(cluster: NewCluster, backend: Backend, manifest: string): GeneratedFile {
  return {
    name: 'calico-config.yaml',
    text: yamlText([
      {
        about: `Patch for ConfigMap kube-system/calico-config of ${manifest}.`,
        value: {
          apiVersion: 'v1',
          kind: 'ConfigMap',
          metadata: { name: 'calico-config', namespace: 'kube-system' },
          data: {
            calico_backend: backend,
            cni_network_config: note(
              `${cniNetworkConfig({ type: 'calico-ipam', ...assign(cluster) })}\n`,
              'The file of each node. assign_ipv4 and assign_ipv6 are texts: a bare true fails every pod.',
            ),
          },
        },
      },
    ]),
  };
}

/** Both named, so that what is meant does not hang on a default. */
const assign = ({ families }: NewCluster): { readonly assign_ipv4: string; readonly assign_ipv6: string } => ({
  assign_ipv4: String(families.includes('IPv4')),
  assign_ipv6: String(families.includes('IPv6')),
});

function nodePatch(cluster: NewCluster, pools: readonly Pool[], backend: Backend, manifest: string): GeneratedFile {
  const probe = cluster.families.includes('IPv4') || backend === 'vxlan' ? undefined : IPV6_READINESS;
  return {
    name: 'calico-node.yaml',
    text: yamlText([
      {
        about: `Patch for DaemonSet kube-system/calico-node of ${manifest}.`,
        value: {
          apiVersion: 'apps/v1',
          kind: 'DaemonSet',
          metadata: { name: 'calico-node', namespace: 'kube-system' },
          spec: {
            template: {
              spec: {
                containers: [{ name: 'calico-node', readinessProbe: probe, env: nodeEnv(cluster, pools, backend) }],
              },
            },
          },
        },
      },
    ]),
  };
}

function nodeEnv(cluster: NewCluster, pools: readonly Pool[], backend: Backend): Tree {
  const ipv4 = cluster.families.includes('IPv4');
  const ipv6 = cluster.families.includes('IPv6');
  return [
    ...(ipv4
      ? [variable('IP', 'autodetect'), variable('IP_AUTODETECTION_METHOD', 'kubernetes-internal-ip')]
      : [
          note(variable('IP', 'none'), 'The nodes have no IPv4, and no router id by it.'),
          variable('CALICO_ROUTER_ID', 'hash'),
          note(
            variable('CALICO_IPV4POOL_IPIP', 'Never'),
            'Calico makes an IPv4 pool all the same. Nothing takes addresses from it (assign_ipv4), and no tunnel is made for it.',
          ),
          variable('CALICO_IPV4POOL_VXLAN', 'Never'),
        ]),
    ...(ipv6
      ? [
          note(
            variable('IP6', 'autodetect'),
            isDual(cluster)
              ? 'With this a node whose IPv6 address is not found loses its IPv4 as well: see that each Node shows both first.'
              : 'The address of the node.',
          ),
          variable('IP6_AUTODETECTION_METHOD', autodetectionOf(cluster)),
          variable('FELIX_IPV6SUPPORT', 'true'),
        ]
      : []),
    ...pools.flatMap((pool) => poolEnv(pool, backend)),
  ];
}

const variable = (name: string, value: string): Branch => ({ name, value });

function poolEnv(pool: Pool, backend: Backend): readonly Tree[] {
  const prefix = `CALICO_${pool.family.toUpperCase()}POOL`;
  return [
    note(
      variable(`${prefix}_CIDR`, pool.cidr),
      `The ${pool.family} pool: made at the first start, and not changed after it.`,
    ),
    variable(`${prefix}_BLOCK_SIZE`, String(pool.blockSize)),
    ...encapsulationEnv(pool, prefix, backend),
    note(
      variable(`${prefix}_NAT_OUTGOING`, String(pool.natOutgoing)),
      pool.natOutgoing
        ? "What leaves the cluster gets its node's address."
        : 'Pods leave the cluster with their own addresses: routers have to know them.',
    ),
    variable(`${prefix}_NODE_SELECTOR`, pool.nodeSelector),
  ];
}

/** The manifests say how IPv4 travels and nothing of IPv6 that would work in each of them. */
function encapsulationEnv({ family, encapsulation }: Pool, prefix: string, backend: Backend): readonly Tree[] {
  const ipip = variable(`${prefix}_IPIP`, mode(encapsulation, 'IPIP'));
  switch (encapsulation) {
    case 'Auto':
      if (family === 'IPv4') return [];
      return [
        backend === 'vxlan'
          ? variable(`${prefix}_VXLAN`, 'Always')
          : note(
              variable(`${prefix}_VXLAN`, 'Never'),
              'Routes go by BGP: the nodes share a link, or their routers take part.',
            ),
      ];
    case 'None':
    case 'VXLAN':
    case 'VXLANCrossSubnet':
    case 'IPIP':
    case 'IPIPCrossSubnet':
      return [variable(`${prefix}_VXLAN`, mode(encapsulation, 'VXLAN')), ...(family === 'IPv4' ? [ipip] : [])];
  }
}

const mode = (encapsulation: string, kind: 'VXLAN' | 'IPIP'): string =>
  encapsulation === kind ? 'Always' : encapsulation === `${kind}CrossSubnet` ? 'CrossSubnet' : 'Never';

/** The manifest's probe asks BIRD for IPv4 alone (calico/node, cmd/calico-node/main.go). */
const IPV6_READINESS: Tree = { exec: { command: ['/bin/calico-node', '-felix-ready', '-bird6-ready'] } };
