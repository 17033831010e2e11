import { describe, expect, test } from 'vitest';
import { testScope } from '../support/scope.js';
import { cli, startTestAggregator } from './support.js';

describe('the log of a running aggregator', () => {
  test('its level is printed and changed', async (context) => {
    const { dataDir } = await startTestAggregator(testScope(context));
    const here = ['--data-dir', dataDir];
    expect(await cli(['log-level', ...here])).toEqual({ code: 0, out: 'info\n', err: '' });
    expect((await cli(['log-level', 'warn', ...here])).out).toBe('warn (info after a restart)\n');
    expect(JSON.parse((await cli(['log-level', '--json', ...here])).out)).toEqual({
      level: 'warn',
      configured: 'info',
      cameras: [],
    });
    const { code, err } = await cli(['log-level', 'loud', ...here]);
    expect({ code, err }).toMatchObject({ code: 2, err: expect.stringContaining('debug, info, warn, error') });
  });

  test('a camera is debugged, and is not any more', async (context) => {
    const { dataDir } = await startTestAggregator(testScope(context));
    const here = ['--data-dir', dataDir];
    expect((await cli(['camera', 'debug', 'gate-1', ...here])).err).toContain('CAMERA_NOT_FOUND');
    await cli(['camera', 'add', 'gate-1', ...here]);
    const before = Date.now();
    const { out } = await cli(['camera', 'debug', 'gate-1', '--for', '1h', ...here]);
    const until = /everything about camera gate-1 until (\S+)\.\n$/.exec(out)?.[1] ?? '';
    expect(Math.abs(Date.parse(until) - before - 3_600_000)).toBeLessThan(20_000);
    expect((await cli(['log-level', ...here])).out).toBe(`info\nCamera gate-1 is debugged until ${until}\n`);
    for (const wrong of ['0s', '25h', 'long']) {
      const refused = await cli(['camera', 'debug', 'gate-1', '--for', wrong, ...here]);
      expect(refused).toMatchObject({ code: 2, err: expect.stringMatching(/USAGE: --for/) });
    }
    await cli(['camera', 'debug', 'gate-1', '--off', ...here]);
    expect((await cli(['log-level', ...here])).out).toBe('info\n');
  });
});
