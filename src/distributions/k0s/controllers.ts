import type { ClusterFacts } from '../../model/facts.ts';
import { sameRange } from '../../model/networks.ts';
import { asString, at } from '../../model/object.ts';
import type { Change, Handoff, Step, StepBase, StepState } from '../../model/step.ts';
import { cidrList, type Wanted } from '../../model/wanted.ts';
import type { Controller, K0sFacts } from './facts.ts';
import { awayController, fileStep, type OwnHands, ownHands, shownFlags } from './file-step.ts';
import { editText, restartText, snippetsFor, unseenText, validateText } from './handoff.ts';
import { managerIsDown } from './lease.ts';
import { clusterSettings, controllersOf, flagOf } from './network.ts';
import { identityKey } from './records.ts';
import { isHeldBy, type Turn, withTransfer } from './transfer.ts';
import { changesTo, fileTarget, restoredTarget, unseenTarget } from './target.ts';

const DEFAULT_FILE = '/etc/k0s/k0s.yaml';

/**
 * One controller after the other gets its file and a restart. Where an agent sees the host of a usual k0s it does both; a controller without a kubelet
 * has none, and is the user's.
 */
export const controllerSteps = (wanted: Wanted, facts: ClusterFacts, own: K0sFacts): readonly Step[] =>
  withTransfer(
    inTurn(
      controllersOf(own).map((controller) => ({ controller, step: controllerStep(wanted, facts, own, controller) })),
      own,
    ),
    facts,
    own,
  );

/**
 * What has been begun is finished first. Then what needs nobody, and the leading controller manager last: Node IPAM checks its networks only in the
 * leader, so the others are changed while one leads with the old ones.
 */
function inTurn(all: readonly Turn[], own: K0sFacts): readonly Turn[] {
  const leader = own.lease.known ? (own.lease.value?.holder ?? '') : '';
  const rank = ({ controller, step }: Turn): number => {
    if (step.state.is === 'Satisfied') return 0;
    if (step.state.is === 'InProgress' || step.state.is === 'Failed') return 1;
    if (isHeldBy(leader, controller)) return 4;
    return step.kind === 'EditHost' ? 2 : 3;
  };
  return all.toSorted((a, b) => rank(a) - rank(b));
}

function controllerStep(wanted: Wanted, facts: ClusterFacts, own: K0sFacts, controller: Controller): Step {
  const hands = ownHands(controller, facts);
  return hands === null ? handedOver(wanted, facts, own, controller) : byAgent(wanted, facts, own, hands);
}

function byAgent(wanted: Wanted, facts: ClusterFacts, own: K0sFacts, hands: OwnHands): Step {
  const { controller, report } = hands;
  const computed = fileTarget(wanted, facts, report.settings, isDynamic(own));
  const isWayBack = wanted.direction === 'Back' && wanted.families.length === 1;
  const recorded = isWayBack ? hands.node.agent?.report?.recorded.k0s : undefined;
  const target = restoredTarget(computed, recorded, isDynamic(own));
  return fileStep(
    {
      hands,
      target,
      changes: changesTo(target, report.settings),
      shows: shownFlags(wanted, facts, isDynamic(own)),
      waits: awayController(controllersOf(own), facts),
    },
    {
      ...stepWords(wanted, controller),
      why: `${whyText(wanted)} Where k0sctl keeps that file, the same belongs in k0sctl.yaml, else its next apply takes this back.`,
    },
  );
}

const whyText = ({ direction }: Wanted): string =>
  direction === 'Forward'
    ? 'k0s takes the Service networks from the file of each controller and reads it only when it starts, with dynamic configuration too.'
    : 'No Service shall get an address of the family that leaves, and k0s takes the Service networks from the file of each controller.';

const stepWords = (wanted: Wanted, { name }: Controller) => ({
  id: `k0s-config/${name}`,
  phase: 'APIServer' as const,
  group: 'k0s-config',
  target: `k0s controller ${name}`,
  why: whyText(wanted),
  disrupts: {
    text: `the API server on ${name} is away while k0s restarts; a kubelet and containerd that k0s runs there restart too, pods go on`,
    seconds: [10, 90] as const,
  },
});

function handedOver(
  wanted: Wanted,
  facts: ClusterFacts,
  own: K0sFacts,
  controller: Controller,
): Step & StepBase & Handoff {
  const { report } = controller;
  const file = report?.file ?? DEFAULT_FILE;
  const changes = fileChanges(wanted, facts, own, controller);
  const state = stateOf({ wanted, facts, own, controller, changes });
  const isDone = state.is === 'Satisfied';
  const words = stepWords(wanted, controller);
  const reason = report?.byHand ?? '';
  return {
    kind: 'Handoff',
    ...words,
    why: reason === '' ? words.why : `${words.why} The agent leaves it to you: ${reason}.`,
    diff: isDone ? [] : changes,
    state,
    timeoutSeconds: 300,
    command: commandFor(wanted, facts, own, controller, changes),
    watches: watchText(wanted, own, controller),
    snippets: isDone ? [] : snippetsFor(file, changes),
    ...(isShownLater(wanted, own, controller) ? {} : { holdsUp: true as const }),
  };
}

