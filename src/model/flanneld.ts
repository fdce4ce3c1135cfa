import type { Step } from './step.ts';
import { type Family, isOfFamily } from '../net/family.ts';
import type { NodeFacts } from './facts.ts';
import type { HostReport } from './host.ts';
import { asArray, asString, at } from './object.ts';

/** What is true of flanneld wherever it runs: on its own, or beside Calico's policies in Canal. */

/** Flags by name without dashes, each with all of its values. Environment variables count where the flag is not given. */
export type Flags = Readonly<Record<string, readonly string[]>>;

/** Flannel itself leaves IPv6 out of the lease for every other backend (`AcquireLease` in `pkg/subnet/kube/kube.go`). */
export const DUAL_BACKENDS: readonly string[] = ['vxlan', 'host-gw', 'wireguard'];

/** Annotations by which flanneld tells the others, per family, how its node is reached. */
export interface NodeAnnotations {
  readonly publicIP: string;
  readonly data: string;
}

/** Flannel's rule for `--kube-annotation-prefix`: a name alone is followed by a slash, anything else by a dash. */
export function nodeAnnotations(flags: Flags, family: Family): NodeAnnotations {
  const given = flags['kube-annotation-prefix']?.at(-1) ?? 'flannel.alpha.coreos.com';
  const slashed = given.includes('/') ? given : `${given}/`;
  const prefix = /[/-]$/u.test(slashed) ? slashed : `${slashed}-`;
  return family === 'IPv4'
    ? { publicIP: `${prefix}public-ip`, data: `${prefix}backend-data` }
    : { publicIP: `${prefix}public-ipv6`, data: `${prefix}backend-v6-data` };
}

/** True when flanneld there has told the others of that family. Backends without data of their own write `null`. */
export function isProven(node: NodeFacts, { publicIP, data }: NodeAnnotations, backend: string): boolean {
  const address = node.annotations[publicIP] ?? '';
  const needsData = backend === 'vxlan' || backend === 'wireguard';
  const hasData = !['', 'null'].includes(node.annotations[data] ?? '');
  return address !== '' && address !== '0.0.0.0' && address !== '::' && (hasData || !needsData);
}

/** Why flanneld finds no interface for these families there, as its host is reported; null: it does, or nobody can tell. */
export function whyNoInterface(node: NodeFacts, families: readonly Family[], flags: Flags): string | null {
  const told = ['iface-regex', 'iface-can-reach', 'public-ip', 'public-ipv6'].some((flag) => flag in flags);
  const report = node.agent?.report ?? null;
  return told || report === null ? null : hostProblem(report, families, flags['iface'] ?? []);
}

function hostProblem(report: HostReport, families: readonly Family[], named: readonly string[]): string | null {
  const { IPv4, IPv6 } = report.network.defaultRoutes;
  if (named.length > 0) {
    const has = (device: string, family: Family) =>
      report.addresses.some(
        ({ address, interface: on, scope }) =>
          (on === device || address === device) &&
          (scope === 'Global' || scope === 'UniqueLocal') &&
          isOfFamily(address, family),
      );
    const candidates = named.filter((device) => report.addresses.some((entry) => entry.interface === device));
    const isAddress = named.some((device) => report.addresses.some((entry) => entry.address === device));
    if (isAddress || candidates.length === 0) return null;
    const fits = candidates.some((device) => families.every((family) => has(device, family)));
    return fits ? null : `${candidates.join(', ')} (--iface) has no address of ${families.join(' and ')}`;
  }
  const missing = families.filter((family) => (family === 'IPv4' ? IPv4 : IPv6) === undefined);
  if (missing.length > 0) return `the host has no ${missing.join(' and no ')} default route`;
  if (IPv4?.interface === IPv6?.interface) return null;
  return `the default routes are on ${IPv4?.interface ?? ''} (IPv4) and ${IPv6?.interface ?? ''} (IPv6)`;
}

/**
 * flanneld never removes what it wrote to its Node, and one that knows the family again would believe it.
 *
 * @param annotations Those that are to go.
 */
export function forgetStep(
  cni: 'canal' | 'flannel',
  node: NodeFacts,
  annotations: readonly string[],
  { why, evidence }: { readonly why: string; readonly evidence: string },
): Step {
  const present = annotations.flatMap((key) => {
    const before = node.annotations[key];
    return before === undefined ? [] : [{ key, before }];
  });
  return {
    id: `${cni}/node-address/${node.name}`,
    phase: 'Pools',
    group: `${cni}-node-address`,
    target: `Node ${node.name}`,
    why,
    disrupts: null,
    timeoutSeconds: FORGET_SECONDS,
    kind: 'ApplyObject',
    ref: { apiVersion: 'v1', kind: 'Node', name: node.name },
    // Unconditional: Nodes change all the time.
    write: {
      is: 'MergePatch',
      body: { metadata: { annotations: Object.fromEntries(present.map(({ key }) => [key, null])) } },
      resourceVersion: null,
    },
    diff: present.map(({ key, before }) => ({ path: `metadata.annotations[${key}]`, before, after: null })),
    state: present.length === 0 ? { is: 'Satisfied', evidence } : { is: 'Pending' },
  };
}

/** For one write to be seen again. */
const FORGET_SECONDS = 120;

/** What leaves the pod network gets the address of its node, in both families where flanneld has both. */
export const masquerades = (flags: Flags): boolean => flags['ip-masq']?.at(-1) === 'true';

/** A flag's variable is its name in capitals behind `FLANNELD_`, with underscores; the flag wins. */
export function flagsOf(container: unknown): Flags {
  const flags: Record<string, string[]> = {};
  const words = [...asArray(at(container, 'command')), ...asArray(at(container, 'args'))].flatMap(
    (word) => asString(word) ?? [],
  );
  for (const [index, word] of words.entries()) {
    if (!word.startsWith('-')) continue;
    const [name = '', ...rest] = word.replace(/^--?/u, '').split('=');
    const next = words[index + 1];
    const value = rest.length > 0 ? rest.join('=') : next === undefined || next.startsWith('-') ? 'true' : next;
    flags[name] = [...(flags[name] ?? []), value];
  }
  for (const entry of asArray(at(container, 'env'))) {
    const variable = /^FLANNELD_(.+)$/u.exec(asString(at(entry, 'name')) ?? '')?.[1];
    const value = asString(at(entry, 'value'));
    if (variable === undefined || value === undefined) continue;
    const name = variable.toLowerCase().replaceAll('_', '-');
    flags[name] ??= [value];
  }
  return flags;
}
