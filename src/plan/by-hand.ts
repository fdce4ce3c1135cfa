import semver from 'semver';
import { stringify } from 'yaml';
import { FIELD_MANAGER } from '../api/names.ts';
import type { ClusterFacts } from '../model/facts.ts';
import { DUAL_STACK_GATE, needsDualStackGate } from '../model/gates.ts';
import { type HostSettings, STATIC_PODS } from '../model/host.ts';
import { chooseAddress } from '../model/node-address.ts';
import { at, type JsonObject, type ObjectRef, refText } from '../model/object.ts';
import {
  type ApplyObject,
  type EditHost,
  type Handoff,
  isRemedy,
  type MigrateService,
  type ReplaceNode,
  type RolloutWorkload,
  type Snippet,
  type Step,
} from '../model/step.ts';
import { remakeNode, RESTART_KUBELET } from '../model/remake-node.ts';
import type { Wanted } from '../model/wanted.ts';
import { unreachable } from '../result.ts';

/** Admission policies and CIDR functions in CEL, which the installation stands on, are complete from here on. */
const OLDEST_VERSION = '1.31.0';

/** The operator cannot run there. What cannot be told counts as new enough. */
export function isTooOld({ basics }: ClusterFacts): boolean {
  const version = semver.coerce(basics.kubernetesVersion);
  return version !== null && semver.lt(version, OLDEST_VERSION);
}

/**
 * The same steps for a cluster in which the operator cannot run: each is the user's, with what the operator would have done as a command. They are
 * watched for in the same way, so that a second plan shows how far the work is. What is the operator's own business is left out.
 */
export const byHand = (steps: readonly Step[], wanted: Wanted, facts: ClusterFacts): readonly Step[] =>
  steps.flatMap((step): readonly Step[] => {
    if (isRemedy(step) || step.phase === 'Record') return [];
    const told = tell(step, wanted, facts);
    if (told === null) return [];
    const { id, phase, group, target, why, diff, state, disrupts, timeoutSeconds } = step;
    const node = step.kind === 'EditHost' || step.kind === 'ReplaceNode' ? { node: step.node } : {};
    const base = { id, phase, group, target, why, diff, state, disrupts, timeoutSeconds };
    return told === 'As it is' ? [step] : [{ kind: 'Handoff', ...base, ...told, ...node, holdsUp: true }];
  });

type Told = Pick<Handoff, 'command' | 'watches' | 'snippets'>;

/** Null: nothing that a person would do. */
function tell(step: Step, wanted: Wanted, facts: ClusterFacts): Told | 'As it is' | null {
  switch (step.kind) {
    case 'EditHost':
      return editHost(step.node, step.phase === 'NodeIPs' ? nodeSettings(step, wanted, facts) : step.settings, facts);
    case 'ApplyObject':
      return applyObject(step, facts);
    case 'RolloutWorkload':
      return rolloutWorkload(step);
    case 'ReplaceNode':
      return replaceNode(step);
    case 'MigrateService':
      return patchServices([{ ...step.ref, policy: step.policy, families: step.families }]);
    case 'MigrateServices':
      return patchServices(step.services);
    case 'WaitFor':
    case 'Handoff':
      return 'As it is';
    case 'TransferLease':
    case 'Verify':
    case 'VerifyPackets':
    case 'AskServices':
      return null;
    default:
      return unreachable(step);
  }
}

/** Where no agent has looked, nobody knows what the host lacks: then all is told that a second family needs. */
function nodeSettings(
  { node: name, settings, state }: Step & EditHost,
  wanted: Wanted,
  { nodes }: ClusterFacts,
): HostSettings {
  const node = nodes.find((each) => each.name === name);
  const isSeen = (node?.agent?.report ?? null) !== null;
  if (node === undefined || isSeen || wanted.direction === 'Back' || state.is === 'Satisfied') return settings;
  const nodeIPs = wanted.families.map((family) => chooseAddress(node, family) ?? `<its ${family} address>`);
  const sysctls = wanted.families.map((family) => [FORWARDING[family], '1'] as const);
  return { kubelet: { nodeIPs }, sysctls: Object.fromEntries(sysctls) };
}

const FORWARDING = { IPv4: 'net.ipv4.ip_forward', IPv6: 'net.ipv6.conf.all.forwarding' } as const;

