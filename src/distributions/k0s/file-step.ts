import type { ClusterFacts, NodeFacts } from '../../model/facts.ts';
import { hasDrifted, type K0sReport, type K0sWish } from '../../model/host.ts';
import { isEditableK0sSetting } from '../../model/k0s.ts';
import { sameRange } from '../../model/networks.ts';
import type { Change, Disruption, EditHost, Step, StepBase, StepState } from '../../model/step.ts';
import { cidrList, type Wanted } from '../../model/wanted.ts';
import type { Controller } from './facts.ts';
import { flagOf } from './network.ts';
import { neededPods } from './order.ts';
import { isAsItIs, type Target } from './target.ts';

/** A controller with an agent that edits its file and restarts k0s. */
export interface OwnHands {
  readonly controller: Controller;
  readonly node: NodeFacts;
  readonly report: K0sReport;
}

/** Null: nobody but the user can do it. */
export function ownHands(controller: Controller, { nodes }: ClusterFacts): OwnHands | null {
  const { report } = controller;
  const node = nodes.find(({ name }) => name === controller.node);
  return report === null || node === undefined || report.problem !== '' || report.byHand !== ''
    ? null
    : { controller, node, report };
}

interface FileEdit {
  readonly hands: OwnHands;
  readonly target: Target;
  readonly changes: readonly Change[];
  readonly shows: K0sWish['shows'];
  /** Why no controller is to be restarted now; null: nothing speaks against it. */
  readonly waits: string | null;
}

/** Two API servers, or two members of etcd, are never away at once: none is restarted while the host of one is not back. */
export function awayController(controllers: readonly Controller[], { nodes }: ClusterFacts): string | null {
  const away = nodes.find(({ name, ready }) => !ready && controllers.some(({ node }) => node === name));
  return away === undefined ? null : `Node ${away.name}, which runs a k0s controller, is not ready`;
}

type Words = Pick<StepBase, 'id' | 'phase' | 'group' | 'target' | 'why'> & { readonly disrupts: Disruption };

/** Longer than the agent takes to put a bad file back: 180 s, a restart before and one after. */
const EDIT_TIMEOUT = 480;

export function fileStep(edit: FileEdit, words: Words): Step & StepBase & EditHost {
  const { hands, changes } = edit;
  const wish = wishOf(edit);
  const state = stateOf(edit, wish);
  return {
    kind: 'EditHost',
    ...words,
    diff: state.is === 'Satisfied' ? [] : changes,
    state,
    timeoutSeconds: EDIT_TIMEOUT,
    node: hands.node.name,
    settings: { k0s: wish },
    again: state.is === 'Pending' && hasDrifted(hands.node.agent),
  };
}

/** What is not in the file and is what k0s takes by itself stays out of it. */
function wishOf({ hands, target, shows }: FileEdit): K0sWish {
  const { settings } = hands.report;
  const set: Record<string, string> = {};
  const absent: K0sWish['absent'][number][] = [];
  for (const [path, value] of Object.entries(target)) {
    if (!isEditableK0sSetting(path)) continue;
    if (value === null) absent.push(path);
    else if (settings[path] !== undefined || !isAsItIs(path, null, value)) set[path] = value;
  }
  return { set, absent: absent.toSorted(), shows };
}

/** What the processes of k0s must run with. With dynamic configuration the file decides on the Service networks alone. */
export function shownFlags(wanted: Wanted, facts: ClusterFacts, isDynamic: boolean): K0sWish['shows'] {
  return {
    'kube-apiserver': { 'service-cluster-ip-range': cidrList(wanted.families, wanted.services).join(',') },
    ...(isDynamic ? {} : { 'kube-controller-manager': { 'cluster-cidr': neededPods(wanted, facts.nodes).join(',') } }),
  };
}

function stateOf(edit: FileEdit, wish: K0sWish): StepState {
  const state = progressOf(edit, wish);
  return state.is === 'Pending' && edit.waits !== null ? { is: 'Unknown', why: edit.waits } : state;
}

function progressOf(edit: FileEdit, wish: K0sWish): StepState {
  const { node, controller, report } = edit.hands;
  const asked = node.agent?.spec.k0s;
  if (asked !== undefined && !isSameWish(asked, wish)) return { is: 'Pending' };
  const other = otherFlag(edit);
  const isMet = edit.changes.length === 0 && other === null;
  if (isMet) {
    const ailment = ailmentOf(edit.hands);
    const range = flagOf(controller, 'kube-apiserver', 'service-cluster-ip-range') ?? '';
    return ailment === null
      ? { is: 'Satisfied', evidence: `kube-apiserver on ${controller.name} runs with ${range}` }
      : { is: 'InProgress', why: ailment };
  }
  if (asked === undefined) return { is: 'Pending' };
  const failure = failureOf(edit);
  if (failure !== null) return failure;
  if (hasDrifted(node.agent)) return { is: 'Pending' };
  const applied = node.agent?.conditions.find(({ type }) => type === 'Applied');
  return {
    is: 'InProgress',
    why:
      applied?.status === 'False'
        ? `the agent on ${node.name}: ${applied.message}`
        : (other ?? `the agent on ${node.name} edits ${report.file}`),
  };
}

const isSameWish = (a: K0sWish, b: K0sWish): boolean => wishText(a) === wishText(b);

const wishText = ({ set, absent, shows }: K0sWish): string =>
  [
    ...pairs('set', set),
    ...absent.map((path) => `absent ${path}`),
    ...Object.entries(shows).flatMap(([component, flags]) => pairs(component, flags)),
  ]
    .toSorted()
    .join('\n');

const pairs = (of: string, values: Readonly<Record<string, string>>): readonly string[] =>
  Object.entries(values).map(([name, value]) => `${of} ${name}=${value}`);

/** What a process does not run with yet; null: all do. */
function otherFlag({ hands: { controller }, shows }: FileEdit): string | null {
  for (const component of ['kube-apiserver', 'kube-controller-manager'] as const) {
    for (const [flag, value] of Object.entries(shows[component] ?? {})) {
      const live = flagOf(controller, component, flag);
      if (live === undefined) return `${component} does not run on ${controller.name}`;
      if (!sameRange(live, value)) return `${component} on ${controller.name} runs with --${flag}=${live}`;
    }
  }
  return null;
}

/** A host that is not back is not done with, whatever its processes run with. */
function ailmentOf({ node, controller, report }: OwnHands): string | null {
  if (!node.ready) return `Node ${node.name} is not ready`;
  return report.healthy === true ? null : `the control plane on ${controller.name} does not answer well`;
}

/** What the agent says about an edit that it undid or will not do. */
function failureOf({ hands: { node, controller, report } }: FileEdit): StepState | null {
  const { agent } = node;
  const refusal = agent?.report?.refused.find(
    ({ component, generation }) => component === 'k0s' && generation === agent.generation,
  );
  if (refusal !== undefined) {
    return {
      is: 'Failed',
      why: `k0s on ${controller.name} did not come back with what was changed in ${report.file}, and the agent put the old text back: ${refusal.why}`,
      remedy: `See journalctl -u k0scontroller on ${controller.name}, mend what it says, and ask again with a changed spec.`,
    };
  }
  const refused = agent?.conditions.find(
    ({ type, status, reason, observedGeneration }) =>
      type === 'Applied' && status === 'False' && reason === 'NotAllowed' && observedGeneration === agent.generation,
  );
  return refused === undefined
    ? null
    : {
        is: 'Failed',
        why: `k0s on ${controller.name}: ${refused.message}`,
        remedy: `See DualStackNode ${node.name}: operator and agents must be of one version.`,
      };
}
