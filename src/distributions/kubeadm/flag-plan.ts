import type { HostSettings, StaticPod } from '../../model/host.ts';
import type { Change } from '../../model/step.ts';
import type { Instance } from './instances.ts';
import { sameRange } from './ranges.ts';

/** What the flags of one instance shall be. Flags that are in neither part are left alone. */
export interface FlagPlan {
  readonly set: Readonly<Record<string, string>>;
  readonly absent: readonly string[];
  /** Values that a component has without being told: absent says the same. */
  readonly defaults: Readonly<Record<string, string>>;
}

type Flags = Readonly<Record<string, string>>;

const meets = (flags: Flags, plan: FlagPlan): boolean =>
  Object.entries(plan.set).every(([flag, value]) => sameRange(flags[flag] ?? plan.defaults[flag], value)) &&
  plan.absent.every((flag) => flags[flag] === undefined);

export const isMet = (instance: Instance, plan: FlagPlan): boolean =>
  instance.flags.known && meets(instance.flags.value, plan);

export const planSettings = (component: StaticPod, plan: FlagPlan): HostSettings => ({
  ...(Object.keys(plan.set).length === 0 ? {} : { staticPods: { [component]: plan.set } }),
  ...(plan.absent.length === 0 ? {} : { absent: { [component]: plan.absent } }),
});

/** What differs, flag by flag. */
export function planDiff(instance: Instance, plan: FlagPlan): readonly Change[] {
  const flags = instance.flags.known ? instance.flags.value : {};
  const change = (flag: string, after: string | null): readonly Change[] => {
    const before = flags[flag] ?? null;
    return before === after ? [] : [{ path: `--${flag}`, before, after }];
  };
  return [
    ...Object.entries(plan.set).flatMap(([flag, value]) => change(flag, value)),
    ...plan.absent.flatMap((flag) => change(flag, null)),
  ];
}

export const planText = (plan: FlagPlan): string =>
  [
    ...Object.entries(plan.set).map(([flag, value]) => `--${flag}=${value}`),
    ...plan.absent.map((flag) => `no --${flag}`),
  ].join(', ');

/** True when these settings are already asked of the host's agent. */
export function isAsked(spec: HostSettings, component: StaticPod, plan: FlagPlan): boolean {
  const asked = spec.staticPods?.[component] ?? {};
  const gone = spec.absent?.[component] ?? [];
  return (
    Object.entries(plan.set).every(([flag, value]) => asked[flag] === value) &&
    plan.absent.every((flag) => gone.includes(flag))
  );
}

/**
 * True when something else is asked of the host's agent, such as what it refused: with its next change of any setting the agent would try
 * that again.
 */
export function isAskedOtherwise(spec: HostSettings, component: StaticPod, plan: FlagPlan): boolean {
  const asked = spec.staticPods?.[component] ?? {};
  const gone = spec.absent?.[component] ?? [];
  return (
    Object.entries(plan.set).some(
      ([flag, value]) => gone.includes(flag) || (asked[flag] !== undefined && !sameRange(asked[flag], value)),
    ) || plan.absent.some((flag) => asked[flag] !== undefined)
  );
}

/**
 * The way back for one instance: each flag to its recorded first value, where there is a record and the first value is of the wanted
 * families; else to what `computed` says.
 */
export function restored(recorded: Readonly<Record<string, string | null>> | undefined, computed: FlagPlan): FlagPlan {
  if (recorded === undefined || !agrees(recorded, computed)) return computed;
  const set: Record<string, string> = {};
  const absent: string[] = [];
  for (const [flag, value] of Object.entries({ ...asRecord(computed), ...recorded })) {
    if (value === null) absent.push(flag);
    else set[flag] = value;
  }
  return { set, absent, defaults: {} };
}

/** A record of a cluster that was half dual before the first edit is not a way to fewer families. */
const agrees = (recorded: Readonly<Record<string, string | null>>, computed: FlagPlan): boolean =>
  ['cluster-cidr', 'service-cluster-ip-range'].every(
    (flag) => recorded[flag] === undefined || recorded[flag] === null || sameRange(recorded[flag], computed.set[flag]),
  );

const asRecord = (plan: FlagPlan): Readonly<Record<string, string | null>> => ({
  ...plan.set,
  ...Object.fromEntries(plan.absent.map((flag) => [flag, null])),
});
