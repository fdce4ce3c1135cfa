import type { GeneratedFile } from '../contract.ts';
import type { NewNode } from '../nodes.ts';
import { note, type Tree, yamlText } from '../yaml.ts';
import { type ConfigApi, documentOf, extraArgs } from './config-api.ts';
import { type Endpoint, hostPort } from './endpoint.ts';
import type { Trust } from './flags.ts';

/** What all nodes of one cluster are told. */
export interface Club {
  readonly api: ConfigApi;
  /** Where the API is found. */
  readonly endpoint: Endpoint;
  /** Port of the API servers themselves. */
  readonly bindPort: number;
  readonly trust: Trust;
}

/** They have the right form and open nothing: no cluster has an authority with this hash. */
const PLACEHOLDERS = { token: 'abcdef.0123456789abcdef', caHash: `sha256:${'0'.repeat(64)}` } as const;

/** What the kernel of a node needs before. */
export const FORWARDING =
  'net.ipv6.conf.all.forwarding=1 where it has IPv6 (with accept_ra=2 where its default route comes by router advertisement)';

/** File for `kubeadm join --config` on that node. */
export function joinFile(node: NewNode, role: 'ControlPlane' | 'Worker', club: Club): GeneratedFile {
  const text = yamlText([
    {
      about: [
        `kubeadm join --config ${joinFileName(node)}, on ${node.name}`,
        `First on the host: the addresses below are on its interfaces, and ${FORWARDING}.`,
        ...(role === 'ControlPlane' && club.trust.certificateKey === null
          ? [
              'And /etc/kubernetes/pki of the first node is copied here: ca, sa, front-proxy-ca and etcd/ca, certificates and keys.',
            ]
          : []),
      ].join('\n'),
      value: {
        ...documentOf(club.api, 'JoinConfiguration'),
        discovery: { bootstrapToken: bootstrapToken(club) },
        nodeRegistration: registration(node, club.api),
        controlPlane: role === 'ControlPlane' ? controlPlane(node, club) : undefined,
      },
    },
  ]);
  const secret = club.trust.token !== null || club.trust.certificateKey !== null;
  return { name: joinFileName(node), text, ...(secret ? { secret } : {}) };
}

const joinFileName = ({ name }: NewNode): string => `join-${name}.yaml`;

const bootstrapToken = ({ endpoint, trust }: Club): Tree => ({
  apiServerEndpoint: hostPort(endpoint.host, endpoint.port),
  token:
    trust.token ??
    note(PLACEHOLDERS.token, 'A placeholder: put in what "kubeadm token create" prints on a control-plane node.'),
  caCertHashes: [
    trust.caHash ??
      note(PLACEHOLDERS.caHash, 'A placeholder: put in what "kubeadm token create --print-join-command" prints.'),
  ],
});

const controlPlane = (node: NewNode, { bindPort, trust }: Club): Tree => ({
  localAPIEndpoint: localEndpoint(node, bindPort),
  certificateKey: trust.certificateKey ?? undefined,
});

/** kube-apiserver does not start when this is not of the first family of the Service network. */
export const localEndpoint = ({ addresses: [primary] }: NewNode, bindPort: number): Tree => ({
  advertiseAddress: note(primary, 'Of the primary family: the same as the first Service network.'),
  bindPort,
});

export const registration = ({ name, addresses }: NewNode, api: ConfigApi): Tree => ({
  name,
  kubeletExtraArgs: extraArgs(api, [['node-ip', note(addresses.join(','), nodeIPNote(addresses.length))]]),
});

const nodeIPNote = (count: number): string =>
  count === 1
    ? 'The address of the Node.'
    : 'Both addresses of the Node, primary first: without them the kubelet reports one.\nWith a cloud provider this needs Kubernetes 1.29, and --cloud-provider=external beside it.';
