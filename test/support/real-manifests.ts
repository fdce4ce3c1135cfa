import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseAllDocuments } from 'yaml';
import type { KubeObject } from '../../src/model/object.ts';

/** Released manifests are read in place, by names such as `calico-v3.31.7/calico.yaml`. */
const FOLDER = resolve(process.env['REAL_MANIFESTS'] ?? join(import.meta.dirname, '../../../shared/fixtures'));

export const manifestPath = (file: string): string => join(FOLDER, file);

/** Null where the manifest is on this machine; else what is missing, and what to do. */
export const whyMissing = (file: string): string | null =>
  existsSync(manifestPath(file)) ? null : `${file} is not in ${FOLDER}; set REAL_MANIFESTS to a folder that has it`;

/** @throws where it is missing: a test that wants it is to be skipped, by `testWith`. */
export function manifestText(file: string): string {
  const missing = whyMissing(file);
  if (missing !== null) throw new Error(missing);
  return readFileSync(manifestPath(file), 'utf8');
}

export const manifestObjects = (file: string): readonly KubeObject[] =>
  parseAllDocuments(manifestText(file)).flatMap((document) => {
    const object = document.toJS() as KubeObject | null;
    return object === null ? [] : [object];
  });
