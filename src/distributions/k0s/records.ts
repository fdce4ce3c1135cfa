import type { K0sSettings } from '../../model/k0s.ts';
import type { Recordable, Recorded } from '../../model/record.ts';
import type { K0sFacts } from './facts.ts';
import { clusterSettings, controllersOf } from './network.ts';

const CONFIG_KEY = 'ClusterConfig/kube-system/k0s';

/** Under this key stands which process of an API server was there at first: a controller without an agent shows by it that it was restarted. */
export const identityKey = (controller: string): string => `k0s/api-server/${controller}`;

export function records(own: K0sFacts): readonly Recordable[] {
  const settings = clusterSettings(own);
  return [
    ...(settings === null ? [] : [{ key: CONFIG_KEY, value: { ...settings } }]),
    ...controllersOf(own).flatMap(({ name, report, identity }) =>
      report === null && identity !== null ? [{ key: identityKey(name), value: { holder: identity } }] : [],
    ),
  ];
}

/** The settings of ClusterConfig before the first change; null: they were not recorded. */
export const recordedSettings = (restore: Recorded): K0sSettings | null =>
  (restore[CONFIG_KEY] as K0sSettings | undefined) ?? null;
