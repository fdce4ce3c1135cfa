import type { NodeFacts } from '../model/facts.ts';
import type { HostAddress, HostReport } from '../model/host.ts';
import { bestOnHost, chooseAddress } from '../model/node-address.ts';
import { type Family, isOfFamily, otherFamily } from '../net/family.ts';
import type { Expectation } from '../providers/expect.ts';
import { unreachable } from '../result.ts';
import type { Fix } from './cause.ts';
import { isNewerThan } from './remedy.ts';
import { isAny, onlyFamilyOf, regimeOf } from './regime.ts';
import { addressText, CLOUD_IS_YOURS, HEALS, type Told } from './told.ts';

const RESTART = 'systemctl restart kubelet';

/** The host has an address that would do, and the Node does not say so. */
export function fromKubelet(
  node: NodeFacts,
  report: HostReport,
  family: Family,
  usable: readonly HostAddress[],
  isRecent: (time: string) => boolean,
  place: Expectation,
): Told {
  const { running, source } = report.kubelet;
  const address = chooseAddress(node, family) ?? usable[0]?.address ?? '';
  const { name } = node;
  const regime = regimeOf(node);
  const late = running !== null && usable.every(({ since }) => cameAfter(since, running.startedAt, report));
  const evidence = [
    ...usable.map(addressText),
    ...(running === null
      ? ['no kubelet process']
      : [`kubelet started at ${running.startedAt}${argsText(running.args)}`]),
    ...(late ? ['the address came after the kubelet had started'] : []),
  ];
  const single = (sentence: string): Told => ({
    cause: 'KubeletNodeIPSingleFamily',
    family,
    sentence,
    evidence,
    fix: {
      short: 'set --node-ip to an address of each family and restart its kubelet',
      command: setNodeIP(source, pairOf(node, family, address), running?.args['node-ip'] ?? ''),
      where: 'Node',
    },
    by: 'NodeIP',
  });
  switch (regime.is) {
    case 'NotSeen':
    case 'NotRunning':
      return {
        cause: 'KubeletNotRunning',
        family,
        sentence: `${name} has ${address}, and no kubelet runs on it that could tell.`,
        evidence,
        fix: { short: 'see why its kubelet does not run', command: 'journalctl -u kubelet -n 50', where: 'Node' },
        by: { why: 'The operator does not start what is stopped.' },
      };
    case 'Cloud': {
      const from = report.kubelet.nodeIPFrom;
      if (from !== undefined && onlyFamilyOf(regime.nodeIPs) === otherFamily(family)) {
        return fromBootScript({ node, family, address, evidence, from, late, place });
      }
      return fromCloud({
        node,
        family,
        // The cloud controller manager looks every few minutes.
        isNew: isRecent(node.createdAt) || usable.every(({ since }) => isRecent(since)),
        place,
        evidence,
        nodeIPs: regime.nodeIPs,
        source,
        has: `${name} has ${address}`,
      });
    }
    case 'Unset':
      return single(
        `${name} has ${address}, but its kubelet runs without --node-ip and then reports one address only.`,
      );
    case 'BootScript':
    case 'Literal': {
      const text = regime.nodeIPs.join(',');
      const asked = regime.nodeIPs.find((ip) => isOfFamily(ip, family));
      const isNamed = asked !== undefined && !isAny(asked);
      if (isNamed && usable.some((entry) => entry.address === asked)) {
        return notShownYet({ node, family, asked, late, evidence });
      }
      if (regime.is === 'BootScript') {
        const told = fromBootScript({ node, family, address, evidence, from: regime.from, late, place });
        return isNamed ? { ...told, cause: 'KubeletNodeIPNotOnHost', sentence: notOnHost(name, text, asked) } : told;
      }
      if (isNamed) return { ...single(notOnHost(name, text, asked)), cause: 'KubeletNodeIPNotOnHost' };
      const meaning = regime.nodeIPs.some(isAny) ? ', which means one address of that family' : '';
      return single(`${name} has ${address}, but its kubelet runs with --node-ip=${text}${meaning}.`);
    }
    default:
      return unreachable(regime);
  }
}

const notOnHost = (name: string, nodeIP: string, asked: string): string =>
  `The kubelet of ${name} runs with --node-ip=${nodeIP}, and its host has no ${asked}.`;

interface AskedCase {
  readonly node: NodeFacts;
  readonly family: Family;
  /** What `--node-ip` names. */
  readonly asked: string;
  readonly late: boolean;
  readonly evidence: readonly string[];
}

/** The kubelet is told an address that is there; it looks for it every 10 s. */
const notShownYet = ({ node, family, asked, late, evidence }: AskedCase): Told => ({
  cause: 'LateAddress',
  family,
  sentence: late
    ? `${asked} came to ${node.name} after its kubelet had started.`
    : `${node.name} has ${asked} and its kubelet is told so, but the Node does not show it yet.`,
  evidence,
  fix: WAIT,
  by: { why: HEALS },
});

/** A kubelet looks for its addresses every 10 s. */
export const WAIT: Fix = { short: 'wait a minute, then restart its kubelet', command: RESTART, where: 'Node' };

interface BootScriptCase {
  readonly node: NodeFacts;
  readonly family: Family;
  readonly address: string;
  readonly evidence: readonly string[];
  /** Where the script leaves what it found. */
  readonly from: string;
  readonly late: boolean;
  readonly place: Expectation;
}

