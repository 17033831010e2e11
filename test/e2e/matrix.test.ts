import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect } from 'vitest';
import { programPath, startAggregator } from '../support/aggregator.js';
import { decodeCleanly, makeClip, playToFrameMd5, publish } from '../support/ffmpeg.js';
import { settled } from '../support/flv-file.js';
import { startNginxRtmp } from '../support/nginx-rtmp.js';
import { expectUnbroken, keyFrameHashes, packetsOf, parseFrameMd5 } from '../support/packets.js';
import { testWith } from '../support/peers.js';
import { freePort } from '../support/ports.js';
import { type RunningProcess, startProcess } from '../support/process.js';
import { type Scope, testScope } from '../support/scope.js';
import { waitFor, within } from '../support/wait.js';

type Publisher = (scope: Scope, clip: string, url: string) => RunningProcess;

/** Takes the clip's streams apart and puts them together again, without coding anything anew; paced by the clock. */
const gstreamer: Publisher = (scope, clip, url) => {
  const pipeline = [
    ...['filesrc', `location=${clip}`, '!', 'flvdemux', 'name=in'],
    ...['flvmux', 'name=out', 'streamable=true', '!', 'identity', 'sync=true', '!', 'rtmp2sink', `location=${url}`],
    ...['in.video', '!', 'queue', '!', 'h264parse', '!', 'out.video'],
    ...['in.audio', '!', 'queue', '!', 'aacparse', '!', 'out.audio'],
  ];
  return startProcess(scope, 'gst-launch-1.0', ['-q', ...pipeline], { name: 'GStreamer (camera)' });
};

const publishCommand: Publisher = (scope, clip, url) =>
  startProcess(scope, process.execPath, [programPath, 'publish', clip, url], { name: 'media-aggregator publish' });

describe('every publisher reaches every kind of target', () => {
  const cases = [
    { name: 'ffmpeg', publisher: publish as Publisher, test: testWith('ffmpeg', 'nginx-rtmp') },
    { name: 'GStreamer', publisher: gstreamer, test: testWith('ffmpeg', 'nginx-rtmp', 'gstreamer') },
    { name: 'the publish command', publisher: publishCommand, test: testWith('ffmpeg', 'nginx-rtmp') },
  ];

  for (const { name, publisher, test } of cases) {
    test.concurrent(`${name} to nginx-rtmp, to a second aggregator, to ffmpeg as a server`, async (context) => {
      const scope = testScope(context);
      const folder = scope.temporaryFolder();
      const [clip, nginx, near, far, ffmpegPort] = await Promise.all([
        makeClip({ seconds: 5 }),
        startNginxRtmp(scope),
        startAggregator(scope),
        startAggregator(scope),
        freePort(),
      ]);
      const endpoint = await near.addCamera('cam');
      await far.addCamera('cam');
      const served = join(folder, 'served.framemd5');
      const servedUrl = `rtmp://127.0.0.1:${ffmpegPort}/live/cam`;
      const server = playToFrameMd5(scope, servedUrl, served, ['-listen', '1']);
      await near.addPush('cam', nginx.url('cam'), 'nginx');
      await near.addPush('cam', far.url('cam'), 'aggregator');
      await near.addPush('cam', servedUrl, 'ffmpeg');
      const played = join(folder, 'played.framemd5');
      const player = playToFrameMd5(scope, far.url('cam'), played);
      await waitFor(async () => (await far.camera('cam')).viewers === 1, { what: 'the viewer' });

      const camera = publisher(scope, clip, endpoint);
      await far.waitForLive('cam');
      expect(await within(camera.exited, 20_000, 'the camera to end')).toMatchObject({ code: 0 });
      await within(player.exited, 30_000, 'the player to end');
      await within(server.exited, 30_000, 'ffmpeg as a server to end');
      const recording = await nginx.recording('cam');
      await settled(recording);

      const source = await packetsOf(clip);
      const keyFrames = await keyFrameHashes(clip);
      for (const file of [served, played]) expect(existsSync(file)).toBe(true);
      for (const packets of [
        await packetsOf(recording),
        parseFrameMd5(readFileSync(served, 'utf8')),
        parseFrameMd5(readFileSync(played, 'utf8')),
      ]) {
        expect(expectUnbroken(source, packets, { keyFrames }).video?.from).toBe(0);
      }
      await decodeCleanly(recording);
    });
  }
});
