import { describe, expect } from 'vitest';
import { startAggregator } from '../support/aggregator.js';
import { decodeCleanly, makeClip, publish } from '../support/ffmpeg.js';
import { firstVideoFrame, isKeyFrame, settled } from '../support/flv-file.js';
import { startNginxRtmp } from '../support/nginx-rtmp.js';
import { expectUnbroken, keyFrameHashes, packetsOf } from '../support/packets.js';
import { testWith } from '../support/peers.js';
import { testScope } from '../support/scope.js';
import { figure, sleep } from '../support/wait.js';

describe('a target that is not there', () => {
  const test = testWith('ffmpeg', 'nginx-rtmp');

  test('is found when it comes, and again after it was killed, while another target sees nothing of it', async (context) => {
    const scope = testScope(context);
    const [clip, nginx, other, aggregator] = await Promise.all([
      makeClip({ seconds: 15, keyFrameSeconds: 2 }),
      startNginxRtmp(scope, { started: false }),
      startNginxRtmp(scope),
      startAggregator(scope),
    ]);
    const endpoint = await aggregator.addCamera('cam');
    await aggregator.addPush('cam', nginx.url('cam'), 'flaky');
    await aggregator.addPush('cam', other.url('cam'), 'steady');
    const camera = publish(scope, clip, endpoint);
    const refused = await aggregator.waitForPush('cam', 'flaky', 'waiting');
    expect(refused.lastError?.code).toBe('TARGET_REFUSED');
    await sleep(2000);
    expect((await aggregator.push('cam', 'flaky')).attempt).toBeGreaterThan(1);

    const timeToPicture = async (): Promise<number> => {
      const returnedAt = performance.now();
      const first = await firstVideoFrame(await nginx.recording('cam'));
      expect(isKeyFrame(first)).toBe(true);
      return performance.now() - returnedAt;
    };
    await nginx.start();
    const foundMs = await timeToPicture();
    figure('first picture after a target that was not there came up', foundMs, 'ms');
    expect(await aggregator.waitForPush('cam', 'flaky', 'active')).toMatchObject({ connects: 1 });
    // Long enough for the connection to count as good: a target that fails again at once is tried less often.
    await sleep(6000);

    await nginx.kill();
    await sleep(1500);
    expect(['waiting', 'connecting']).toContain((await aggregator.push('cam', 'flaky')).state);
    await nginx.start();
    const backMs = await timeToPicture();
    figure('first picture after a killed target came back', backMs, 'ms');
    // After a few seconds the next try is 2.5 s away at most; what is beyond that is for a busy machine.
    expect(foundMs).toBeLessThan(6000);
    expect(backMs).toBeLessThan(6000);
    expect(camera.exit).toBeUndefined();
    expect((await camera.exited).code).toBe(0);

    const source = await packetsOf(clip);
    const keyFrames = await keyFrameHashes(clip);
    const [again] = nginx.recordings('cam');
    await settled(again!);
    expectUnbroken(source, await packetsOf(again!), { keyFrames });
    await decodeCleanly(again!);
    expect(expectUnbroken(source, await packetsOf(other.recordings('cam')[0]!), { keyFrames }).video?.from).toBe(0);
  });
});
