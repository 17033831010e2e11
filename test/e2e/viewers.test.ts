import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect } from 'vitest';
import { startAggregator } from '../support/aggregator.js';
import { decodeCleanly, makeClip, playToFrameMd5, publish } from '../support/ffmpeg.js';
import { firstVideoFrame, isKeyFrame, readFlvTags, settled } from '../support/flv-file.js';
import { startNginxRtmp } from '../support/nginx-rtmp.js';
import { expectUnbroken, keyFrameHashes, packetsOf, parseFrameMd5 } from '../support/packets.js';
import { testWith } from '../support/peers.js';
import { startProcess } from '../support/process.js';
import { testScope } from '../support/scope.js';
import { figure, sleep, waitFor, within } from '../support/wait.js';

describe('viewers of a live camera', () => {
  const test = testWith('ffmpeg', 'nginx-rtmp', 'rtmpdump');

  test.concurrent('rtmpdump and ffmpeg start with a picture at once, and see what the push sends, to the end', async (context) => {
    const scope = testScope(context);
    const folder = scope.temporaryFolder();
    const [clip, nginx, aggregator] = await Promise.all([
      makeClip({ seconds: 14, keyFrameSeconds: 6 }),
      startNginxRtmp(scope),
      startAggregator(scope),
    ]);
    const endpoint = await aggregator.addCamera('cam');
    await aggregator.addPush('cam', nginx.url('cam'), 'engine');
    const camera = publish(scope, clip, endpoint);
    await firstVideoFrame(await nginx.recording('cam'));
    await sleep(7000);

    const dumped = join(folder, 'dumped.flv');
    const startedAt = performance.now();
    const dump = startProcess(scope, 'rtmpdump', ['--live', '-r', endpoint, '-o', dumped]);
    const first = await firstVideoFrame(dumped);
    figure('first picture of a late viewer (rtmpdump, its start included)', performance.now() - startedAt, 'ms');
    expect(isKeyFrame(first)).toBe(true);

    const playedText = join(folder, 'played.framemd5');
    const playedAt = performance.now();
    const player = playToFrameMd5(scope, endpoint, playedText);
    await waitFor(() => existsSync(playedText) && /^0, /m.test(readFileSync(playedText, 'utf8')), {
      what: 'the first packet of the player',
    });
    figure(
      'first picture of a late viewer (ffmpeg, its start and probing included)',
      performance.now() - playedAt,
      'ms',
    );
    expect(await aggregator.camera('cam')).toMatchObject({ live: true, viewers: 2 });
    expect((await camera.exited).code).toBe(0);
    await within(player.exited, 30_000, 'ffmpeg to see the end of the stream');
    await within(dump.exited, 30_000, 'rtmpdump to see the end of the stream');

    const source = await packetsOf(clip);
    const keyFrames = await keyFrameHashes(clip);
    // Both came 7 s in: the group of pictures that began at 6 s. The next one begins at 12 s.
    const dumpedRuns = expectUnbroken(source, await packetsOf(dumped), { keyFrames });
    expect(dumpedRuns.video?.from).toBe(150);
    const playedRuns = expectUnbroken(source, parseFrameMd5(readFileSync(playedText, 'utf8')), { keyFrames });
    expect(playedRuns.video?.from).toBe(150);
    await decodeCleanly(dumped);
    const metadata = readFlvTags(dumped).find(({ type }) => type === 18);
    expect(metadata?.payload.toString('latin1')).toContain('onMetaData');
    const recording = nginx.recordings('cam')[0]!;
    await settled(recording);
    expect(expectUnbroken(source, await packetsOf(recording), { keyFrames }).video?.from).toBe(0);
    expect((await aggregator.camera('cam')).viewers).toBe(0);
  });

  test.concurrent('one that waits for the camera sees it from its first picture; an unknown camera is refused', async (context) => {
    const scope = testScope(context);
    const folder = scope.temporaryFolder();
    const [clip, aggregator] = await Promise.all([makeClip({ seconds: 3 }), startAggregator(scope)]);
    const endpoint = await aggregator.addCamera('cam');
    const early = join(folder, 'early.flv');
    const dump = startProcess(scope, 'rtmpdump', ['--live', '-r', endpoint, '-o', early]);
    await waitFor(async () => (await aggregator.camera('cam')).viewers === 1, { what: 'the viewer' });
    publish(scope, clip, endpoint);
    await within(dump.exited, 30_000, 'rtmpdump to see the end of the stream');
    expect(expectUnbroken(await packetsOf(clip), await packetsOf(early)).video?.from).toBe(0);

    const refused = startProcess(scope, 'rtmpdump', [
      '--live',
      '-r',
      aggregator.url('nobody'),
      '-o',
      join(folder, 'n'),
    ]);
    expect((await within(refused.exited, 30_000, 'rtmpdump to be refused')).code).not.toBe(0);
  });
});
