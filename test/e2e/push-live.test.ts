import { describe, expect } from 'vitest';
import { startAggregator } from '../support/aggregator.js';
import { decodeCleanly, makeClip, publish } from '../support/ffmpeg.js';
import { firstVideoFrame, isKeyFrame, settled } from '../support/flv-file.js';
import { startNginxRtmp } from '../support/nginx-rtmp.js';
import { expectUnbroken, keyFrameHashes, packetsOf } from '../support/packets.js';
import { testWith } from '../support/peers.js';
import { testScope } from '../support/scope.js';
import { figure, sleep } from '../support/wait.js';

describe('pushes of a live camera', () => {
  const test = testWith('ffmpeg', 'nginx-rtmp');

  test.concurrent('one that is added starts with a picture at once; fifty that come and go disturb nobody', async (context) => {
    const scope = testScope(context);
    // Key frames 6 s apart: who waits for the next one is not mistaken for one who starts with the last.
    const [clip, steadyTarget, lateTarget, aggregator] = await Promise.all([
      makeClip({ seconds: 17, keyFrameSeconds: 6 }),
      startNginxRtmp(scope),
      startNginxRtmp(scope),
      startAggregator(scope),
    ]);
    const endpoint = await aggregator.addCamera('cam');
    await aggregator.addPush('cam', steadyTarget.url('cam'), 'steady');
    const camera = publish(scope, clip, endpoint);
    await firstVideoFrame(await steadyTarget.recording('cam'));
    await sleep(7000);

    const addedAt = performance.now();
    await aggregator.addPush('cam', lateTarget.url('cam'), 'late');
    const first = await firstVideoFrame(await lateTarget.recording('cam'));
    const delayMs = performance.now() - addedAt;
    figure('first picture at the target after a push was added', delayMs, 'ms');
    expect(isKeyFrame(first)).toBe(true);

    let slowestMs = 0;
    for (let index = 0; index < 50; index++) {
      const startedAt = performance.now();
      await aggregator.addPush('cam', lateTarget.url(`brief${index}`), `brief${index}`);
      // Half of them get to send something, the others are removed while they connect.
      if (index % 2 === 0) await sleep(100);
      await aggregator.removePush('cam', `brief${index}`);
      slowestMs = Math.max(slowestMs, performance.now() - startedAt);
    }
    figure('slowest of 50 pushes added and removed', slowestMs, 'ms');
    expect((await aggregator.camera('cam')).pushes.map(({ id }) => id).sort()).toEqual(['late', 'steady']);
    const briefly = Array.from({ length: 50 }, (_, index) => lateTarget.recordings(`brief${index}`).length);
    figure('of 50 pushes, those that lived to send', briefly.filter((count) => count > 0).length, '');
    expect(Math.max(...briefly)).toBe(1);
    expect(camera.exit).toBeUndefined();
    expect((await camera.exited).code).toBe(0);

    const source = await packetsOf(clip);
    const keyFrames = await keyFrameHashes(clip);
    for (const target of [steadyTarget, lateTarget]) {
      const recordings = target.recordings('cam');
      expect(recordings).toHaveLength(1);
      await settled(recordings[0]!);
      const runs = expectUnbroken(source, await packetsOf(recordings[0]!), { keyFrames });
      // 7 s in: the group of pictures that began at 6 s. The next one begins at 12 s.
      expect(runs.video?.from).toBe(target === steadyTarget ? 0 : 150);
      await decodeCleanly(recordings[0]!);
    }
  });

  test.concurrent('one that is disabled and enabled again starts with a picture each time', async (context) => {
    const scope = testScope(context);
    const [clip, nginx, aggregator] = await Promise.all([
      makeClip({ seconds: 7 }),
      startNginxRtmp(scope),
      startAggregator(scope),
    ]);
    const endpoint = await aggregator.addCamera('cam');
    await aggregator.addPush('cam', nginx.url('one'), 'switched');
    await aggregator.addPush('cam', nginx.url('two'), 'steady');
    publish(scope, clip, endpoint);
    await firstVideoFrame(await nginx.recording('one'));
    await aggregator.apiOk('PATCH', '/v1/cameras/cam/pushes/switched', { enabled: false });
    await settled(await nginx.recording('one'));
    expect(await aggregator.push('cam', 'switched')).toMatchObject({ state: 'disabled' });
    // nginx names recordings by the second.
    await sleep(1000);
    await aggregator.apiOk('PATCH', '/v1/cameras/cam/pushes/switched', { enabled: true });
    expect(isKeyFrame(await firstVideoFrame(await nginx.recording('one', 1)))).toBe(true);
    await aggregator.waitForLive('cam', false);

    const source = await packetsOf(clip);
    const [before, after] = nginx.recordings('one');
    await settled(after!);
    expectUnbroken(source, await packetsOf(before!), { toEnd: false });
    expectUnbroken(source, await packetsOf(after!));
    expectUnbroken(source, await packetsOf(nginx.recordings('two')[0]!));
  });
});
