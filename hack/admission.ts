import { RESTART_MARK } from '../src/api/names.ts';
import type { ObjectRef } from '../src/model/object.ts';
import type { ChangedWorkload } from '../src/model/plugin.ts';
import { pluginWorkloads } from '../src/registry.ts';

/** What `kubectl rollout restart` sets, and the operator as well where pods are to be made anew. */
const RESTARTED_AT = 'kubectl.kubernetes.io/restartedAt';
/** Cluster DNS is restarted by the planner itself, whatever the plug-ins are. */
const CORE_DNS = key({ apiVersion: 'apps/v1', kind: 'Deployment', namespace: 'kube-system', name: 'coredns' });

/** The text of config/admission/workloads.yaml with the lists as the plug-ins have them. All else of it stays. */
export function workloadsPolicy(text: string): string {
  const annotations = listed(({ annotation }) => (annotation === undefined ? [] : [annotation, RESTARTED_AT]));
  const paced = Object.keys(listed(({ strategy }) => (strategy === true ? ['type'] : [])));
  return [
    ['rolloutAnnotations', map({ [CORE_DNS]: [RESTART_MARK], ...annotations }, [RESTARTED_AT])] as const,
    [
      'environment',
      map(
        listed(({ env = [] }) => env),
        [],
      ),
    ] as const,
    [
      'arguments',
      map(
        listed(({ args = [] }) => args),
        [],
      ),
    ] as const,
    ['mayPace', `variables.workload in ${list(paced)}`] as const,
  ].reduce((policy, [name, expression]) => withExpression(policy, name, expression), text);
}

/** By workload, without those that have nothing; what two plug-ins say of the same one is put together. */
function listed(of: (workload: ChangedWorkload) => readonly string[]): Readonly<Record<string, readonly string[]>> {
  const lists = Map.groupBy(pluginWorkloads, ({ ref }) => key(ref));
  const entries = [...lists].map(([name, workloads]) => [name, [...new Set(workloads.flatMap(of))]] as const);
  return Object.fromEntries(entries.filter(([, values]) => values.length > 0));
}

/** As the policy's own variable `workload` has it. */
function key({ kind, namespace = '', name }: ObjectRef): string {
  return `${kind.toLowerCase()}s ${namespace}/${name}`;
}

const list = (values: readonly string[]): string => `[${values.map((value) => `'${value}'`).join(', ')}]`;

/** CEL for a look-up by workload. */
function map(lists: Readonly<Record<string, readonly string[]>>, otherwise: readonly string[]): string {
  const rows = Object.entries(lists).map(([name, values]) => `  '${name}': ${list(values)}`);
  return ['{', rows.join(',\n'), `}[?variables.workload].orValue(${list(otherwise)})`].join('\n');
}

function withExpression(policy: string, name: string, expression: string): string {
  const indent = ' '.repeat(8);
  const pattern = new RegExp(`(- name: ${name}\\n {6}expression: >-\\n)(?: {8}.*\\n)+`, 'u');
  if (!pattern.test(policy))
    throw new Error(`config/admission/workloads.yaml has no variable ${name} with a folded expression`);
  const lines = expression.split('\n').map((line) => `${indent}${line}\n`);
  return policy.replace(pattern, (_, head: string) => head + lines.join(''));
}
