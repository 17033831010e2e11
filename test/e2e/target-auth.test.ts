import { describe, expect } from 'vitest';
import { startTarget } from '../push/targets.js';
import { wantsPassword } from '../rtmp/wants-password.js';
import { startAggregator } from '../support/aggregator.js';
import { makeClip, publish } from '../support/ffmpeg.js';
import { testWith } from '../support/peers.js';
import { testScope } from '../support/scope.js';
import { waitFor } from '../support/wait.js';

describe('a target that wants a user name and a password', () => {
  const test = testWith('ffmpeg');

  test('takes the stream of who knows them, be it ffmpeg or the aggregator', async (context) => {
    const scope = testScope(context);
    const { behaviour } = wantsPassword('site7', 'secret-word');
    const [clip, target, aggregator] = await Promise.all([
      makeClip({ seconds: 8 }),
      startTarget(behaviour),
      startAggregator(scope),
    ]);
    scope.defer(() => target.close());
    const url = (user: string): string => target.url.replace('//', `//${user}@`);

    // ffmpeg first: what is asked here is what others understand.
    const wrong = publish(scope, clip, url('site7:other-word'));
    expect((await wrong.exited).code).not.toBe(0);
    expect(target.media).toEqual([]);
    const right = publish(scope, clip, url('site7:secret-word'));
    await waitFor(() => target.media.length > 20, { what: 'media of ffmpeg' });
    await right.stop();
    target.media.length = 0;

    const endpoint = await aggregator.addCamera('cam');
    await aggregator.addPush('cam', url('site7:secret-word'), 'right');
    await aggregator.addPush('cam', url('site7:other-word').replace('/cam', '/other'), 'wrong');
    const camera = publish(scope, clip, endpoint);
    expect(await aggregator.waitForPush('cam', 'right', 'active')).toMatchObject({ connects: 1 });
    expect(target.media.length).toBeGreaterThan(0);
    const refused = await aggregator.waitForPush('cam', 'wrong', 'waiting');
    expect(refused).toMatchObject({ connects: 0, lastError: { code: 'TARGET_AUTH' } });
    expect((await camera.exited).code).toBe(0);
    expect(aggregator.process.stderr).not.toMatch(/secret-word|other-word/);
  });
});
