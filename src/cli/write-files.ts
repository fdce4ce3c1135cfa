import { access, mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { GeneratedFile } from '../generate/contract.ts';
import { err, ok, type Result } from '../result.ts';

/**
 * Writes files into a folder, which is made if need be, and tells their paths. Nothing is written where a file is there already, unless
 * it may be replaced. Files with secrets are the user's alone.
 */
export async function writeFiles(
  folder: string,
  files: readonly GeneratedFile[],
  replace: boolean,
): Promise<Result<readonly string[], string>> {
  try {
    await mkdir(folder, { recursive: true });
    const there = replace ? [] : await existing(folder, files);
    if (there.length > 0)
      return err(`${there.join(', ')} in ${folder} would be replaced: choose another folder, or give --force`);
    const paths: string[] = [];
    for (const { name, text, secret } of files) {
      const path = join(folder, name);
      // A new file, so that it has the right mode from its first byte on.
      if (replace) await rm(path, { force: true });
      await writeFile(path, text, { flag: 'wx', mode: secret === true ? 0o600 : 0o644 });
      paths.push(path);
    }
    return ok(paths);
  } catch (error) {
    return err(`the files cannot be written: ${error instanceof Error ? error.message : String(error)}`);
  }
}

async function existing(folder: string, files: readonly GeneratedFile[]): Promise<readonly string[]> {
  const names: string[] = [];
  for (const { name } of files) if (await exists(join(folder, name))) names.push(name);
  return names;
}

async function exists(path: string): Promise<boolean> {
  try {
    await access(path);
    return true;
  } catch {
    return false;
  }
}
