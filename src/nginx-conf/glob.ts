import { readdirSync } from 'node:fs';
import { join } from 'node:path';

/** True when `include` would look for several files: the characters that nginx looks for. */
export function hasWildcard(path: string): boolean {
  return /[*?[]/.test(path);
}

/**
 * The files that an absolute path with `*`, `?` and `[...]` stands for, sorted by their bytes as glob(3) does in the C
 * locale. As there, a wildcard matches neither a slash nor a dot at the beginning of a name, and folders that cannot be
 * read hold nothing.
 *
 * @param maxFiles where it stops looking; the result then has one more than that
 */
export function expandGlob(pattern: string, maxFiles: number): string[] {
  let found = ['/'];
  const segments = pattern.split('/').filter((segment) => segment !== '' && segment !== '.');
  for (const segment of segments) {
    const next: string[] = [];
    for (const folder of found) {
      const names = hasWildcard(segment) ? matchingNames(folder, segment) : [unescapeGlob(segment)];
      for (const name of names) {
        if (next.length > maxFiles) break;
        next.push(join(folder, name));
      }
    }
    found = next;
  }
  return found;
}

function matchingNames(folder: string, segment: string): string[] {
  let names: string[];
  try {
    names = readdirSync(folder);
  } catch {
    return [];
  }
  const matching = names.filter((name) => (segment.startsWith('.') || !name.startsWith('.')) && matches(segment, name));
  return matching.sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
}

function unescapeGlob(segment: string): string {
  return segment.replace(/\\(.)/g, '$1');
}

/** Linear but for the last star, which is the only one that has to be tried again: no pattern takes long. */
export function matches(pattern: string, name: string): boolean {
  const parts = parsePattern(pattern);
  let part = 0;
  let at = 0;
  let starPart = -1;
  let starAt = 0;
  while (at < name.length) {
    const current = parts[part];
    if (current === '*') {
      starPart = part;
      starAt = at;
      part += 1;
    } else if (current?.(name[at] ?? '') === true) {
      part += 1;
      at += 1;
    } else if (starPart >= 0) {
      starAt += 1;
      at = starAt;
      part = starPart + 1;
    } else {
      return false;
    }
  }
  while (parts[part] === '*') part += 1;
  return part === parts.length;
}

type Part = '*' | ((char: string) => boolean);

function parsePattern(pattern: string): Part[] {
  const parts: Part[] = [];
  for (let at = 0; at < pattern.length; at += 1) {
    const char = pattern[at] ?? '';
    if (char === '*') {
      parts.push('*');
    } else if (char === '?') {
      parts.push(() => true);
    } else if (char === '\\' && at + 1 < pattern.length) {
      at += 1;
      const escaped = pattern[at];
      parts.push((each) => each === escaped);
    } else {
      const end = char === '[' ? closingBracket(pattern, at) : -1;
      if (end < 0) {
        parts.push((each) => each === char);
      } else {
        parts.push(parseBracket(pattern.slice(at + 1, end)));
        at = end;
      }
    }
  }
  return parts;
}

/** A bracket right behind the opening one, or behind its negation, is one of the characters. */
function closingBracket(pattern: string, open: number): number {
  const first = /^[!^]/.test(pattern.slice(open + 1)) ? open + 2 : open + 1;
  return pattern.indexOf(']', first + 1);
}

function parseBracket(body: string): (char: string) => boolean {
  const isNegated = /^[!^]/.test(body);
  const set = isNegated ? body.slice(1) : body;
  const ranges: [string, string][] = [];
  for (let at = 0; at < set.length; at += 1) {
    const low = set[at] ?? '';
    const isRange = set[at + 1] === '-' && at + 2 < set.length;
    ranges.push([low, isRange ? (set[at + 2] ?? '') : low]);
    if (isRange) at += 2;
  }
  return (char) => ranges.some(([low, high]) => char >= low && char <= high) !== isNegated;
}
