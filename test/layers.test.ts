import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { allowedFor, cyclesOf, findCycles, layers, parts, withRules } from '../scripts/layers.mjs';

const root = join(import.meta.dirname, '..');
const biomeText = readFileSync(join(root, 'biome.json'), 'utf8');

test('biome.json has the import rules of scripts/layers.mjs, and no others', () => {
  const biome: object = JSON.parse(biomeText);
  expect(biome).toEqual(withRules(biome));
});

test('every folder of src/ has a rule, and only errors.ts and plural.ts stand outside a folder', () => {
  const entries = readdirSync(join(root, 'src'), { withFileTypes: true });
  const folders = entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
  expect(folders.filter((name) => !parts.includes(name))).toEqual([]);
  expect(entries.filter((entry) => entry.isFile()).map(({ name }) => name)).toEqual(['errors.ts', 'plural.ts']);
});

test('no two parts may import each other, directly or through others', () => {
  const graph = new Map(
    Object.keys(layers).map((part) => [
      part,
      [...allowedFor(part)].filter((other) => other !== part && other in layers),
    ]),
  );
  expect(cyclesOf(graph)).toEqual([]);
});

test('a cycle is found where there is one', () => {
  const graph = new Map([
    ['a', ['b']],
    ['b', ['c']],
    ['c', ['a']],
    ['d', ['a']],
  ]);
  expect(cyclesOf(graph)).toEqual([['a', 'b', 'c']]);
});

test('no files of src/ import each other in a cycle', () => {
  expect(findCycles(join(root, 'src'))).toEqual([]);
});

/** Ways to import a file. All of them are arrows. */
const forms = [
  (path: string) => `import { a } from '${path}';`,
  (path: string) => `import type { A } from '${path}';`,
  (path: string) => `import '${path}';`,
  (path: string) => `export { a } from '${path}';`,
  (path: string) => `export const a = await import('${path}');`,
];

interface Diagnostic {
  readonly location: { readonly path: string; readonly range: { readonly start: { readonly line: number } } };
}

describe('Biome', () => {
  const folder = mkdtempSync(join(tmpdir(), 'layers-'));
  /** Imports that Biome refused, each as `path:line`. */
  const refused = new Set<string>();
  /** Imports of each file, one a line. */
  const written = new Map<string, { specifier: string; mayImport: boolean }[]>();

  beforeAll(async () => {
    const biome = JSON.parse(biomeText);
    writeFileSync(join(folder, 'biome.json'), JSON.stringify({ ...biome, vcs: { enabled: false } }));
    for (const part of Object.keys(layers)) {
      writeImports(part, 'probe.ts', '../'.repeat(part.split('/').length));
      // The folders inside `backend` are parts of their own.
      if (part !== 'backend') writeImports(part, 'deep/probe.ts', '../'.repeat(part.split('/').length + 1));
    }
    const biomeProgram = join(root, 'node_modules/.bin/biome');
    const args = ['lint', '--only=style/noRestrictedImports', '--max-diagnostics=none', '--reporter=rdjson', '.'];
    // It exits with 1, since it finds what it should.
    const { stdout } = await promisify(execFile)(biomeProgram, args, { cwd: folder, maxBuffer: 64 << 20 }).catch(
      (error: { stdout: string }) => error,
    );
    const report: { diagnostics: Diagnostic[] } = JSON.parse(stdout);
    for (const { location } of report.diagnostics) refused.add(`${location.path}:${location.range.start.line}`);
  }, 60_000);

  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  function writeImports(part: string, name: string, up: string): void {
    const allowed = allowedFor(part);
    const imports = parts
      .filter((other) => other !== part)
      .map((other) => ({ specifier: `${up}${other}/some-file.js`, mayImport: allowed.has(other) }));
    // Neighbours inside one folder are imported without its name.
    const [outer] = part.split('/');
    for (const other of parts) {
      if (outer === part || other === part || !other.startsWith(`${outer}/`)) continue;
      const specifier = `${up.slice(3)}${other.slice(outer!.length + 1)}/some-file.js`;
      imports.push({ specifier, mayImport: allowed.has(other) });
    }
    if (layers[part]?.pure === true)
      for (const specifier of ['node:net', 'node:fs/promises', 'node:http'])
        imports.push({ specifier, mayImport: false });
    const path = `src/${part}/${name}`;
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(
      join(folder, path),
      imports.map(({ specifier }, index) => forms[index % forms.length]!(specifier)).join('\n'),
    );
    written.set(path, imports);
  }

  test.each(Object.keys(layers))('refuses what %s may not import, and nothing else', (part) => {
    for (const [path, imports] of written) {
      if (dirname(path) !== `src/${part}` && dirname(path) !== `src/${part}/deep`) continue;
      const found = imports.map(({ specifier }, index) => ({
        specifier,
        mayImport: !refused.has(`${path}:${index + 1}`),
      }));
      expect(found, path).toEqual(imports);
    }
    expect([...written.values()].flat().filter(({ mayImport }) => !mayImport).length).toBeGreaterThan(500);
  });
});
