import { STATIC_PODS, type HostSettings, type StaticPod } from '../model/host.ts';

/**
 * What a DualStackNode's spec becomes when a step's settings are added. A flag that is set is no longer absent and the other way
 * round; everything that the step does not speak of stays as it is.
 */
export function mergeSettings(current: HostSettings, added: HostSettings): HostSettings {
  const nodeIPs = added.kubelet ?? (added.absent?.kubelet?.includes('node-ip') ? undefined : current.kubelet);
  const k0s = added.k0s ?? current.k0s;
  const sysctls = { ...current.sysctls, ...added.sysctls };
  const restart = { ...current.restart, ...added.restart };
  const flags = Object.fromEntries(
    STATIC_PODS.flatMap((component) => {
      const merged = mergeFlags(component, current, added);
      return Object.keys(merged).length === 0 ? [] : [[component, merged]];
    }),
  );
  const absent = Object.fromEntries(
    ([...STATIC_PODS, 'kubelet'] as const).flatMap((component) => {
      const merged = mergeAbsent(component, current, added);
      return merged.length === 0 ? [] : [[component, merged]];
    }),
  );
  return {
    ...(nodeIPs === undefined ? {} : { kubelet: nodeIPs }),
    ...(Object.keys(flags).length === 0 ? {} : { staticPods: flags }),
    ...(k0s === undefined ? {} : { k0s }),
    ...(Object.keys(absent).length === 0 ? {} : { absent }),
    ...(Object.keys(sysctls).length === 0 ? {} : { sysctls }),
    ...(Object.keys(restart).length === 0 ? {} : { restart }),
    ...(current.again === undefined ? {} : { again: current.again }),
  };
}

function mergeFlags(
  component: StaticPod,
  current: HostSettings,
  added: HostSettings,
): Readonly<Record<string, string>> {
  const gone = new Set(added.absent?.[component] ?? []);
  const kept = Object.entries(current.staticPods?.[component] ?? {}).filter(([flag]) => !gone.has(flag));
  return { ...Object.fromEntries(kept), ...added.staticPods?.[component] };
}

function mergeAbsent(component: StaticPod | 'kubelet', current: HostSettings, added: HostSettings): readonly string[] {
  const set = new Set(
    component === 'kubelet'
      ? added.kubelet === undefined
        ? []
        : ['node-ip']
      : Object.keys(added.staticPods?.[component] ?? {}),
  );
  const all = new Set([...(current.absent?.[component] ?? []), ...(added.absent?.[component] ?? [])]);
  return [...all].filter((flag) => !set.has(flag)).sort();
}
