import { realpath, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { isErrno } from './errno.js';
import { syncFolder } from './write.js';

/** A file that is to be replaced, or was. */
export interface Replaced {
  readonly path: string;
  /** Where what it was is kept, beside it; undefined: there was no file. */
  readonly kept: string | undefined;
}

/**
 * Makes files what they were before, in their order; what was kept of them is then no more. Never rejects.
 * @returns those that could not be put back, each with the place where it is kept and the reason
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
    // Two names of one file, which was not replaced yet, both stay.
    await rm(kept, { force: true });
  }
  await syncFolder(dirname(path));
}
