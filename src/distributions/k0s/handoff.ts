import { stringify } from 'yaml';
import type { Change, Snippet } from '../../model/step.ts';
import { nested, type UnseenTarget } from './target.ts';

/** Settings to be made, as a part of k0s.yaml and of k0sctl.yaml. Nothing where settings are only to be taken out. */
export function snippetsFor(file: string, changes: readonly Change[]): readonly Snippet[] {
  const set = changes.filter(({ after }) => after !== null);
  if (set.length === 0) return [];
  const config = nested(set);
  return [
    { file, text: stringify(config) },
    // k0sctl writes the file of every controller from this and restarts those where it changed (github.com/k0sproject/k0sctl).
    { file: 'k0sctl.yaml', text: stringify({ spec: { k0s: { config } } }) },
  ];
}

/** What is to be done with the file before the restart: `set … and remove … in /etc/k0s/k0s.yaml`. Empty: the file is right. */
export function editText(file: string, changes: readonly Change[]): string {
  const set = changes.filter(({ after }) => after !== null);
  const gone = changes.filter(({ after }) => after === null);
  const parts = [
    ...(set.length === 0 ? [] : [`set ${set.map(({ path, after }) => `${path}: ${after ?? ''}`).join(', ')}`]),
    ...(gone.length === 0 ? [] : [`remove ${gone.map(({ path }) => path).join(', ')}`]),
  ];
  return parts.length === 0 ? '' : `${parts.join(' and ')} in ${file}`;
}

/** What else is to be seen to in a file that nobody sees. */
export function unseenText({ whereSet, gone }: UnseenTarget): string {
  const values = Object.entries(whereSet).map(([path, value]) => `${path}: ${value ?? ''}`);
  return [
    'keep what is there already',
    ...(gone.length === 0 ? [] : [`remove where it is set: ${gone.join(', ')}`]),
    ...(values.length === 0 ? [] : [`change where it is set: ${values.join(', ')}`]),
  ].join('; ');
}

/** k0s checks a file without running it (`k0s config validate`). */
export const validateText = (file: string): string => `k0s config validate --config ${file}`;

/**
 * The service that `k0s install` makes is restarted: one command for each init system, as it can be pasted.
 *
 * @param check A command that must succeed before.
 */
export function restartText(service: 'k0scontroller' | 'k0sworker', check = ''): string {
  const before = check === '' ? '' : `${check} && `;
  return `${before}systemctl restart ${service}; where there is OpenRC: ${before}rc-service ${service} restart`;
}