/** On the way back only ServiceCIDR `kubernetes` made anew shows what became of a file that nobody sees, and that is the next thing asked for. */
const isShownLater = ({ direction }: Wanted, { serviceCIDR }: K0sFacts, { report }: Controller): boolean =>
  direction === 'Back' && report === null && serviceCIDR.known && serviceCIDR.value !== null;

const isDynamic = (own: K0sFacts): boolean => clusterSettings(own) !== null;

/** Without a report nobody knows what the file says, so it is told whole; what is to be done with what may be there is told in words. */
function fileChanges(wanted: Wanted, facts: ClusterFacts, own: K0sFacts, { report }: Controller): readonly Change[] {
  if (report !== null) {
    return changesTo(fileTarget(wanted, facts, report.settings, isDynamic(own)), report.settings);
  }
  const { set } = unseenTarget(wanted, facts, isDynamic(own));
  return Object.entries(set).map(([path, after]) => ({ path, before: null, after }));
}

function commandFor(
  wanted: Wanted,
  facts: ClusterFacts,
  own: K0sFacts,
  { name, report }: Controller,
  changes: readonly Change[],
): string {
  const file = report?.file ?? DEFAULT_FILE;
  const edit = editText(file, changes);
  if (edit === '') return `on ${name}: ${restartText('k0scontroller')}`;
  const unseen = report === null ? ` (${unseenText(unseenTarget(wanted, facts, isDynamic(own)))})` : '';
  const restart = restartText('k0scontroller', validateText(file));
  return `on ${name}: ${edit}${unseen}; then: ${restart}. With k0sctl: put the same below spec.k0s.config and run k0sctl apply --config k0sctl.yaml. One controller at a time.`;
}

function watchText(wanted: Wanted, own: K0sFacts, controller: Controller): string {
  const { name, report } = controller;
  const services = cidrList(wanted.families, wanted.services).join(',');
  if (isShownLater(wanted, own, controller)) {
    return `ServiceCIDR kubernetes with ${services} alone, once it is made anew: an API server that still has two networks adds the second again`;
  }
  return report === null
    ? `another process of the API server on ${name}, and ServiceCIDR kubernetes with ${services}`
    : `kube-apiserver on ${name} with --service-cluster-ip-range=${services}`;
}

interface Case {
  readonly wanted: Wanted;
  readonly facts: ClusterFacts;
  readonly own: K0sFacts;
  readonly controller: Controller;
  readonly changes: readonly Change[];
}

const stateOf = (scene: Case): StepState =>
  scene.controller.report === null ? stateFromAPI(scene) : stateFromAgent(scene, scene.controller.report.problem);

function stateFromAgent({ wanted, controller, changes }: Case, problem: string): StepState {
  if (problem !== '') return { is: 'Unknown', why: `the agent on ${controller.name} cannot read its file: ${problem}` };
  const range = flagOf(controller, 'kube-apiserver', 'service-cluster-ip-range');
  const services = cidrList(wanted.families, wanted.services).join(',');
  return changes.length === 0 && sameRange(range, services)
    ? { is: 'Satisfied', evidence: `kube-apiserver on ${controller.name} runs with ${range ?? ''}` }
    : { is: 'Pending' };
}

/**
 * Of a controller without an agent the API shows two things: the networks of ServiceCIDR `kubernetes`, to which the first API server that has two
 * adds its second; and whether the process of this very API server is another one than at first.
 */
function stateFromAPI({ wanted, facts, own, controller }: Case): StepState {
  if (!own.serviceCIDR.known) return { is: 'Unknown', why: own.serviceCIDR.why };
  const services = cidrList(wanted.families, wanted.services).join(',');
  const live = own.serviceCIDR.value;
  if (live !== null && !sameRange(live.join(','), services)) return { is: 'Pending' };
  // With static configuration one file changes both: a controller manager that does not start has not got the right one.
  if (clusterSettings(own) === null && managerIsDown(own, facts.at)) return { is: 'Pending' };

  // An API server that still has two networks would add the second again within 10 s.
  if (live !== null && wanted.families.length === 1) {
    return { is: 'Satisfied', evidence: `ServiceCIDR kubernetes stays at ${services}` };
  }
  const isAlone = controllersOf(own).length === 1;
  if (live !== null && isAlone) return { is: 'Satisfied', evidence: `ServiceCIDR kubernetes holds ${services}` };
  if (!isAnotherProcess(facts, controller)) return { is: 'Pending' };
  return {
    is: 'Satisfied',
    evidence:
      live === null
        ? `the API server on ${controller.name} was restarted; before Kubernetes 1.33 nothing in the API shows its networks`
        : `the API server on ${controller.name} was restarted, and ServiceCIDR kubernetes holds ${services}`,
  };
}

function isAnotherProcess({ records }: ClusterFacts, { name, identity }: Controller): boolean {
  const first = records.known ? asString(at(records.value[identityKey(name)], 'holder')) : undefined;
  return first !== undefined && identity !== null && first !== identity;
}
