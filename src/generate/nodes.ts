import { type Address, parseAddress } from '../net/address.ts';
import { contains } from '../net/cidr.ts';
import type { Family } from '../net/family.ts';
import { isRoutable } from '../net/special.ts';
import { err, ok, type Result } from '../result.ts';
import type { Flag, NewCluster } from './contract.ts';
import { inOrder, networkOf } from './networks.ts';

/** A host that is to become a node. */
export interface NewNode {
  readonly name: string;
  /** One of each family of the cluster, primary first. */
  readonly addresses: readonly [string, ...string[]];
}

export const nodeFlag = (name: string, what: string): Flag => ({
  name,
  value: 'name=addresses',
  description: `${what}, with one address of each family, such as ${name === 'worker' ? 'worker-1' : 'cp-1'}=192.0.2.11,2001:db8::11; once for each`,
  many: true,
});

/** Name of a Node: RFC 1123, as kubeadm and the API server check it. */
const NAME = /^(?=.{1,253}$)[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/u;

export function parseNode(text: string, flag: string, families: readonly Family[]): Result<NewNode, string> {
  const [name = '', list = ''] = text.split(/=(.*)/su);
  if (!NAME.test(name)) {
    return err(
      `--${flag}: "${text}" has no valid node name: write it like ${flag === 'worker' ? 'worker-1' : 'cp-1'}=192.0.2.11,2001:db8::11, the name in lower case`,
    );
  }
  return nodeOf(name, list === '' ? [] : list.split(','), `--${flag}: ${name}`, families);
}

/** The node with its addresses in the order of the families. `where` begins what is told when it cannot be. */
export function nodeOf(
  name: string,
  texts: readonly string[],
  where: string,
  families: readonly Family[],
): Result<NewNode, string> {
  const found = new Map<Family, Address>();
  for (const text of texts) {
    const address = parseAddress(text);
    if (!address.ok) return err(`${where}: ${address.error.message}`);
    const { family } = address.value;
    if (!isRoutable(address.value))
      return err(`${where}: other hosts cannot reach ${address.value.text}: give the address of an interface`);
    if (!families.includes(family))
      return err(`${where}: ${address.value.text} is ${family}, which the cluster shall not have: leave it out`);
    if (found.has(family)) return err(`${where}: two addresses are ${family}: give one of each family`);
    found.set(family, address.value);
  }
  const ordered = families.flatMap((family) => found.get(family)?.text ?? []);
  const [primary, ...others] = ordered;
  if (primary === undefined || ordered.length < families.length) {
    const missing = families.filter((family) => !found.has(family));
    return err(`${where}: an ${missing.join(' and an ')} address is missing: give one of each family`);
  }
  return ok({ name, addresses: [primary, ...others] });
}

/** What is wrong with the nodes among each other and beside the cluster's networks. */
export function nodeProblems(nodes: readonly NewNode[], cluster: NewCluster): readonly string[] {
  const networks = [...inOrder(cluster.families, cluster.pods), ...inOrder(cluster.families, cluster.services)];
  const owners = new Map<string, string>();
  return nodes.flatMap(({ name, addresses }, index) => [
    ...(nodes.findIndex((other) => other.name === name) < index ? [`two nodes are named ${name}: name each once`] : []),
    ...addresses.flatMap((text) => {
      const owner = owners.get(text);
      owners.set(text, name);
      return owner === undefined ? [] : [`${owner} and ${name} have the same address ${text}: give each its own`];
    }),
    ...addresses.flatMap((text) => {
      const address = parseAddress(text);
      const around = networks.find((network) => address.ok && contains(networkOf(network), address.value));
      return around === undefined
        ? []
        : [`${text} of ${name} lies in ${around}, a network of the cluster: choose networks that hold no node`];
    }),
  ]);
}
