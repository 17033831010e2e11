import type { ConfigurationFiles } from './files.js';
import { matches } from './glob.js';
import { type Directive, parseAccepted } from './parser.js';

/**
 * The directives of a configuration that nginx has accepted, as `nginx -T` printed it, with those of included files in
 * the places of their `include`s. A line in a file that looks like the heading of one only hides that file.
 */
export function parseDump(output: string): Directive[] {
  const files = splitDump(output);
  const [main] = files.keys();
  return main === undefined ? [] : parseAccepted(main, filesOfDump(files));
}

/** The files that `nginx -T` printed, by their paths, in its order: the main one first. */
function splitDump(output: string): Map<string, string> {
  const files = new Map<string, string>();
  const headings = [...output.matchAll(/^# configuration file (.+):$/gm)];
  for (const [index, heading] of headings.entries()) {
    const start = (heading.index ?? 0) + heading[0].length + 1;
    files.set(heading[1] ?? '', output.slice(start, headings[index + 1]?.index));
  }
  return files;
}

function filesOfDump(files: ReadonlyMap<string, string>): ConfigurationFiles {
  return {
    read(path) {
      const text = files.get(path);
      if (text === undefined) throw new Error('nginx did not print it');
      return { text, realPath: path };
    },
    expand(pattern, maxFiles) {
      const wanted = pattern.split('/');
      const found: string[] = [];
      for (const path of files.keys()) {
        const parts = path.split('/');
        if (parts.length !== wanted.length || !wanted.every((part, index) => matches(part, parts[index] ?? '')))
          continue;
        if (found.push(path) > maxFiles) break;
      }
      return found;
    },
  };
}
