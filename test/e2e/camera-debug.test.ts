import { describe, expect } from 'vitest';
import { programPath, startAggregator } from '../support/aggregator.js';
import { makeClip, publish } from '../support/ffmpeg.js';
import { testWith } from '../support/peers.js';
import { run } from '../support/process.js';
import { startRtmpSink } from '../support/rtmp-sink.js';
import { testScope } from '../support/scope.js';
import { waitFor } from '../support/wait.js';

const ways = [
  ['one process', []],
  ['media workers', ['--workers', '2']],
] as const;

describe('a camera that is debugged while it runs', () => {
  const test = testWith('ffmpeg');

  test.concurrent.for(ways)('is in the log, the others and its secrets are not: %s', async ([, flags], context) => {
    const scope = testScope(context);
    const [clip, sink, aggregator] = await Promise.all([
      makeClip({ seconds: 7 }),
      startRtmpSink(scope),
      startAggregator(scope, { flags: [...flags, '--log-level', 'error'] }),
    ]);
    const cli = (...args: string[]) =>
      run(process.execPath, [programPath, ...args, '--data-dir', aggregator.dataDir], { timeoutMs: 60_000 });
    for (const name of ['seen', 'quiet']) {
      await aggregator.addCamera(name);
      await aggregator.addPush(name, `${sink.url('MARKER-name')}?key=MARKER-query`, 'far');
    }
    await aggregator.addPush('seen', 'rtmp://127.0.0.1:9/live/x?key=MARKER-closed', 'closed');
    const live = (name: string) =>
      publish(scope, clip, `${aggregator.url(name)}?key=MARKER-publish`, { inputOptions: ['-stream_loop', '-1'] });

    // At first nothing of it; then everything, while it is live already.
    const first = live('quiet');
    const camera = live('seen');
    await aggregator.waitForPush('quiet', 'far', 'active', 30_000);
    await aggregator.waitForPush('seen', 'far', 'active', 30_000);
    expect(aggregator.logLines()).toEqual([]);
    const debugged = await cli('camera', 'debug', 'seen', '--for', '10m');
    expect(debugged).toMatchObject({ code: 0, stdout: expect.stringContaining('until 2') });
    await camera.stop('SIGTERM');
    await aggregator.waitForLive('seen', false);
    const again = live('seen');
    await aggregator.waitForPush('seen', 'far', 'active', 30_000);

    const ofCamera = (name: string) => aggregator.logLines().filter((line) => line.camera === name);
    const expected = [
      { level: 'debug', event: 'unpublish' },
      { level: 'debug', event: 'command', message: '< connect' },
      { level: 'debug', event: 'command', message: '< publish' },
      { level: 'info', message: 'camera is live' },
      { level: 'debug', event: 'command', message: '> publish', push: 'far' },
      { level: 'debug', event: 'state', message: 'connecting -> active', push: 'far' },
      { level: 'debug', event: 'error', message: expect.stringMatching(/^TARGET_REFUSED/), push: 'closed' },
    ];
    await waitFor(
      () => {
        for (const line of expected) expect(ofCamera('seen')).toContainEqual(expect.objectContaining(line));
        return Promise.resolve(true);
      },
      { what: 'its lines', timeoutMs: 20_000 },
    );
    expect(aggregator.logLines().filter((line) => line.camera !== 'seen')).toEqual([]);

    // Off again: what happens then is not logged.
    expect((await cli('camera', 'debug', 'seen', '--off')).code).toBe(0);
    await waitFor(async () => ofCamera('seen').at(-1)?.message === 'debug logging of a camera is off', {
      what: 'the line of its end to be the last',
      timeoutMs: 20_000,
    });
    const count = aggregator.logLines().length;
    await again.stop('SIGTERM');
    await aggregator.waitForLive('seen', false);
    expect(aggregator.logLines()).toHaveLength(count);

    // The level of all, for the camera that was quiet.
    expect((await cli('log-level', 'debug')).stdout).toBe('debug (error after a restart)\n');
    await first.stop('SIGTERM');
    await waitFor(async () => ofCamera('quiet').some(({ event }) => event === 'unpublish'), {
      what: 'lines of the other camera',
      timeoutMs: 20_000,
    });
    const { stderr, stdout } = aggregator.process;
    expect(stderr + stdout).toContain('key=***');
    expect(stderr + stdout).not.toContain('MARKER');
  });
});
