import { expect, test } from 'vitest';
import { run } from '../../src/cli/run.js';
import { testScope } from '../support/scope.js';
import { cli, startTestAggregator } from './support.js';

/** Runs a command whose standard output takes nothing. */
async function withLostOutput(args: readonly string[], code: string) {
  const err: string[] = [];
  const lost = Object.assign(new Error(`${code}: write`), { code });
  const exitCode = await run(args, {
    out: { write: () => {}, isTTY: false, written: async () => lost },
    err: { write: (text) => void err.push(text), isTTY: false },
    env: {},
    cwd: '/nonexistent',
  });
  return { exitCode, err: err.join('') };
}

test('a command whose answer is lost does not end well; one whose reader is gone does', async (context) => {
  const { dataDir } = await startTestAggregator(testScope(context));
  const folder = ['--data-dir', dataDir];
  for (const [args, code, exitCode] of [
    [['backup', '-'], 'ENOSPC', 1],
    [['backup', '-'], 'EPIPE', 1],
    [['token', 'create', 'one'], 'ENOSPC', 1],
    [['camera', 'list'], 'EIO', 1],
    [['camera', 'list'], 'EPIPE', 0],
  ] as const) {
    const result = await withLostOutput([...args, ...folder], code);
    expect(result.exitCode, `${args} ${code}`).toBe(exitCode);
    if (exitCode !== 0) expect(result.err).toContain(`OUTPUT_FAILED: standard output could not be written: ${code}`);
  }
  expect((await cli(['token', 'list', ...folder])).out).toContain('one');
});
