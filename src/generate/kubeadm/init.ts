import type { SemVer } from 'semver';
import type { GeneratedFile, NewCluster } from '../contract.ts';
import { releaseText } from '../flags.ts';
import { dnsAddress, inOrder, isDual } from '../networks.ts';
import type { NewNode } from '../nodes.ts';
import { type Branch, note, type Part, type Tree, yamlText } from '../yaml.ts';
import { type ConfigApi, documentOf, dualStackGate, extraArgs } from './config-api.ts';
import { type Endpoint, hostPort } from './endpoint.ts';
import { type Club, FORWARDING, localEndpoint, registration } from './join.ts';

export interface InitRequest {
  readonly cluster: NewCluster;
  readonly version: SemVer;
  readonly controlPlanes: readonly [NewNode, ...NewNode[]];
  /** Null: the first node is the only one that will ever serve the API. */
  readonly endpoint: Endpoint | null;
  readonly club: Club;
}

/** File for `kubeadm init --config` on the first control-plane node. */
export function initFile(request: InitRequest): GeneratedFile {
  const { trust } = request.club;
  const name = `init-${request.controlPlanes[0].name}.yaml`;
  const text = yamlText([
    initConfiguration(request, name),
    clusterConfiguration(request),
    kubeletConfiguration(request),
    kubeProxyConfiguration(request),
  ]);
  const secret = trust.token !== null || trust.certificateKey !== null;
  return { name, text, ...(secret ? { secret } : {}) };
}

function initConfiguration({ controlPlanes: [node], club }: InitRequest, file: string): Part {
  const upload = club.trust.certificateKey === null ? '' : ' --upload-certs';
  return {
    about: [
      `kubeadm init --config ${file}${upload}, on ${node.name}`,
      `First on each host: its addresses are on its interfaces, and ${FORWARDING}.`,
    ].join('\n'),
    value: {
      ...documentOf(club.api, 'InitConfiguration'),
      bootstrapTokens: club.trust.token === null ? undefined : [tokenOf(club.trust.token)],
      localAPIEndpoint: localEndpoint(node, club.bindPort),
      nodeRegistration: registration(node, club.api),
      certificateKey: club.trust.certificateKey ?? undefined,
    },
  };
}

const tokenOf = (token: string): Tree => ({
  token,
  ttl: note('24h0m0s', 'Nodes that join later need a new one: "kubeadm token create".'),
  usages: ['signing', 'authentication'],
  groups: ['system:bootstrappers:kubeadm:default-node-token'],
});

function clusterConfiguration({ cluster, version, controlPlanes, endpoint, club }: InitRequest): Part {
  const dual = isDual(cluster);
  const order = dual
    ? 'One network of each family, primary first. They cannot be changed later, but for adding or removing the second.'
    : 'They cannot be changed later; a second family can be added.';
  return {
    about: 'What all control-plane nodes have in common; kubeadm keeps it in ConfigMap kube-system/kubeadm-config.',
    value: {
      ...documentOf(club.api, 'ClusterConfiguration'),
      clusterName: cluster.name,
      kubernetesVersion: releaseText(version),
      controlPlaneEndpoint:
        endpoint === null
          ? undefined
          : note(hostPort(endpoint.host, endpoint.port), 'Where all nodes find the API. It cannot be added later.'),
      featureGates: noteGate(dualStackGate(version, dual)),
      networking: note(
        {
          podSubnet: inOrder(cluster.families, cluster.pods).join(','),
          serviceSubnet: inOrder(cluster.families, cluster.services).join(','),
          dnsDomain: 'cluster.local',
        },
        order,
      ),
      apiServer: {
        certSANs: note(
          certificateNames(controlPlanes, endpoint),
          'kubeadm puts in the advertised address alone: with these the API can be asked by any address of any node.',
        ),
      },
      controllerManager: nodeMasks(cluster, club.api),
    },
  };
}

const noteGate = (gate: Branch | undefined): Tree | undefined =>
  gate === undefined ? undefined : note(gate, 'Off by default before 1.21. Take it out before an upgrade to 1.24.');

function certificateNames(nodes: readonly NewNode[], endpoint: Endpoint | null): readonly string[] {
  return [...new Set([...(endpoint === null ? [] : [endpoint.host]), ...nodes.flatMap(({ addresses }) => addresses)])];
}

/** Flags by family: `--node-cidr-mask-size` does not go with two families. */
function nodeMasks(cluster: NewCluster, api: ConfigApi): Tree | undefined {
  const args = cluster.families.flatMap((family) => {
    const mask = cluster.nodeMask[family];
    return mask === undefined ? [] : [[`node-cidr-mask-size-${family.toLowerCase()}`, String(mask)] as const];
  });
  const masks = extraArgs(api, args);
  return masks === undefined ? undefined : { extraArgs: masks };
}

function kubeletConfiguration({ cluster, version }: InitRequest): Part {
  const [services] = inOrder(cluster.families, cluster.services);
  const dns = services === undefined ? null : dnsAddress(services);
  return {
    about: 'For the kubelets of all nodes; --node-ip is no part of it and stands with each node.',
    value: {
      apiVersion: 'kubelet.config.k8s.io/v1beta1',
      kind: 'KubeletConfiguration',
      clusterDNS: dns === null ? undefined : note([dns], 'The tenth address of the first Service network.'),
      clusterDomain: 'cluster.local',
      featureGates: dualStackGate(version, isDual(cluster)),
    },
  };
}

function kubeProxyConfiguration({ cluster, version }: InitRequest): Part {
  return {
    about: 'For kube-proxy on all nodes.',
    value: {
      apiVersion: 'kubeproxy.config.k8s.io/v1alpha1',
      kind: 'KubeProxyConfiguration',
      bindAddress: note(
        cluster.families[0] === 'IPv6' ? '::' : '0.0.0.0',
        'Names the primary family; both are served all the same.',
      ),
      clusterCIDR: note(
        inOrder(cluster.families, cluster.pods).join(','),
        'The pod networks: a family that is missing here is taken for traffic from outside, without an error.',
      ),
      featureGates: dualStackGate(version, isDual(cluster)),
    },
  };
}
