import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { describe, expect, test } from 'vitest';

const root = join(import.meta.dirname, '../..');
const sources = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' }).filter((path) =>
  /\.c?ts$/.test(path),
);

/** Words of a text in backquotes. */
function codeIn(text: string): string[] {
  return [...text.matchAll(/`([^`]+)`/g)].map((match) => match[1]!);
}

/** The file of src/ that a page means; a name without a folder means the only file of that name. */
function sourceOf(name: string): string | undefined {
  if (existsSync(join(root, 'src', name))) return join(root, 'src', name);
  const found = name.includes('/') ? [] : sources.filter((path) => basename(path) === name);
  return found.length === 1 ? join(root, 'src', found[0]!) : undefined;
}

/** Files that a page names: of src/, or of the whole repository. */
function missingFiles(page: string): string[] {
  const text = readFileSync(join(root, page), 'utf8').replace(/^```[\s\S]*?^```$/gm, '');
  const names = codeIn(text).filter((code) => /^[\w./-]+\.(ts|cts|mts|mjs|cjs)$/.test(code));
  return names.filter((name) => sourceOf(name) === undefined && !existsSync(join(root, name)));
}

test('a file that is not there is found', () => {
  expect(sourceOf('relay/no-such-file.ts')).toBeUndefined();
  expect(sourceOf('relay/outlet.ts')).toBeDefined();
});

const pages = readdirSync(join(root, 'docs')).filter((name) => name.endsWith('.md'));

test.each([...pages.map((name) => `docs/${name}`), 'CONTRIBUTING.md', 'README.md', 'SECURITY.md'])(
  'every file that %s names is there',
  (page) => {
    expect(missingFiles(page)).toEqual([]);
  },
);

describe('docs/lifecycle.md', () => {
  const rows = readFileSync(join(root, 'docs/lifecycle.md'), 'utf8')
    .split('\n')
    .filter((line) => /^\|.*\.ts`/.test(line));

  test('has a row for each step', () => {
    expect(rows.length).toBeGreaterThan(30);
  });

  test.each(rows)('names functions that are there: %s', (row) => {
    const files = codeIn(row).filter((code) => code.endsWith('.ts'));
    const functions = codeIn(row.split('|').at(-2)!);
    const text = files.map((file) => readFileSync(sourceOf(file) ?? `no such file: ${file}`, 'utf8')).join('\n');
    // A definition: of a function at the margin, or of a method indented by two.
    const definition = (name: string) =>
      new RegExp(`^(  )?(export )?(override )?(async )?(function\\*? )?\\*?#?${name}(<.*>)?\\(([^;]*\\{)?$`, 'm');
    const missing = functions.filter((name) => !definition(name).test(text));
    expect(missing).toEqual([]);
  });
});
