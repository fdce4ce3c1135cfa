import type { ClusterFacts } from '../../model/facts.ts';
import type { ApplyObject, Change, Disruption, Step, StepBase, StepState } from '../../model/step.ts';
import type { Wanted } from '../../model/wanted.ts';
import { CLUSTER_CONFIG, type ClusterConfigFacts, type K0sFacts } from './facts.ts';
import { recordedSettings } from './records.ts';
import { changesTo, CLUSTER_ARGS, clusterTarget, nested, type Target } from './target.ts';

const GROUP = 'cluster-config';

/** k0s carries a change of this object out by itself, on every controller. No steps where the configuration is static. */
export function clusterConfigSteps(wanted: Wanted, facts: ClusterFacts, own: K0sFacts): readonly Step[] {
  if (!own.clusterConfig.known) return [unreadable(own.clusterConfig.why)];
  return stepsFor(own, (config) => {
    const changes = changesTo(targetOf(wanted, facts, config), config.settings);
    return applyStep(config, changes, {
      id: GROUP,
      phase: 'ControllerManager',
      group: GROUP,
      why:
        wanted.direction === 'Forward'
          ? 'Nodes that join get a pod network of each family, and kube-proxy and the CNI of k0s know both, only from here.'
          : 'A controller manager must not give out networks of the family that leaves.',
      disrupts: {
        text: 'kube-controller-manager restarts on each controller, and k0s rolls its CNI out anew',
        seconds: [30, 120],
      },
      satisfied: 'ClusterConfig says what is wanted',
    });
  });
}

/**
 * Somebody has switched dual-stack on there before, and k0s' own order of the pod networks does not fit the Nodes: no kube-controller-manager starts
 * until this is mended, so it comes before all that needs a person.
 */
export function orderSteps(wanted: Wanted, facts: ClusterFacts, own: K0sFacts): readonly Step[] {
  if (wanted.direction === 'Back') return [];
  return stepsFor(own, (config) => {
    const isOn = config.settings['spec.network.dualStack.enabled'] === 'true';
    const changes = isOn
      ? changesTo(targetOf(wanted, facts, config), config.settings).filter(({ path }) => isArgument(path))
      : [];
    return applyStep(config, changes, {
      id: `${GROUP}/order`,
      phase: 'NodeIPs',
      group: `${GROUP}-order`,
      why: 'kube-controller-manager ends at once where the order of its pod networks is not that of the podCIDRs of the Nodes.',
      disrupts: { text: 'kube-controller-manager restarts on each controller', seconds: [30, 65] },
      satisfied: isOn ? 'the order fits the Nodes' : 'dual-stack is not switched on there yet',
    });
  });
}

function stepsFor(own: K0sFacts, make: (config: ClusterConfigFacts) => Step): readonly Step[] {
  const config = own.clusterConfig.known ? own.clusterConfig.value : null;
  return config === null ? [] : [make(config)];
}

/** On the way back an argument gets its first value again, where that is recorded. */
function targetOf(wanted: Wanted, facts: ClusterFacts, { settings }: ClusterConfigFacts): Target {
  const target = clusterTarget(wanted, facts, settings);
  const recorded = wanted.direction === 'Back' ? recordedSettings(wanted.restore) : null;
  if (recorded === null) return target;
  return { ...target, ...Object.fromEntries(CLUSTER_ARGS.map((path) => [path, recorded[path] ?? null])) };
}

const isArgument = (path: string): boolean => (CLUSTER_ARGS as readonly string[]).includes(path);

interface Words extends Pick<StepBase, 'id' | 'phase' | 'group' | 'why'> {
  readonly disrupts: Disruption;
  readonly satisfied: string;
}

function applyStep(config: ClusterConfigFacts, changes: readonly Change[], words: Words): Step & ApplyObject {
  const { satisfied, ...base } = words;
  return {
    kind: 'ApplyObject',
    ...base,
    target: 'ClusterConfig kube-system/k0s',
    diff: changes,
    state: stateOf(config, changes, satisfied),
    timeoutSeconds: 60,
    ref: CLUSTER_CONFIG,
    // With its resourceVersion: a change that somebody else makes meanwhile is seen, not overwritten.
    write: { is: 'MergePatch', body: nested(changes), resourceVersion: config.resourceVersion },
  };
}

function stateOf({ hasNetwork }: ClusterConfigFacts, changes: readonly Change[], satisfied: string): StepState {
  if (!hasNetwork) return { is: 'Unknown', why: 'ClusterConfig kube-system/k0s has no spec.network' };
  return changes.length === 0 ? { is: 'Satisfied', evidence: satisfied } : { is: 'Pending' };
}

const unreadable = (why: string): Step => ({
  kind: 'WaitFor',
  id: `${GROUP}/read`,
  phase: 'ControllerManager',
  group: GROUP,
  target: 'ClusterConfig kube-system/k0s',
  why: 'Whether the configuration is dynamic decides what has to be changed where.',
  diff: [],
  state: { is: 'Unknown', why },
  disrupts: null,
  timeoutSeconds: 60,
  what: 'it can be read',
});
