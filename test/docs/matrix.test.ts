import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { rows } from '../matrix/rows.js';
import { ways } from '../matrix/ways.js';

it('docs/compatibility.md has a line of the matrix for each publisher and what it sends, and none that fails', () => {
  const text = readFileSync(new URL('../../docs/compatibility.md', import.meta.url), 'utf8');
  const table = text.split(/<!-- (?:The matrix|The end)[^>]*-->/)[1] ?? '';
  const lines = table.split('\n').filter((line) => line.startsWith('| ') && !line.startsWith('| publisher'));
  expect(lines.map((line) => line.split(' | ').slice(0, 2).join(' | '))).toEqual(
    rows.map(({ publisher, sends }) => `| ${publisher} | ${sends}`),
  );
  const words = /^(whole|default tracks, whole|resumes whole)$/;
  for (const line of lines) {
    const cells = line.split(' | ').slice(2);
    expect(cells).toHaveLength(ways.length + 1);
    for (const cell of cells.slice(0, -1)) expect(cell).toMatch(words);
    expect(cells.at(-1)).toMatch(/^(plays|picture; says: ".+"|says: ".+") \|$/);
  }
});
