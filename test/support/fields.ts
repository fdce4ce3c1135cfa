import type { KubeObject } from '../../src/model/object.ts';

const IDENTITY = ['metadata.name', 'metadata.namespace', 'metadata.uid', 'metadata.resourceVersion'];

/** What a reader that is asked for these fields alone gives at least. */
export function pruned(object: KubeObject, fields: readonly string[]): KubeObject {
  const paths = ['apiVersion', 'kind', ...IDENTITY, ...fields].map((path) => path.split('.'));
  return prune(object, paths) as KubeObject;
}

function prune(value: unknown, paths: readonly (readonly string[])[]): unknown {
  if (Array.isArray(value)) return value.map((each) => prune(each, paths));
  if (typeof value !== 'object' || value === null) return value;
  const kept = Object.entries(value).flatMap(([key, inner]) => {
    const deeper = paths.filter(([first]) => first === key).map(([, ...rest]) => rest);
    if (deeper.length === 0) return [];
    return [[key, deeper.some((rest) => rest.length === 0) ? inner : prune(inner, deeper)]];
  });
  return Object.fromEntries(kept);
}

/** The object, with every path that is read of it noted, without the places in lists. */
export function noted(object: KubeObject, reads: Set<string>): KubeObject {
  return note(object, '', reads) as KubeObject;
}

function note(value: unknown, path: string, reads: Set<string>): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map((each) => note(each, path, reads));
  return new Proxy(value, {
    get(target, key) {
      if (typeof key === 'symbol' || key === 'toJSON') return Reflect.get(target, key) as unknown;
      const here = path === '' ? key : `${path}.${key}`;
      reads.add(here);
      return note(Reflect.get(target, key), here, reads);
    },
  });
}

/** Whether what is read at the path is among the fields, lies within one, or is on the way to one. */
export const covers = (fields: readonly string[], path: string): boolean =>
  ['apiVersion', 'kind', ...IDENTITY, ...fields].some(
    (field) => field === path || path.startsWith(`${field}.`) || field.startsWith(`${path}.`),
  );
