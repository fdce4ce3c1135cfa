import { asArray, asString, at, type KubeObject } from '../model/object.ts';
import type { ListQuery } from '../model/reader.ts';
import { err, ok, type Result } from '../result.ts';
import type { Answer } from './connection.ts';
import type { KubeError, Subject } from './errors.ts';
import { json } from './json.ts';
import { ACCEPT_PROTOBUF, type Format, isProtobuf, type Listed, protobufFormat } from './protobuf/answers.ts';

export const acceptFor = (format: Format | null): string => (format === null ? 'application/json' : ACCEPT_PROTOBUF);

/** Reads page after page with what `fetch` gives for the token of the last one. Ends after the first failure. */
export async function* readPages(
  fetch: (token: string | undefined, accept: string) => Promise<Result<Answer, KubeError>>,
  query: ListQuery,
  subject: Subject,
): AsyncGenerator<Result<Listed, KubeError>, void> {
  let format = protobufFormat(query);
  let token: string | undefined;
  for (;;) {
    const answer = await fetch(token, acceptFor(format));
    const page = answer.ok ? pageOf(answer.value, format, query, subject) : answer;
    if (answer.ok && !page.ok && format !== null) {
      // What cannot be understood is asked for once more, as JSON.
      format = null;
      continue;
    }
    yield page;
    if (!page.ok || page.value.next === '') return;
    token = page.value.next;
  }
}

function pageOf(answer: Answer, format: Format | null, query: ListQuery, subject: Subject): Result<Listed, KubeError> {
  if (format !== null && isProtobuf(answer.contentType)) {
    const page = format.page(answer.bytes);
    return page.ok ? page : err({ ...subject, kind: 'Unknown', message: `the answer cannot be read: ${page.error}` });
  }
  const list = json(subject, ok(Buffer.from(answer.bytes).toString()));
  return list.ok ? ok(jsonPage(list.value, query)) : list;
}

/** Items of a list do not carry their own kind for built-in types; here they do, so that an item is an object like any other. */
function jsonPage(list: unknown, { apiVersion, kind }: ListQuery): Listed {
  return {
    items: asArray(at(list, 'items')).map((item) => ({ apiVersion, kind, ...(item as object) }) as KubeObject),
    resourceVersion: asString(at(list, 'metadata', 'resourceVersion')) ?? '',
    next: asString(at(list, 'metadata', 'continue')) ?? '',
  };
}
