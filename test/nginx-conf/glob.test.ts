import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { expandGlob, matches } from '../../src/nginx-conf/glob.js';
import { testScope } from '../support/scope.js';

describe('matches', () => {
  test.each([
    ['*', 'abc', true],
    ['*', '', true],
    ['a*c', 'abbbc', true],
    ['a*c', 'abbb', false],
    ['*.conf', '.conf', true],
    ['a?c', 'abc', true],
    ['a?c', 'ac', false],
    ['[a-c]x', 'bx', true],
    ['[a-c]x', 'dx', false],
    ['[!a-c]x', 'dx', true],
    ['[^a-c]x', 'ax', false],
    ['[]]', ']', true],
    ['[a-]', '-', true],
    ['[a', '[a', true],
    ['\\*', '*', true],
    ['\\*', 'a', false],
    ['a.c', 'abc', false],
    ['*a*b', 'xaxxab', true],
  ])('%s and %s: %s', (pattern, name, expected) => {
    expect(matches(pattern, name)).toBe(expected);
  });

  test('no pattern takes long', () => {
    expect(matches(`${'*a'.repeat(50)}b`, 'a'.repeat(10_000))).toBe(false);
  });
});

test('folders, sorted by bytes, and no dot files', (context) => {
  const folder = testScope(context).temporaryFolder();
  for (const file of ['b/1.conf', 'b/2.conf', 'a/1.conf', 'B/1.conf', 'a/.x.conf', '.c/1.conf', 'a/other']) {
    mkdirSync(join(folder, file, '..'), { recursive: true });
    writeFileSync(join(folder, file), '');
  }
  const find = (pattern: string, max = 100) =>
    expandGlob(join(folder, pattern), max).map((path) => path.slice(folder.length + 1));
  expect(find('*/*.conf')).toEqual(['B/1.conf', 'a/1.conf', 'b/1.conf', 'b/2.conf']);
  expect(find('a/.*.conf')).toEqual(['a/.x.conf']);
  expect(find('*/3.*')).toEqual([]);
  expect(find('missing/*')).toEqual([]);
  expect(find('*/*.conf', 2)).toHaveLength(3);
});
