import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect } from 'vitest';
import { findFfmpeg8 } from '../matrix/ffmpeg8.js';
import { type PageResult, showRow } from '../matrix/page.js';
import { type Row, rows } from '../matrix/rows.js';
import { runRow, type Way, ways } from '../matrix/ways.js';
import { type Aggregator, startAggregator } from '../support/aggregator.js';
import { openBrowser, openPage } from '../support/browser.js';
import { testWith } from '../support/peers.js';
import { Scope, testScope } from '../support/scope.js';

/*
 * What real publishers send, on every way, as docs/compatibility.md says. `npm run test:matrix` goes through all lines, some ten
 * minutes, and writes the table anew; it installs FFmpeg 8 through pip. `npm test` looks at one line where that is there
 * already; else the recorded packets of test/ingest/ffmpeg-8.test.ts stand for it.
 */

const document = fileURLToPath(new URL('../../docs/compatibility.md', import.meta.url));
const [begin, end] = ['<!-- The matrix: npm run test:matrix -->', '<!-- The end of the matrix -->'];
/** `all`, or names of rows, whose lines are written anew; without it, a sample is compared with its line. */
const wish = process.env.MATRIX ?? 'ffmpeg8-tracks';
const chosen = wish === 'all' ? rows : rows.filter(({ id }) => wish.split(',').includes(id));
/** Of `npm run test:matrix`. The page takes its time, and has a test of its own (`player.test.ts`). */
const isThorough = process.env.MATRIX !== undefined;

const cells = new Map<Row, Map<Way, string>>();
const shown = new Map<Row, PageResult>();

const lineOf = (row: Row): string => {
  const { publisher, sends } = row;
  return `| ${[publisher, sends, ...ways.map((way) => cells.get(row)?.get(way)), shown.get(row)?.text].join(' | ')} |`;
};

describe('every publisher, on every way', () => {
  const test = testWith('ffmpeg', 'gstreamer', 'chromium');
  const scope = new Scope();
  let missing: string | undefined;
  let near: Aggregator;
  let far: Aggregator;

  beforeAll(async () => {
    const found = await findFfmpeg8(isThorough);
    if ('missing' in found) {
      missing = found.missing;
      if (isThorough) throw new Error(missing);
      return;
    }
    // One after the other, before anything is paced by the clock.
    for (const row of chosen) await row.written();
    [near, far] = await Promise.all([startAggregator(scope), startAggregator(scope)]);
  }, 900_000);
  afterAll(() => scope.close());

  test.for(chosen)('$publisher: $sends', { timeout: 300_000, concurrent: true }, async (row, context) => {
    if (missing !== undefined) return context.skip(`there is no FFmpeg 8: ${missing}`);
    const found = await runRow(testScope(context), row, near, far);
    cells.set(row, found);
    for (const [way, text] of found) expect(text, `${row.id}, ${way}`).not.toMatch(/^FAILS/);
  });

  test.runIf(isThorough)('the page', { timeout: 900_000 }, async (context) => {
    const own = testScope(context);
    const opened = await openPage(await openBrowser(own), own, near.apiUrl);
    for (const row of chosen) {
      const result = await showRow(row, near, opened);
      shown.set(row, result);
      console.log(`${row.id}: ${result.text} after ${Math.round(result.ms)} ms`);
    }
    expect(opened.misdeeds).toEqual({ errors: [], strangers: [] });
  });

  test('docs/compatibility.md says so', (context) => {
    if (missing !== undefined) return context.skip(`there is no FFmpeg 8: ${missing}`);
    const text = readFileSync(document, 'utf8');
    if (process.env.MATRIX !== undefined) {
      const [before = '', table = '', after = ''] = text.split(/<!-- (?:The matrix|The end)[^>]*-->/);
      const old = table.split('\n');
      const head = ['publisher', 'sends', ...ways, 'page'];
      const lines = rows.map((row) => {
        const start = `| ${row.publisher} | ${row.sends} |`;
        return chosen.includes(row)
          ? lineOf(row)
          : (old.find((line) => line.startsWith(start)) ?? `${start} not run |`);
      });
      const made = [`| ${head.join(' | ')} |`, `|${head.map(() => '---|').join('')}`, ...lines].join('\n');
      writeFileSync(document, `${before}${begin}\n\n${made}\n\n${end}${after}`);
      return;
    }
    // The last column was not looked at.
    for (const row of chosen) expect(text).toContain(lineOf(row).replace(/ \|$/, ''));
  });
});
