import { expect, test } from 'vitest';
import type { Terminal } from '../../src/cli/io.js';
import { run } from '../../src/cli/run.js';
import { testScope } from '../support/scope.js';
import { waitFor } from '../support/wait.js';
import { cli, startTestAggregator } from './support.js';

test('without a terminal prints the table once', async (context) => {
  const { dataDir } = await startTestAggregator(testScope(context));
  await cli(['camera', 'add', 'gate', '--data-dir', dataDir]);
  await cli(['push', 'add', 'gate', 'rtmp://127.0.0.7/live/gate', '--id', 'p', '--data-dir', dataDir]);
  const { code, out } = await cli(['top', '--data-dir', dataDir]);
  expect(code).toBe(0);
  const lines = out.split('\n');
  expect(lines[0]).toMatch(/RTMP ok {2}0 of 1 live {2}in 0 bit\/s/);
  expect(lines[1]).toMatch(/^CAMERA \/ PUSH +STATE +IN\/OUT/);
  expect(lines.slice(2)).toEqual([expect.stringMatching(/^gate +idle/), expect.stringMatching(/^gate \/ p +idle/), '']);
});

test('in a terminal of 80 columns sorts, filters, scrolls, and gives the terminal back', async (context) => {
  const { dataDir } = await startTestAggregator(testScope(context));
  for (let index = 0; index < 12; index += 1) {
    await cli(['camera', 'add', `cam-${index}-${'x'.repeat(40)}`, '--data-dir', dataDir]);
  }
  const written: string[] = [];
  let press = (_key: string): void => {};
  let isTaken = false;
  const terminal: Terminal = {
    columns: () => 80,
    rows: () => 10,
    write: (text) => void written.push(text),
    start: (onKey) => {
      press = onKey;
      isTaken = true;
      return () => {
        isTaken = false;
      };
    },
  };
  const sink = { write() {}, isTTY: true };
  const ended = run(['top', '--data-dir', dataDir], {
    out: sink,
    err: sink,
    env: { NO_COLOR: '1' },
    cwd: '/',
    terminal,
  });
  const screen = (): string[] =>
    (written.at(-1) ?? '').replaceAll('\u001b[K', '').replace('\u001b[H', '').split('\r\n');
  await waitFor(() => screen()[0]?.includes('0 of 12 live'), { what: 'the first look' });
  expect(screen()).toHaveLength(10);
  expect(Math.max(...screen().map((line) => line.length))).toBeLessThanOrEqual(80);
  expect(screen()[2]).toMatch(/^cam-0-x+… idle/);
  expect(screen()[9]).toMatch(/q quit {2}s sort \(name\).* 1-7 of 12/);
  press('\u001b[6~');
  expect(screen()[9]).toContain('6-12 of 12');
  press('s');
  expect(screen()[9]).toContain('sort (state)');
  for (const key of ['/', 'c', 'a', 'm', '-', '1', '1', 'q', '\u007f', '\r']) press(key);
  expect(screen()[9]).toContain('filter (cam-11)');
  expect(screen().filter((line) => line.startsWith('cam-'))).toEqual([expect.stringContaining('cam-11')]);
  expect(isTaken).toBe(true);
  press('q');
  expect(await ended).toBe(0);
  expect(isTaken).toBe(false);
  expect(written[0]).toContain('\u001b[?1049h');
  expect(written.at(-1)).toContain('\u001b[?1049l');
});
