import { EDITABLE_FLAGS, STATIC_PODS } from '../model/host.ts';
import type { AgentCondition, HostReport, K0sReport, StaticPod, StaticPodReport } from '../model/host.ts';
import { asArray, at } from '../model/object.ts';
import type { Verdict } from './decide.ts';
import { REPORTED_FLAGS } from './host.ts';
import type { HostView } from './host.ts';
import type { Journal } from './journal.ts';
import type { K0sView } from './k0s.ts';
import { asRunning } from './procfs.ts';
import type { HostProcess } from './procfs.ts';
import { addressKey } from './refresh.ts';
import { changeText } from './watch.ts';

/** The status of a DualStackNode, whole. */
export type AgentStatus = HostReport & {
  readonly observedGeneration: number;
  readonly conditions: readonly AgentCondition[];
};

interface StatusInput {
  readonly host: HostView;
  readonly journal: Journal;
  readonly applied: Verdict;
  readonly generation: number;
  /** The status as the API server has it: what did not change keeps its time. */
  readonly before: unknown;
  readonly now: number;
}

export function makeStatus(input: StatusInput): AgentStatus {
  const { host, journal, generation } = input;
  return {
    hostname: host.hostname,
    addresses: host.addresses.map((address) => ({ ...address, since: journal.seen[addressKey(address)] ?? '' })),
    ...(journal.watchingSince === null ? {} : { watchingSince: journal.watchingSince }),
    network: host.network,
    kubelet: {
      running: runningOf('kubelet', host.kubelet.processes.at(-1), journal),
      source: host.kubelet.setup.source?.file ?? '',
      ...(host.kubelet.setup.nodeIPFrom === null ? {} : { nodeIPFrom: host.kubelet.setup.nodeIPFrom }),
    },
    staticPods: Object.fromEntries(
      STATIC_PODS.flatMap((pod) => {
        const report = podReport(pod, host, journal);
        return report === null ? [] : [[pod, report]];
      }),
    ),
    ...k0sPart(input),
    recorded: journal.recorded,
    refused: journal.refused,
    stopped: host.stopped,
    ...(host.kubeadmPatches.length === 0 ? {} : { kubeadmPatches: host.kubeadmPatches }),
    observedGeneration: generation,
    conditions: [appliedCondition(input), healthyCondition(input), rolledBackCondition(input)],
  };
}

function podReport(pod: StaticPod, host: HostView, journal: Journal): StaticPodReport | null {
  const view = host.staticPods[pod];
  if (view === undefined) return null;
  const editable: readonly string[] = EDITABLE_FLAGS[pod];
  return {
    file: view.file,
    hash: view.hash,
    args: Object.fromEntries(Object.entries(view.manifest.flags).filter(([flag]) => editable.includes(flag))),
    running: runningOf(pod, view.processes.at(-1), journal),
    healthy: view.healthy,
  };
}

/** While this agent restarts k0s it stays on record: without it the host would count as one whose file nobody sees. */
function k0sPart({ host, journal, before }: StatusInput): { readonly k0s?: K0sReport } {
  if (host.k0s !== null) return { k0s: k0sReport(host.k0s, journal) };
  const isInHand = journal.restart?.service === 'k0s' || journal.watches.some(({ component }) => component === 'k0s');
  const last = at(before, 'k0s') as K0sReport | undefined;
  if (!isInHand || last === undefined) return {};
  return { k0s: { ...last, healthy: null, running: { 'kube-apiserver': null, 'kube-controller-manager': null } } };
}

const k0sReport = (view: K0sView, journal: Journal): K0sReport => ({
  file: view.file,
  settings: view.settings,
  problem: view.problem,
  dynamic: view.dynamic,
  byHand: view.byHand,
  healthy: view.healthy,
  running: {
    'kube-apiserver': runningOf('kube-apiserver', view.processes['kube-apiserver'] ?? undefined, journal),
    'kube-controller-manager': runningOf(
      'kube-controller-manager',
      view.processes['kube-controller-manager'] ?? undefined,
      journal,
    ),
  },
});

const runningOf = (
  component: keyof typeof REPORTED_FLAGS,
  process: HostProcess | undefined,
  journal: Journal,
): StaticPodReport['running'] =>
  process === undefined ? null : asRunning(process, journal.started[process.key] ?? '', REPORTED_FLAGS[component]);

type Judged = Pick<AgentCondition, 'status' | 'reason' | 'message'>;

const appliedCondition = (input: StatusInput): AgentCondition =>
  condition('Applied', input, { status: input.applied.reason === 'Applied' ? 'True' : 'False', ...input.applied });

function healthyCondition(input: StatusInput): AgentCondition {
  const { host } = input;
  const problems = Object.values(host.problems);
  const ill = STATIC_PODS.filter((pod) => host.staticPods[pod]?.healthy === false);
  const gone = STATIC_PODS.filter((pod) => host.staticPods[pod]?.processes.length === 0);
  const judged = ((): Judged => {
    if (problems.length > 0) return { status: 'False', reason: 'ManifestUnusable', message: problems.join('; ') };
    if (host.kubelet.processes.length === 0)
      return {
        status: 'False',
        reason: 'KubeletNotRunning',
        message: 'No kubelet process is seen on this host: see journalctl -u kubelet.',
      };
    if (gone.length > 0)
      return { status: 'False', reason: 'NotRunning', message: `${gone.join(' and ')} is not running.` };
    if (ill.length > 0)
      return { status: 'False', reason: 'NotHealthy', message: `${ill.join(' and ')} does not answer as healthy.` };
    if (host.kubelet.healthy === false)
      return {
        status: 'False',
        reason: 'NotHealthy',
        message: 'The kubelet does not answer as healthy: see journalctl -u kubelet.',
      };
    return { status: 'True', reason: 'Healthy', message: 'The components of this host run and answer.' };
  })();
  return condition('Healthy', input, judged);
}

function rolledBackCondition(input: StatusInput): AgentCondition {
  const refused = input.journal.refused.filter((entry) => entry.generation === input.generation);
  const first = refused[0];
  if (first === undefined) {
    return condition('RolledBack', input, {
      status: 'False',
      reason: 'NothingRolledBack',
      message: 'No change was undone on this host.',
    });
  }
  const flags = Object.fromEntries(refused.map((entry) => [entry.flag, entry.value === '' ? null : entry.value]));
  const message = `${first.component} with ${changeText(flags)} was undone: ${first.why}.`;
  return condition('RolledBack', input, { status: 'True', reason: 'Undone', message });
}

function condition(type: AgentCondition['type'], input: StatusInput, judged: Judged): AgentCondition {
  const old = asArray(at(input.before, 'conditions')).find((entry) => at(entry, 'type') === type);
  const since = at(old, 'lastTransitionTime');
  const kept = at(old, 'status') === judged.status && typeof since === 'string' ? since : null;
  return {
    type,
    status: judged.status,
    reason: judged.reason,
    message: shortened(judged.message),
    observedGeneration: input.generation,
    // Whole seconds, as the API server keeps such times.
    lastTransitionTime: kept ?? new Date(Math.floor(input.now / 1000) * 1000).toISOString().replace('.000Z', 'Z'),
  };
}

/** As much as the resource's schema takes. */
const MAX_MESSAGE = 1000;
const shortened = (message: string): string =>
  message.length <= MAX_MESSAGE ? message : `${message.slice(0, MAX_MESSAGE - 1)}…`;
