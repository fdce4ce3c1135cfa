import type { ClusterFacts } from '../../model/facts.ts';
import { sameRange } from '../../model/networks.ts';
import { asString, at } from '../../model/object.ts';
import type { Change, Handoff, Step, StepBase, StepState } from '../../model/step.ts';
import { cidrList, type Wanted } from '../../model/wanted.ts';
import type { Controller, K0sFacts } from './facts.ts';
import { editText, restartText, snippetsFor, unseenText, validateText } from './handoff.ts';
import { managerIsDown } from './lease.ts';
import { clusterSettings, controllersOf, flagOf } from './network.ts';
import { identityKey } from './records.ts';
import { changesTo, fileTarget, unseenTarget } from './target.ts';

const DEFAULT_FILE = '/etc/k0s/k0s.yaml';

/**
 * One controller after the other gets its file and a restart. It is the user's to do: a controller is often a host without a kubelet, so
 * without an agent; and a restart of k0s restarts all that it runs.
 */
export const controllerSteps = (wanted: Wanted, facts: ClusterFacts, own: K0sFacts): readonly Step[] =>
  controllersOf(own).map((controller) => controllerStep(wanted, facts, own, controller));

function controllerStep(
  wanted: Wanted,
  facts: ClusterFacts,
  own: K0sFacts,
  controller: Controller,
): Step & StepBase & Handoff {
  const { name, report } = controller;
  const file = report?.file ?? DEFAULT_FILE;
  const changes = fileChanges(wanted, facts, own, controller);
  const state = stateOf({ wanted, facts, own, controller, changes });
  const isDone = state.is === 'Satisfied';
  return {
    kind: 'Handoff',
    id: `k0s-config/${name}`,
    phase: 'APIServer',
    group: 'k0s-config',
    target: `k0s controller ${name}`,
    why:
      wanted.direction === 'Forward'
        ? 'k0s takes the Service networks from the file of each controller and reads it only when it starts, with dynamic configuration too.'
        : 'No Service shall get an address of the family that leaves, and k0s takes the Service networks from the file of each controller.',
    diff: isDone ? [] : changes,
    state,
    disrupts: {
      text: `the API server on ${name} is away while k0s restarts; a kubelet and containerd that k0s runs there restart too, pods go on`,
      seconds: [10, 90],
    },
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
