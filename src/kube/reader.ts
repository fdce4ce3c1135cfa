import type { KubeObject, ObjectRef } from '../model/object.ts';
import type { ListQuery, PagedReader, Read, Reader, ServerInfo } from '../model/reader.ts';
import { ok, type Result } from '../result.ts';
import type { KubeClient } from './client.ts';
import { errorText, type KubeError } from './errors.ts';

/** A `Reader` that asks the API server each time. */
export const clientReader = (client: KubeClient, signal?: AbortSignal): Reader => {
  const how = signal === undefined ? {} : { signal };
  return {
    get: async (ref) => toRead(await client.get(ref, how)),
    list: async (query) => {
      const page = await client.list(query, how);
      return toRead(page.ok ? { ok: true, value: page.value.items } : page);
    },
  };
};

export async function readServerInfo(client: KubeClient, signal?: AbortSignal): Promise<Result<ServerInfo, KubeError>> {
  const how = signal === undefined ? {} : { signal };
  const [version, groupVersions] = await Promise.all([client.serverVersion(how), client.groupVersions(how)]);
  if (!version.ok) return version;
  if (!groupVersions.ok) return groupVersions;
  return ok({ kubernetesVersion: version.value.gitVersion, groupVersions: groupVersions.value });
}

/** Lists in pages, asked for one after another. */
export const pagedReader = (client: KubeClient, signal?: AbortSignal): PagedReader =>
  async function* (query) {
    for await (const page of client.pages(query, signal === undefined ? {} : { signal })) {
      yield toRead(page.ok ? { ok: true, value: page.value.items } : page);
    }
  };

/**
 * A `Reader` for one look at the cluster: the same question is asked once, however many parts of the program ask it, and all of
 * them see the same answer. Make a new one for every pass.
 */
export function snapshotReader(reader: Reader): Reader {
  const gets = new Map<string, Promise<Read<KubeObject>>>();
  const lists = new Map<string, Promise<Read<readonly KubeObject[]>>>();
  return {
    get: (ref) => once(gets, refKey(ref), () => reader.get(ref)),
    list: (query) => once(lists, queryKey(query), () => reader.list(query)),
  };
}

function toRead<T>(result: Result<T, KubeError>): Read<T> {
  if (result.ok) return { is: 'Found', value: result.value };
  return result.error.kind === 'NotFound' ? { is: 'Missing' } : { is: 'Unreadable', why: errorText(result.error) };
}

function once<T>(answers: Map<string, Promise<T>>, key: string, ask: () => Promise<T>): Promise<T> {
  const asked = answers.get(key) ?? ask();
  answers.set(key, asked);
  return asked;
}

const refKey = ({ apiVersion, kind, namespace, name }: ObjectRef): string =>
  [apiVersion, kind, namespace ?? '', name].join(' ');
const queryKey = ({ apiVersion, kind, namespace, labelSelector, fieldSelector, fields }: ListQuery): string =>
  [apiVersion, kind, namespace ?? '', labelSelector ?? '', fieldSelector ?? '', fields?.join() ?? 'whole'].join(' ');
