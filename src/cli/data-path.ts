import { resolve } from 'node:path';

/** The value of `data-dir` with which nothing outlives the process. A folder of this name is `./none`. */
export const noDataDir = 'none';

/** Where the data folder of these settings lies. */
export function dataFolderPath(cwd: string, dataDir: string): string {
  return dataDir === noDataDir ? dataDir : resolve(cwd, dataDir);
}
