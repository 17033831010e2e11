import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { errorCodes } from '../src/errors.js';

const page = readFileSync(new URL('../docs/errors.md', import.meta.url), 'utf8');

/** Rows of the tables whose first cell is a code. */
const rows = page
  .split('\n')
  .map((line) => /^\| `([A-Z_]+)` \| (.+) \| (.+) \| (.+) \|$/.exec(line))
  .filter((match) => match !== null);

test('docs/errors.md has every code, in the order of the code, and no other', () => {
  expect(rows.map((row) => row[1])).toEqual(Object.keys(errorCodes));
});

test('docs/errors.md has the meaning that the code has', () => {
  expect(Object.fromEntries(rows.map((row) => [row[1], row[2]]))).toEqual(errorCodes);
});

test('every line that begins like a row of a code is one: four cells', () => {
  expect(page.match(/^\| `[A-Z_]+`/gm)).toHaveLength(rows.length);
});
