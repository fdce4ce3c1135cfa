import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import type { KubeObject } from '../../src/model/object.ts';

const FOLDER = process.env['REAL_MANIFESTS'] ?? join(import.meta.dirname, '../../../shared/fixtures');

/** The objects of a released manifest, or null where the files are not on this machine: a test that wants them is then to be skipped, not passed. */
export function realManifest(file: string): readonly KubeObject[] | null {
  const path = join(FOLDER, file);
  if (!existsSync(path)) {
    console.warn(`skipped: ${file} is not in ${FOLDER}; set REAL_MANIFESTS to a folder that has it`);
    return null;
  }
  return parseAllDocuments(readFileSync(path, 'utf8')).flatMap((document) => {
    const object = document.toJS() as KubeObject | null;
    return object === null ? [] : [object];
  });
}
