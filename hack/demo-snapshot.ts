import { readFile } from 'node:fs/promises';
import type { TestCluster } from '../test/cluster/index.ts';

/** One fact of the cluster, as text. */
export interface Row {
  readonly name: string;
  readonly value: string;
}

/** What the demo compares: read from the cluster and its hosts, not from the operator. */
export async function takeSnapshot(cluster: TestCluster): Promise<readonly Row[]> {
  const [node] = cluster.controlPlanes;
  if (node === undefined) throw new Error('there is no control plane');
  const api = await readFile(node.manifest('kube-apiserver'), 'utf8');
  const manager = await readFile(node.manifest('kube-controller-manager'), 'utf8');
  const get = async (path: string, ...args: string[]): Promise<string> => {
    const { stdout } = await cluster.kubectl(['get', ...args, '--ignore-not-found', '-o', `jsonpath=${path}`]);
    return stdout.trim().replaceAll(/[[\]"]/gu, '') || '–';
  };
  return [
    { name: 'kube-apiserver', value: flags(api, ['service-cluster-ip-range']) },
    { name: 'kube-controller-manager', value: flags(manager, ['cluster-cidr', 'node-cidr-mask-size-ipv6']) },
    { name: 'ServiceCIDR kubernetes', value: await get('{.spec.cidrs}', 'servicecidr', 'kubernetes') },
    { name: 'IPPools', value: await get('{range .items[*]}{.spec.cidr} {end}', 'ippools.crd.projectcalico.org') },
    {
      name: 'calico-node env',
      value: await get(
        '{range .spec.template.spec.containers[0].env[?(@.name=="IP6")]}IP6={.value} {end}',
        '-n',
        'kube-system',
        'daemonset',
        'calico-node',
      ),
    },
    {
      name: 'Service kube-dns',
      value: await get('{.spec.clusterIPs}', '-n', 'kube-system', 'service', 'kube-dns'),
    },
    { name: 'Service (RequireDualStack)', value: await get('{.spec.clusterIPs}', 'service', 'after') },
    {
      name: `Node ${node.name}`,
      value: await get('{range .status.addresses[?(@.type=="InternalIP")]}{.address} {end}', 'node', node.name),
    },
  ];
}

const flags = (manifest: string, names: readonly string[]): string =>
  names.map((name) => new RegExp(`--${name}=(\\S+)`, 'u').exec(manifest)?.[1] ?? '–').join(' ');

const NAME_WIDTH = 26;
const VALUE_WIDTH = 25;

/** Two columns within 80 characters; long values go on in the next line. */
export function sideBySide(before: readonly Row[], after: readonly Row[]): string {
  const lines = before.flatMap(({ name, value }, index) => {
    const left = pieces(value);
    const right = pieces(after[index]?.value ?? '–');
    return Array.from({ length: Math.max(left.length, right.length) }, (_, line) =>
      row(line === 0 ? name : '', left[line] ?? '', right[line] ?? ''),
    );
  });
  return [row('', 'before', 'after'), ...lines].join('\n');
}

const row = (name: string, left: string, right: string): string =>
  `${name.padEnd(NAME_WIDTH)} ${left.padEnd(VALUE_WIDTH)} ${right}`.trimEnd();

/** Broken after the comma or space before the limit, else at the limit. */
function pieces(text: string): readonly string[] {
  const words = text.split(/(?<=[ ,])/u);
  const lines: string[] = [];
  for (const word of words) {
    const last = lines.at(-1);
    if (last !== undefined && (last + word).length <= VALUE_WIDTH) lines[lines.length - 1] = last + word;
    else lines.push(word);
  }
  return lines.map((line) => line.trim());
}
