import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect } from 'vitest';
import { startAggregator } from '../support/aggregator.js';
import { decodeCleanly, makeClip, playToFrameMd5, probe, publish } from '../support/ffmpeg.js';
import { firstVideoFrame, isKeyFrame } from '../support/flv-file.js';
import { expectUnbroken, keyFrameHashes, packetsOf, parseFrameMd5 } from '../support/packets.js';
import { testWith } from '../support/peers.js';
import { runOk, startProcess } from '../support/process.js';
import { testScope } from '../support/scope.js';
import { figure, waitFor, within } from '../support/wait.js';

describe('viewers over HTTP', () => {
  const test = testWith('ffmpeg', 'curl');

  test.concurrent.for([
    { way: 'in one process', flags: [] as string[] },
    { way: 'with a media worker', flags: ['--workers', '1'] },
  ])(
    'ffmpeg, ffprobe and curl get a real camera $way, unaltered, from a key frame to its end',
    async ({ flags }, context) => {
      const scope = testScope(context);
      const folder = scope.temporaryFolder();
      const [clip, aggregator] = await Promise.all([
        makeClip({ seconds: 12, keyFrameSeconds: 2 }),
        startAggregator(scope, { flags }),
      ]);
      const endpoint = await aggregator.addCamera('cam');
      const url = `${aggregator.apiUrl}/live/cam.flv`;
      const camera = publish(scope, clip, endpoint);
      await aggregator.waitForLive('cam');
      await waitFor(async () => (await fetch(`${aggregator.apiUrl}/v1/cameras/cam/picture`)).status === 200, {
        what: 'the first key frame',
      });

      const recorded = join(folder, 'curl.flv');
      const startedAt = performance.now();
      const curl = startProcess(scope, 'curl', ['-sS', '--fail', '-o', recorded, url]);
      expect(isKeyFrame(await firstVideoFrame(recorded))).toBe(true);
      figure('first picture of a viewer over HTTP (curl, its start included)', performance.now() - startedAt, 'ms');
      const playedText = join(folder, 'played.framemd5');
      const player = playToFrameMd5(scope, url, playedText);
      const seen = await probe(url);
      expect(seen.streams.map(({ codec_name }) => codec_name).sort()).toEqual(['aac', 'h264']);
      expect(seen.streams.find(({ codec_type }) => codec_type === 'video')).toMatchObject({ width: 320, height: 240 });
      await waitFor(() => existsSync(playedText) && /^0, /m.test(readFileSync(playedText, 'utf8')), {
        what: 'the first packet of the player',
      });
      await waitFor(async () => (await aggregator.camera('cam')).viewers === 2, { what: 'ffprobe to be gone' });

      // One picture, decoded by somebody else's decoder.
      const still = join(folder, 'still.mp4');
      await runOk('curl', ['-sS', '--fail', '-o', still, `${aggregator.apiUrl}/v1/cameras/cam/picture`]);
      await decodeCleanly(still);
      expect((await probe(still)).streams).toMatchObject([{ codec_name: 'h264', width: 320, height: 240 }]);

      expect((await camera.exited).code).toBe(0);
      expect((await within(curl.exited, 30_000, 'curl to see the end of the stream')).code).toBe(0);
      await within(player.exited, 30_000, 'ffmpeg to see the end of the stream');
      const source = await packetsOf(clip);
      const keyFrames = await keyFrameHashes(clip);
      const last = source.filter(({ kind }) => kind === 'video').length;
      for (const packets of [await packetsOf(recorded), parseFrameMd5(readFileSync(playedText, 'utf8'))]) {
        const { video, audio } = expectUnbroken(source, packets, { keyFrames });
        expect((video?.from ?? -1) % 50).toBe(0);
        expect(video?.to).toBe(last);
        expect((audio?.to ?? 0) - (audio?.from ?? 0)).toBeGreaterThan(50);
      }
      await decodeCleanly(recorded);
      expect(statSync(recorded).size).toBeGreaterThan(50_000);
      await waitFor(async () => (await aggregator.camera('cam')).viewers === 0, { what: 'all to be gone' });
    },
  );
});
