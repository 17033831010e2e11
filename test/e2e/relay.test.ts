import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect } from 'vitest';
import { startAggregator } from '../support/aggregator.js';
import { decodeCleanly, makeClip, playToFrameMd5, probe, publish } from '../support/ffmpeg.js';
import { settled } from '../support/flv-file.js';
import { startNginxRtmp } from '../support/nginx-rtmp.js';
import { expectUnbroken, keyFrameHashes, packetsOf, parseFrameMd5 } from '../support/packets.js';
import { testWith } from '../support/peers.js';
import { startProcess } from '../support/process.js';
import { testScope } from '../support/scope.js';
import { waitFor, within } from '../support/wait.js';

/** ffmpeg → aggregator → nginx-rtmp, and → second aggregator → ffmpeg and ffprobe as viewers. */
describe('a camera is redirected to an engine and to another aggregator', () => {
  const test = testWith('ffmpeg', 'nginx-rtmp');

  test.concurrent.for([
    { title: 'H.264 and AAC', clip: { seconds: 7 }, codecs: ['h264', 'aac'] },
    { title: 'B-frames', clip: { seconds: 7, video: 'bframes' }, codecs: ['h264', 'aac'] },
    { title: 'audio only', clip: { seconds: 7, video: 'none' }, codecs: ['aac'] },
    { title: 'video only', clip: { seconds: 7, audio: false }, codecs: ['h264'] },
  ] as const)('without the loss or change of one packet: $title', async ({ clip: options, codecs }, context) => {
    const scope = testScope(context);
    const [clip, nginx, near, far] = await Promise.all([
      makeClip(options),
      startNginxRtmp(scope),
      startAggregator(scope),
      startAggregator(scope),
    ]);
    const endpoint = await near.addCamera('cam');
    await far.addCamera('cam');
    await near.addPush('cam', nginx.url('cam'), 'engine');
    await near.addPush('cam', far.url('cam'), 'far');

    const played = join(scope.temporaryFolder(), 'played.framemd5');
    const player = playToFrameMd5(scope, far.url('cam'), played);
    const decoderArguments = ['-nostdin', '-v', 'error', '-xerror', '-i', far.url('cam'), '-f', 'null', '-'];
    const decoder = startProcess(scope, 'ffmpeg', decoderArguments, { name: 'ffmpeg (decoding viewer)' });
    const camera = publish(scope, clip, endpoint);
    await far.waitForLive('cam');
    const [seen] = await Promise.all([
      probe(far.url('cam')),
      waitFor(
        async () => {
          const { live, videoCodec, audioCodec } = await near.camera('cam');
          const known = [videoCodec, audioCodec].filter((codec) => codec !== null);
          return live === true && known.sort().join() === [...codecs].sort().join();
        },
        { what: 'the codecs of the camera' },
      ),
    ]);
    expect(seen.streams.map(({ codec_name }) => codec_name).sort()).toEqual([...codecs].sort());
    expect((await camera.exited).code).toBe(0);

    // The viewers are told that it is over.
    expect((await within(player.exited, 30_000, 'the player to end')).code).toBe(0);
    expect(await within(decoder.exited, 30_000, 'the decoder to end')).toMatchObject({ code: 0 });
    expect(decoder.stderr).toBe('');
    const recording = await nginx.recording('cam');
    await settled(recording);

    const source = await packetsOf(clip);
    const keyFrames = options.video === 'none' ? undefined : await keyFrameHashes(clip);
    for (const arrived of [await packetsOf(recording), parseFrameMd5(readFileSync(played, 'utf8'))]) {
      const runs = expectUnbroken(source, arrived, keyFrames === undefined ? {} : { keyFrames });
      // The pushes were there first: nothing of the video may be missing at the beginning either.
      expect(runs.video?.from ?? 0).toBe(0);
      // Nor of the audio, but for what came while the push connected.
      expect(runs.audio?.from ?? 0).toBeLessThan(50);
    }
    expect((await probe(recording)).streams.map(({ codec_name }) => codec_name).sort()).toEqual([...codecs].sort());
    await decodeCleanly(recording);
    expect(nginx.recordings('cam')).toHaveLength(1);
  });
});
