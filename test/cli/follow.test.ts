import { expect, test } from 'vitest';
import { run } from '../../src/cli/run.js';
import { LogLevels } from '../../src/log/levels.js';
import { createLogger } from '../../src/log/pino.js';
import { testScope } from '../support/scope.js';
import { waitFor } from '../support/wait.js';
import { cli, startTestAggregator } from './support.js';

const see = (probe: () => boolean | Promise<boolean>): Promise<boolean> => waitFor(probe, { what: 'its output' });

/** A command that goes on until its reader is gone, as `| head` is. */
function follow(args: readonly string[]): { out: string[]; err: string[]; stop: () => void; ended: Promise<number> } {
  const [out, err]: [string[], string[]] = [[], []];
  let isGone = false;
  const gone = Object.assign(new Error('gone'), { code: 'EPIPE' });
  const ended = run(args, {
    out: { write: (text) => void out.push(text), isTTY: false, written: async () => (isGone ? gone : undefined) },
    err: { write: (text) => void err.push(text), isTTY: false },
    env: {},
    cwd: '/nonexistent',
  });
  const stop = (): void => {
    isGone = true;
  };
  return { out, err, ended, stop };
}

test('events are listed, filtered by names, patterns and types, and followed through a restart', async (context) => {
  const scope = testScope(context);
  const first = await startTestAggregator(scope);
  const here = ['--data-dir', first.dataDir];
  await cli(['camera', 'add', 'gate-1', 'gate-2', 'yard', ...here]);
  const listed = await cli(['events', 'gate-*', 'yard', '-n', '2', '-o', 'json', ...here]);
  expect(listed.code).toBe(0);
  const events = listed.out
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  expect(events).toHaveLength(2);
  expect((await cli(['events', 'gate-1', ...here])).out).toMatch(/^\S+ \S+ {2}camera\.registered {2}gate-1\n$/);
  expect((await cli(['events', '--types', 'push', ...here])).out).toBe('');
  expect(await cli(['events', '--types', 'nonsense', ...here])).toMatchObject({ code: 1 });
  expect(await cli(['events', '-n', 'many', ...here])).toMatchObject({ code: 2 });

  const following = follow(['events', '-f', '-n', '0', ...here]);
  await see(async () => {
    await cli(['camera', 'set', 'yard', '--type', `t${Date.now()}`, ...here]);
    return following.out.length > 0;
  });
  await first.stop();
  await see(() => following.err.join('').includes('connection lost'));
  await startTestAggregator(scope, { 'data-dir': first.dataDir });
  await see(() => following.err.join('').includes('connected again'));
  await cli(['camera', 'remove', 'yard', ...here]);
  await see(() => following.out.join('').includes('camera.removed'));
  following.stop();
  await cli(['camera', 'remove', 'gate-1', ...here]);
  expect(await following.ended).toBe(0);
});

test('the log is printed, filtered, and followed', async (context) => {
  const scope = testScope(context);
  const levels = new LogLevels('info');
  const log = createLogger({
    level: levels.filter,
    format: 'json',
    isTerminal: false,
    target: { write() {} },
    recent: levels.recent,
  });
  const { dataDir } = await startTestAggregator(scope, {}, { log, levels });
  const here = ['--data-dir', dataDir];
  log.info('first', { camera: 'gate-1', text: '\u001b[2J' });
  log.warn('second', { camera: 'yard' });
  log.debug('not logged', { camera: 'yard' });
  expect((await cli(['logs', 'gate-*', ...here])).out).toMatch(
    /^\S+ \S+ {2}info {3}first {2}camera=gate-1 text=\\u001b\[2J\n$/,
  );
  const { out } = await cli(['logs', '--level', 'warn', '-o', 'json', ...here]);
  expect(JSON.parse(out)).toMatchObject({ level: 'warn', message: 'second', fields: { camera: 'yard' } });
  expect((await cli(['logs', 'nobody', ...here])).out).toBe('');
  const following = follow(['logs', '-f', 'yard', ...here]);
  await see(() => following.out.join('').includes('second'));
  log.error('third', { camera: 'yard' });
  log.error('elsewhere', { camera: 'gate-1' });
  await see(() => following.out.join('').includes('third'));
  following.stop();
  expect(await following.ended).toBe(0);
  expect(following.out.join('')).not.toContain('elsewhere');
});