function editHost(node: string, settings: HostSettings, facts: ClusterFacts): Told {
  const parts = [
    ...sysctlParts(settings),
    ...kubeletParts(node, settings, facts),
    ...staticPodParts(settings, facts),
    ...k0sParts(settings),
  ];
  return {
    command: `on ${node}: ${parts.map(({ edit }) => edit).join('; ') || 'nothing is to be set'}`,
    watches: parts.map(({ watches }) => watches).join(', '),
    snippets: parts.flatMap(({ snippet }) => snippet ?? []),
  };
}

interface Part {
  readonly edit: string;
  readonly watches: string;
  readonly snippet?: Snippet;
}

function sysctlParts({ sysctls }: HostSettings): readonly Part[] {
  const lines = Object.entries(sysctls ?? {}).map(([name, value]) => `${name}=${value}`);
  if (lines.length === 0) return [];
  const file = '/etc/sysctl.d/99-dualstack.conf';
  return [
    {
      edit: `write ${lines.join(' and ')} into ${file} and run sysctl --system`,
      watches: lines.join(', '),
      snippet: { file, text: `${lines.map((line) => line.replace('=', ' = ')).join('\n')}\n` },
    },
  ];
}

/** kubeadm passes on what this file says (`KUBELET_KUBEADM_ARGS`); one for the user's own arguments wins over it. */
const KUBELET_FILE = '/var/lib/kubelet/kubeadm-flags.env';

function kubeletParts(
  name: string,
  { kubelet, absent }: HostSettings,
  { nodes, basics }: ClusterFacts,
): readonly Part[] {
  if ((absent?.kubelet ?? []).includes('node-ip')) {
    return [
      {
        edit: `take --node-ip out of ${KUBELET_FILE} and restart the kubelet`,
        watches: `Node ${name} with one InternalIP`,
      },
    ];
  }
  if (kubelet === undefined) return [];
  const version = nodes.find((node) => node.name === name)?.kubeletVersion ?? basics.kubernetesVersion;
  const isGated = kubelet.nodeIPs.length > 1 && needsDualStackGate(version);
  const flags = [`--node-ip=${kubelet.nodeIPs.join(',')}`, ...(isGated ? [`--feature-gates=${DUAL_STACK_GATE}`] : [])];
  return [
    {
      edit: `give the kubelet ${flags.join(' ')} in ${KUBELET_FILE} (KUBELET_EXTRA_ARGS wins, where that sets it) and restart it`,
      watches: `Node ${name} with InternalIP ${kubelet.nodeIPs.join(' and ')}`,
    },
  ];
}

function staticPodParts({ staticPods, absent }: HostSettings, { basics }: ClusterFacts): readonly Part[] {
  return STATIC_PODS.flatMap((component): readonly Part[] => {
    const set = Object.entries(staticPods?.[component] ?? {});
    const gone = absent?.[component] ?? [];
    if (set.length === 0 && gone.length === 0) return [];
    const isDual = set.some(([flag, value]) => !flag.startsWith('node-cidr-mask') && value.includes(','));
    const isGated = isDual && needsDualStackGate(basics.kubernetesVersion);
    const flags = [
      ...set.map(([flag, value]) => `--${flag}=${value}`),
      ...(isGated ? [`--feature-gates=${DUAL_STACK_GATE}`] : []),
    ];
    const file = `/etc/kubernetes/manifests/${component}.yaml`;
    const parts = [
      ...(flags.length === 0 ? [] : [`set ${flags.join(' ')}`]),
      ...(gone.length === 0 ? [] : [`remove ${gone.map((flag) => `--${flag}`).join(' ')}`]),
    ];
    return [
      {
        edit: `${parts.join(' and ')} in ${file}${isGated ? ' (beside the gates that it has)' : ''}; the kubelet restarts it`,
        watches: `a ready Pod of ${component} with these flags`,
        ...(flags.length === 0 ? {} : { snippet: { file, text: flags.map((flag) => `    - ${flag}\n`).join('') } }),
      },
    ];
  });
}

function k0sParts({ k0s }: HostSettings): readonly Part[] {
  if (k0s === undefined) return [];
  const set = Object.entries(k0s.set).map(([path, value]) => `${path}: ${value}`);
  const parts = [
    ...(set.length === 0 ? [] : [`set ${set.join(', ')}`]),
    ...(k0s.absent.length === 0 ? [] : [`remove ${k0s.absent.join(', ')}`]),
  ];
  return [
    {
      edit: `${parts.join(' and ')} in /etc/k0s/k0s.yaml and restart k0scontroller`,
      watches: 'an API server with the wanted Service networks',
    },
  ];
}

/** Objects of kubeadm that name the gate, and where. */
const GATED: Readonly<Record<string, string>> = {
  'kubeadm-config': 'featureGates: {IPv6DualStack: true} in ClusterConfiguration',
  'kube-proxy': 'featureGates: {IPv6DualStack: true} in config.conf',
};