/** Where IPv6 is known to come late, a script that ran at boot has hardly ever seen it. */
function fromBootScript({ node, family, address, evidence, from, late, place }: BootScriptCase): Told {
  const best = bestOnHost(node, family);
  const startedAt = node.agent?.report?.kubelet.running?.startedAt;
  // The script ran when the address was there already.
  const hadItsChance = best !== null && startedAt !== undefined && !isNewerThan(best.since, startedAt);
  const wasLate = late || (!hadItsChance && family === 'IPv6' && place.together?.is === 'Late');
  const says = place.together?.says;
  return {
    cause: wasLate ? 'LateAddress' : 'KubeletNodeIPSingleFamily',
    family,
    sentence: wasLate
      ? `${address} came to ${node.name} after its kubelet had started, and the script that works --node-ip out (${from}) ran before.`
      : `${node.name} has ${address}, but the script that works --node-ip out at boot (${from}) gave it without ${family}.`,
    evidence: [...evidence, ...(wasLate && says != null ? [`${place.name}: ${says}`] : [])],
    fix: hadItsChance
      ? {
          short: 'have that script give both families, then restart its kubelet',
          command: RESTART,
          where: 'Node',
        }
      : { short: 'restart its kubelet, so that the script looks again', command: RESTART, where: 'Node' },
    by: 'RestartKubelet',
  };
}

/** What the agent saw at its first look may have been there long before. */
const cameAfter = (since: string, startedAt: string, { watchingSince }: HostReport): boolean =>
  watchingSince !== undefined &&
  Date.parse(since) > Date.parse(watchingSince) &&
  Date.parse(since) > Date.parse(startedAt);

interface CloudCase {
  readonly node: NodeFacts;
  readonly family: Family;
  readonly isNew: boolean;
  readonly place: Expectation;
  readonly evidence: readonly string[];
  /** What the kubelet asks of the cloud provider with `--node-ip`. */
  readonly nodeIPs: readonly string[];
  /** The file that sets it; empty: nobody has seen which. */
  readonly source: string;
  /** Begins the sentence: what is known of the host. */
  readonly has: string;
}

/** The cloud controller manager writes the addresses of this Node. */
export function fromCloud({ node, family, isNew, place, evidence, nodeIPs, source, has }: CloudCase): Told {
  const { cloud } = place;
  const external = node.externalIPs.find((ip) => isOfFamily(ip, family));
  if (nodeIPs.length > 0 && onlyFamilyOf(nodeIPs) === otherFamily(family)) {
    return {
      cause: 'KubeletNodeIPSingleFamily',
      family,
      sentence: `${has}, but its kubelet runs with --node-ip=${nodeIPs.join(',')}, and its cloud provider then publishes that family alone.`,
      evidence,
      fix: {
        short: 'take --node-ip off, or name both families in it, and restart its kubelet',
        command: editWith('s/ *--node-ip[= ][^ "]*//', source),
        where: 'Node',
      },
      by: { why: 'A cloud provider gives this Node its addresses, and the operator leaves its kubelet to it.' },
    };
  }
  if (isNew || node.taints.some(({ key }) => key === UNINITIALIZED)) {
    return {
      cause: 'CloudProviderPending',
      family,
      sentence: `${has}; its cloud controller manager has not published ${family} yet.`,
      evidence,
      fix: { short: 'wait a few minutes: it does so after a Node has joined', command: null, where: 'Cloud' },
      by: { why: HEALS },
    };
  }
  const publish = family === 'IPv6' ? (cloud?.publish ?? null) : null;
  return {
    cause: 'CloudProviderDoesNotPublish',
    family,
    sentence:
      external === undefined
        ? `${has}, and its cloud controller manager does not publish ${family}${cloud === null ? '' : ` (${cloud.name})`}.`
        : `The cloud controller manager publishes ${external} of ${node.name} as ExternalIP, and no ${family} InternalIP.`,
    evidence: [
      ...evidence,
      ...(external === undefined ? [] : [`ExternalIP ${external}`]),
      ...(cloud?.publishesIPv6 === 'OnSetting' && publish !== null
        ? [`${cloud.name} publishes IPv6 only when told to: ${publish.source}`]
        : []),
    ],
    fix:
      publish === null
        ? { short: 'switch both families on in its cloud controller manager', command: null, where: 'Cloud' }
        : { short: publish.says, command: publish.command, where: publish.where },
    by: { why: CLOUD_IS_YOURS },
  };
}

/** On a Node that its cloud controller manager has not come to yet. */
export const UNINITIALIZED = 'node.cloudprovider.kubernetes.io/uninitialized';

const KUBEADM_FLAGS = '/var/lib/kubelet/kubeadm-flags.env';

const argsText = (args: Readonly<Record<string, string>>): string => {
  const told = ['node-ip', 'cloud-provider'].flatMap((flag) => {
    const value = args[flag] ?? '';
    return value === '' ? [] : [`--${flag}=${value}`];
  });
  return told.length === 0 ? ' without --node-ip' : ` with ${told.join(' ')}`;
};

/** Both addresses, the present one first: it is the primary. */
export function pairOf(node: NodeFacts, family: Family, address: string): string {
  const present = node.internalIPs.find((ip) => !isOfFamily(ip, family));
  return present === undefined ? address : `${present},${address}`;
}

/** Sets the flag where it is set now; else in front of the other arguments that kubeadm wrote. */
export function setNodeIP(source: string, pair: string, before: string): string {
  return before === ''
    ? editWith(`s/^KUBELET_[A-Z]*_ARGS="\\{0,1\\}/&--node-ip=${pair} /`, source)
    : editWith(`s/--node-ip[= ][^ "]*/--node-ip=${pair}/`, source);
}

function editWith(edit: string, source: string): string {
  const file = source === '' ? KUBEADM_FLAGS : source;
  const reload = file.includes('/systemd/system/') ? 'systemctl daemon-reload && ' : '';
  return `sed -i '${edit}' ${file} && ${reload}${RESTART}`;
}
