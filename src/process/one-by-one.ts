import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

/** Under a limit of so many descriptors files are loaded one by one. */
const enough = 1024;

/**
 * Loads files of this program, and all that they import, one after the other where few may be open at once. Node's
 * loader of ES modules opens all files of a graph at the same time, several hundred here, and a process that may have 64
 * descriptors would end before its first line. `require` does not (Node.js 20.19 and later; older ones do without this),
 * and an `import()` that follows finds them loaded.
 * @param base `import.meta.url` or the path of the file that asks @param files from there, none with a top-level `await`
 */
export function loadOneByOne(base: string, ...files: readonly string[]): void {
  if (Reflect.get(process.features, 'require_module') !== true || limit() >= enough) return;
  const load = createRequire(base);
  for (const file of files) load(file);
}

function limit(): number {
  try {
    const text = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'latin1'))?.[1];
    return text === undefined ? Number.POSITIVE_INFINITY : Number(text);
  } catch {
    return Number.POSITIVE_INFINITY; // not Linux
  }
}
