import { err, ok, type Result } from '../result.ts';
import type { IPProblem } from './address.ts';

/**
 * Reads a list of one value per family, primary first, as component flags and kubeadm's configuration hold it: `10.96.0.0/16,fd00:10:96::/112`.
 * Each item is read with `parse`. Kubernetes components do not trim: white space in the list is an error that names itself, because they die of it
 * (`v4, v6` in `--node-ip` ends the kubelet). The empty text is the empty list.
 */
export function parseList<T>(
  text: string,
  parse: (item: string) => Result<T, IPProblem>,
): Result<readonly T[], IPProblem> {
  if (text === '') return ok([]);
  if (/\s/.test(text)) {
    return err({ code: 'Malformed', message: `"${text}" has white space: separate the items with a comma alone` });
  }
  const values: T[] = [];
  for (const item of text.split(',')) {
    if (item === '') return err({ code: 'Malformed', message: `"${text}" has an empty item: remove the stray comma` });
    const value = parse(item);
    if (!value.ok) return value;
    values.push(value.value);
  }
  return ok(values);
}