function applyObject({ ref, write }: ApplyObject, { basics }: ClusterFacts): Told {
  const gate = needsDualStackGate(basics.kubernetesVersion) && ref.kind === 'ConfigMap' ? GATED[ref.name] : undefined;
  const watches = `${refText(ref)} as it shall be`;
  const told = (command: string, file: string, content: unknown): Told => ({
    command: gate === undefined ? command : `${command}, with ${gate} as well`,
    watches,
    snippets: [{ file, text: stringify(content) }],
  });
  const file = `${ref.name}.yaml`;
  const whole = (body: JsonObject): JsonObject => {
    const metadata = { name: ref.name, ...namespaceOf(ref), ...(at(body, 'metadata') as JsonObject | undefined) };
    return { apiVersion: ref.apiVersion, kind: ref.kind, ...body, metadata };
  };
  const patch = (type: 'merge' | 'json'): string =>
    `kubectl patch ${resourceText(ref)} --type ${type} --patch-file ${file}`;
  switch (write.is) {
    case 'Apply':
      // As kubectl's own manager it would take away all that was applied by the same name before.
      return told(
        `kubectl apply --server-side --field-manager=${FIELD_MANAGER}${write.force ? ' --force-conflicts' : ''} -f ${file}`,
        file,
        whole(write.body),
      );
    case 'Create':
      return told(`kubectl create -f ${file}`, file, whole(write.body));
    case 'MergePatch':
      return told(patch('merge'), file, write.body);
    case 'JsonPatch':
      return told(patch('json'), file, write.body);
    case 'Delete':
      return { command: `kubectl delete ${resourceText(ref)}`, watches: `${refText(ref)} is gone` };
    default:
      return unreachable(write);
  }
}

const namespaceOf = ({ namespace }: ObjectRef): { readonly namespace?: string } =>
  namespace === undefined ? {} : { namespace };

/** `-n kube-system configmap/kube-proxy`, with the group where kubectl may know several kinds of that name. */
function resourceText({ apiVersion, kind, namespace, name }: ObjectRef): string {
  const group = apiVersion.includes('/') ? `.${apiVersion.split('/').toReversed().join('.')}` : '';
  return `${namespace === undefined ? '' : `-n ${namespace} `}${kind.toLowerCase()}${group}/${name}`;
}

function rolloutWorkload({ ref, next }: RolloutWorkload): Told {
  const watches = `all pods of ${refText(ref)} are of the newest template, and ready`;
  switch (next.is) {
    case 'Annotate': {
      const annotations = { [next.annotation]: next.value };
      const patch = JSON.stringify({ spec: { template: { metadata: { annotations } } } });
      return { command: `kubectl patch ${resourceText(ref)} --type merge -p '${patch}'`, watches };
    }
    case 'Restart':
      return { command: `kubectl rollout restart ${resourceText(ref)}`, watches };
    case 'DeletePods': {
      const pods = next.pods.map(({ name }) => `pod/${name}`).join(' ');
      return {
        command: `kubectl delete -n ${ref.namespace ?? ''} ${pods || '<its old pods, one after the other>'}`,
        watches,
      };
    }
    default:
      return unreachable(next);
  }
}

const replaceNode = ({ node, podCIDRs }: ReplaceNode): Told => ({
  command: `one Node at a time: ${remakeNode(node, podCIDRs.length === 1 ? 'First' : 'None', RESTART_KUBELET)}${podCIDRs.length === 1 ? '' : ': kube-controller-manager gives the new Node its pod CIDRs'}`,
  watches: `Node ${node} with ${podCIDRs.length} pod CIDRs`,
});

interface Patched extends Pick<MigrateService, 'policy' | 'families'> {
  readonly namespace?: string;
  readonly name: string;
}

function patchServices(services: readonly Patched[]): Told {
  const lines = services.map(({ namespace, name, policy, families }) => {
    const patch = JSON.stringify({ spec: { ipFamilyPolicy: policy, ipFamilies: families } });
    return `kubectl patch ${namespace === undefined ? '' : `-n ${namespace} `}service ${name} --type merge -p '${patch}'`;
  });
  const [first = ''] = lines;
  return {
    command: lines.length === 1 ? first : `each of these ${lines.length} Services, as services.sh does`,
    watches: 'Services with these families',
    snippets: lines.length < 2 ? [] : [{ file: 'services.sh', text: `${lines.join('\n')}\n` }],
  };
}
