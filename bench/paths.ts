import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

function findRoot(): string {
  for (let folder = dirname(fileURLToPath(import.meta.url)); ; folder = dirname(folder)) {
    if (existsSync(join(folder, 'package.json'))) return folder;
  }
}

/** The folder of package.json, from the sources and from their compiled form alike. */
export const root = findRoot();
/** The compiled benchmark. */
export const compiled = join(root, 'bench/dist/bench');
