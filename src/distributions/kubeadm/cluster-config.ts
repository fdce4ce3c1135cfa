import { asArray, asString, at } from '../../model/object.ts';
import { err, ok, type Result, unreachable } from '../../result.ts';
import { addItem, addKey, parseYAML, type Path, removeEntry, renameKey, rootOf, setValue } from './yaml-text.ts';

/** kubeadm's ClusterConfiguration, as far as IP families go. */
export interface ClusterConfig {
  readonly apiVersion: string;
  readonly podSubnet: string | undefined;
  readonly serviceSubnet: string | undefined;
  /** Flags that override what kubeadm works out from the subnets. */
  readonly extraArgs: Readonly<Record<ConfiguredComponent, readonly ExtraArg[]>>;
  readonly featureGates: Readonly<Record<string, unknown>>;
}

export type ConfiguredComponent = 'apiServer' | 'controllerManager';

interface ExtraArg {
  readonly name: string;
  readonly value: string;
}

/** Null: the text is not a ClusterConfiguration. */
export function readClusterConfig(text: string): ClusterConfig | null {
  const document = parseYAML(text);
  if (!document.ok) return null;
  const root: unknown = document.value.toJS();
  if (at(root, 'kind') !== 'ClusterConfiguration') return null;
  return {
    apiVersion: asString(at(root, 'apiVersion')) ?? '',
    podSubnet: asString(at(root, 'networking', 'podSubnet')),
    serviceSubnet: asString(at(root, 'networking', 'serviceSubnet')),
    extraArgs: { apiServer: extraArgs(root, 'apiServer'), controllerManager: extraArgs(root, 'controllerManager') },
    featureGates: (at(root, 'featureGates') ?? {}) as Readonly<Record<string, unknown>>,
  };
}

/** A map up to v1beta3, a list of name and value from v1beta4 on. */
function extraArgs(root: unknown, component: ConfiguredComponent): readonly ExtraArg[] {
  const args = at(root, component, 'extraArgs');
  if (Array.isArray(args)) {
    return asArray(args).flatMap((arg) => {
      const name = asString(at(arg, 'name'));
      return name === undefined ? [] : [{ name, value: textOf(at(arg, 'value')) }];
    });
  }
  return Object.entries((args ?? {}) as Record<string, unknown>).map(([name, value]) => ({
    name,
    value: textOf(value),
  }));
}

/** kubeadm wants strings and people write numbers, which its readers take too. */
const textOf = (value: unknown): string => asString(value) ?? (value === undefined ? '' : JSON.stringify(value));

/** What the text shall say. */
export interface ConfigTarget {
  /** Undefined: left as it is. */
  readonly podSubnet: string | undefined;
  readonly serviceSubnet: string | undefined;
  /** In order. */
  readonly args: readonly ArgTarget[];
}

export type ArgTarget = { readonly component: ConfiguredComponent; readonly name: string } & (
  | /** Changes the value where the flag is. */ { readonly is: 'Update'; readonly value: string }
  | /** Also adds it where it is not. */ { readonly is: 'Set'; readonly value: string }
  | { readonly is: 'Rename'; readonly to: string }
  | { readonly is: 'Remove' }
);

/** The text with the target's values in it and nothing else changed. The error says which part cannot be edited. */
export function editClusterConfig(text: string, target: ConfigTarget): Result<string, string> {
  const steps: readonly ((text: string) => Result<string, string>)[] = [
    (now) => setSubnet(now, 'podSubnet', target.podSubnet),
    (now) => setSubnet(now, 'serviceSubnet', target.serviceSubnet),
    ...target.args.map((arg) => (now: string) => editArg(now, arg)),
  ];
  return steps.reduce<Result<string, string>>((now, step) => (now.ok ? step(now.value) : now), ok(text));
}

function setSubnet(
  text: string,
  key: 'podSubnet' | 'serviceSubnet',
  value: string | undefined,
): Result<string, string> {
  const config = readClusterConfig(text);
  if (config === null) return err('it is not a ClusterConfiguration');
  if (value === undefined || config[key] === value) return ok(text);
  return config[key] === undefined
    ? addKey(text, ['networking'], key, value)
    : setValue(text, ['networking', key], value);
}

function editArg(text: string, target: ArgTarget): Result<string, string> {
  const config = readClusterConfig(text);
  if (config === null) return err('it is not a ClusterConfiguration');
  const present = config.extraArgs[target.component];
  const index = present.findIndex((arg) => arg.name === target.name && !isDone(arg, target));
  if (index >= 0) {
    const changed = editPresent(text, config, target, index);
    // A list may hold a flag more than once, and the last one counts: all of them are brought in line.
    return changed.ok ? editArg(changed.value, target) : changed;
  }
  const isMissing = target.is === 'Set' && !present.some((arg) => arg.name === target.name);
  return isMissing ? addArg(text, config, target.component, target.name, target.value) : ok(text);
}

const isDone = (arg: ExtraArg, target: ArgTarget): boolean =>
  (target.is === 'Update' || target.is === 'Set') && arg.value === target.value;

function editPresent(text: string, config: ClusterConfig, target: ArgTarget, index: number): Result<string, string> {
  const args: Path = [target.component, 'extraArgs'];
  const asList = isList(text, target.component, config);
  switch (target.is) {
    case 'Update':
    case 'Set':
      return setValue(text, asList ? [...args, index, 'value'] : [...args, target.name], target.value);
    case 'Rename':
      return asList
        ? setValue(text, [...args, index, 'name'], target.to)
        : renameKey(text, args, target.name, target.to);
    case 'Remove':
      return removeEntry(text, [...args, asList ? index : target.name]);
    default:
      return unreachable(target);
  }
}

function addArg(
  text: string,
  config: ClusterConfig,
  component: ConfiguredComponent,
  name: string,
  value: string,
): Result<string, string> {
  const asList = isList(text, component, config);
  const root: unknown = rootOf(text);
  const item = { name, value };
  if (at(root, component, 'extraArgs') !== undefined) {
    return asList ? addItem(text, [component, 'extraArgs'], item) : addKey(text, [component, 'extraArgs'], name, value);
  }
  const args = asList ? [item] : { [name]: value };
  return at(root, component) === undefined
    ? addKey(text, [], component, { extraArgs: args })
    : addKey(text, [component], 'extraArgs', args);
}

function isList(text: string, component: ConfiguredComponent, config: ClusterConfig): boolean {
  const args = at(rootOf(text), component, 'extraArgs');
  return args === undefined || args === null ? !/\/v1beta[123]$/.test(config.apiVersion) : Array.isArray(args);
}

/** True when the two texts say the same but for subnets and these flags. */
export const sameButFamilies = (a: string, b: string, flags: readonly string[]): boolean =>
  withoutFamilies(a, flags) === withoutFamilies(b, flags);

function withoutFamilies(text: string, flags: readonly string[]): string {
  const root = rootOf(text);
  const components = ['apiServer', 'controllerManager'] as const;
  const rest = sorted({
    ...(root as object),
    networking: { ...(at(root, 'networking') as object), podSubnet: null, serviceSubnet: null },
    ...Object.fromEntries(
      components.map((component) => [
        component,
        {
          ...(at(root, component) as object),
          extraArgs: extraArgs(root, component).filter((arg) => !flags.includes(arg.name)),
        },
      ]),
    ),
  });
  return JSON.stringify(rest);
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, entry]) => [key, sorted(entry)]),
  );
}
