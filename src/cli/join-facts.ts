import { createHash, X509Certificate } from 'node:crypto';
import { parse } from 'yaml';
import type { JoinFacts, LiveNode } from '../generate/kubeadm/node-join.ts';
import type { KubeClient } from '../kube/client.ts';
import { errorText } from '../kube/errors.ts';
import { asArray, asString, at, type KubeObject, type ObjectRef, refText } from '../model/object.ts';
import { parseCidr } from '../net/cidr.ts';
import type { Family, PerFamily } from '../net/family.ts';
import { err, ok, type Result } from '../result.ts';

const CONFIG: ObjectRef = { apiVersion: 'v1', kind: 'ConfigMap', namespace: 'kube-system', name: 'kubeadm-config' };
const CLUSTER_INFO: ObjectRef = { apiVersion: 'v1', kind: 'ConfigMap', namespace: 'kube-public', name: 'cluster-info' };

/** What a cluster that kubeadm made tells those that join it. The error is one sentence. */
export async function readJoinFacts(client: KubeClient): Promise<Result<JoinFacts, string>> {
  const config = await readYaml(client, CONFIG, 'ClusterConfiguration');
  if (!config.ok) return config;
  const info = await readYaml(client, CLUSTER_INFO, 'kubeconfig');
  if (!info.ok) return info;
  const nodes = await client.list({ apiVersion: 'v1', kind: 'Node' });
  if (!nodes.ok) return err(errorText(nodes.error));
  return joinFacts(config.value, info.value, nodes.value.items);
}

async function readYaml(client: KubeClient, ref: ObjectRef, key: string): Promise<Result<unknown, string>> {
  const read = await client.get(ref);
  if (!read.ok) {
    return err(
      read.error.kind === 'NotFound'
        ? `there is no ${refText(ref)}, so kubeadm did not make this cluster: nodes join it another way`
        : errorText(read.error),
    );
  }
  try {
    const document: unknown = parse(asString(at(read.value, 'data', key)) ?? '');
    return ok(document);
  } catch {
    return err(`data.${key} of ${refText(ref)} is no valid YAML: mend it first`);
  }
}

/** `config` is kubeadm's ClusterConfiguration, `info` the kubeconfig of ConfigMap kube-public/cluster-info. */
export function joinFacts(config: unknown, info: unknown, nodes: readonly KubeObject[]): Result<JoinFacts, string> {
  const services = networksOf(at(config, 'networking', 'serviceSubnet'));
  if (services.length === 0) return err(`networking.serviceSubnet in ${refText(CONFIG)} cannot be read: mend it first`);
  const cluster = at(info, 'clusters', 0, 'cluster');
  const endpoint = endpointOf(asString(at(cluster, 'server')) ?? '');
  if (endpoint === null)
    return err(`${refText(CLUSTER_INFO)} names no server: "kubeadm init phase bootstrap-token" writes it`);
  const caHash = caHashOf(asString(at(cluster, 'certificate-authority-data')) ?? '');
  if (caHash === null)
    return err(`${refText(CLUSTER_INFO)} holds no certificate: "kubeadm init phase bootstrap-token" writes it`);
  return ok({
    kubernetesVersion: asString(at(config, 'kubernetesVersion')) ?? '',
    families: services.map(({ family }) => family),
    pods: byFamily(networksOf(at(config, 'networking', 'podSubnet'))),
    services: byFamily(services),
    endpoint,
    caHash,
    nodes: nodes.map(liveNode).sort((a, b) => (a.name < b.name ? -1 : 1)),
  });
}

interface FamilyNetwork {
  readonly family: Family;
  readonly text: string;
}

const networksOf = (list: unknown): readonly FamilyNetwork[] =>
  (asString(list) ?? '').split(',').flatMap((text) => {
    const cidr = parseCidr(text);
    return cidr.ok ? [{ family: cidr.value.family, text: cidr.value.text }] : [];
  });

const byFamily = (networks: readonly FamilyNetwork[]): PerFamily<string> =>
  Object.fromEntries(networks.map(({ family, text }) => [family, text]));

function endpointOf(server: string): string | null {
  if (!URL.canParse(server)) return null;
  const { hostname, port } = new URL(server);
  return `${hostname}:${port === '' ? '443' : port}`;
}

/** As kubeadm pins it: SHA-256 of the authority's public key (cmd/kubeadm/app/util/pubkeypin). */
function caHashOf(base64: string): string | null {
  try {
    const { publicKey } = new X509Certificate(Buffer.from(base64, 'base64'));
    const digest = createHash('sha256').update(publicKey.export({ type: 'spki', format: 'der' }));
    return `sha256:${digest.digest('hex')}`;
  } catch {
    return null;
  }
}

function liveNode(node: KubeObject): LiveNode {
  const labels = at(node, 'metadata', 'labels');
  return {
    name: node.metadata.name,
    controlPlane: ['control-plane', 'master'].some(
      (role) => at(labels, `node-role.kubernetes.io/${role}`) !== undefined,
    ),
    internalIPs: asArray(at(node, 'status', 'addresses')).flatMap((address) => {
      const text = asString(at(address, 'address'));
      return at(address, 'type') === 'InternalIP' && text !== undefined ? [text] : [];
    }),
  };
}
