import type { ComponentPod } from '../../model/component-pods.ts';
import { DUAL_STACK_GATE, needsDualStackGate } from '../../model/gates.ts';
import { sameRange } from '../../model/networks.ts';
import type { Change, Snippet, StepState } from '../../model/step.ts';

/** What flags shall be; null: not there. */
export type WantedFlags = Readonly<Record<string, string | null>>;

/** What else a component of that version must be told for two families. */
export function gateFlags(
  kubernetesVersion: string,
  isDual: boolean,
  live: Readonly<Record<string, string>> | null,
): WantedFlags {
  if (!isDual || !needsDualStackGate(kubernetesVersion)) return {};
  const others = (live?.['feature-gates'] ?? '')
    .split(',')
    .filter((gate) => gate !== '' && !gate.startsWith('IPv6DualStack='));
  return { 'feature-gates': [...others, DUAL_STACK_GATE].join(',') };
}

/** Flags that differ. @param live Null: nobody sees them, so all that are to be set are told, and what must go is in the command. */
export function flagChanges(wanted: WantedFlags, live: Readonly<Record<string, string>> | null): readonly Change[] {
  return Object.entries(wanted).flatMap(([flag, after]): readonly Change[] => {
    const before = live?.[flag] ?? null;
    if (live === null ? after === null : isSame(before, after)) return [];
    return [{ path: `--${flag}`, before, after }];
  });
}

const isSame = (before: string | null, after: string | null): boolean =>
  before === after || (before !== null && after !== null && sameRange(before, after));

/** How far a component is that shows its flags by its Pod. @param shown The flag that tells it best. */
export function seenPod({ name, node, flags, ready }: ComponentPod, wanted: WantedFlags, shown: string) {
  const changes = flagChanges(wanted, flags);
  const state: StepState =
    changes.length > 0
      ? { is: 'Pending' }
      : ready
        ? { is: 'Satisfied', evidence: `Pod kube-system/${name} runs with ${flags[shown] ?? ''}` }
        : { is: 'InProgress', why: `Pod kube-system/${name} is not ready` };
  return {
    where: node === '' ? name : node,
    changes,
    state,
    watches: `Pod kube-system/${name} with these flags, and ready`,
  };
}

/** What is to be done, such as `set --a=b --c=d and remove --e`. */
export function editText(wanted: WantedFlags, changes: readonly Change[]): string {
  const set = changes.flatMap(({ path, after }) => (after === null ? [] : [`${path}=${after}`]));
  const seen = changes.flatMap(({ path, after }) => (after === null ? [path] : []));
  const isUnseen = changes.every(({ before }) => before === null);
  const gone = isUnseen
    ? Object.keys(wanted)
        .filter((flag) => wanted[flag] === null)
        .map((flag) => `--${flag}`)
    : seen;
  const parts = [
    ...(set.length === 0 ? [] : [`set ${set.join(' ')}`]),
    ...(gone.length === 0 ? [] : [`remove ${gone.join(' ')}${isUnseen ? ' where it is set' : ''}`]),
  ];
  return parts.join(' and ');
}

/** The flags to be set, ready to be copied. */
export function flagSnippets(component: string, changes: readonly Change[]): readonly Snippet[] {
  const lines = changes.flatMap(({ path, after }) => (after === null ? [] : [`${path}=${after}\n`]));
  return lines.length === 0 ? [] : [{ file: `arguments of ${component}`, text: lines.join('') }];
}
