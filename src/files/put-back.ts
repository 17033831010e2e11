import { realpath, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { isErrno } from './errno.js';
import { syncFolder } from './write.js';

/** A file that is to be replaced, or was. */
export interface Replaced {
  readonly path: string;
  /** Where the previous content is kept, beside the file; undefined: there was no file. */
  readonly kept: string | undefined;
}

/**
 * Restores the previous contents of files, in order, and removes the kept copies. Never rejects.
 * @returns those that could not be restored, each with the place of its copy and the reason
 */
export async function putBackFiles(replaced: readonly Replaced[]): Promise<string[]> {
  const left: string[] = [];
  for (const { path, kept } of replaced) {
    try {
      await putBack(path, kept);
    } catch (error) {
      const place = kept === undefined ? 'there was none' : `kept as ${kept}`;
      left.push(`${path} (${place}: ${error instanceof Error ? error.message : String(error)})`);
    }
  }
  return left;
}

async function putBack(path: string, kept: string | undefined): Promise<void> {
  if (kept === undefined) {
    await rm(path, { force: true });
  } else {
    const real = await realpath(path).catch((error: unknown) => {
      if (isErrno(error, 'ENOENT')) return path;
      throw error;
    });
    await rename(kept, real);
    // Renaming one of two hard links of the same file to the other does nothing: both names stay.
    await rm(kept, { force: true });
  }
  await syncFolder(dirname(path));
}
