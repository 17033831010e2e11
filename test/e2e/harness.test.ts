import { describe, expect } from 'vitest';
import { decodeCleanly, makeClip, probe, publish } from '../support/ffmpeg.js';
import { firstVideoFrame, isKeyFrame, settled } from '../support/flv-file.js';
import { startNginxRtmp } from '../support/nginx-rtmp.js';
import { expectUnbroken, keyFrameHashes, packetsOf } from '../support/packets.js';
import { testWith } from '../support/peers.js';
import { RtmpClient } from '../support/rtmp-client.js';
import { startRtmpSink } from '../support/rtmp-sink.js';
import { testScope } from '../support/scope.js';
import { waitFor } from '../support/wait.js';

/** The measuring instruments, without the aggregator: ffmpeg straight into nginx-rtmp must come out without a change. */
describe('the harness', () => {
  const test = testWith('ffmpeg', 'nginx-rtmp');

  test.concurrent.for([
    ['H.264 and AAC', { seconds: 3 }],
    ['B-frames', { seconds: 3, video: 'bframes' }],
    ['audio only', { seconds: 3, video: 'none' }],
    ['video only', { seconds: 3, audio: false }],
  ] as const)('sees ffmpeg to nginx-rtmp as unbroken: %s', async ([, options], context) => {
    const scope = testScope(context);
    const nginx = await startNginxRtmp(scope);
    const clip = await makeClip(options);
    const camera = publish(scope, clip, nginx.url('cam'));
    expect((await camera.exited).code).toBe(0);

    const recording = await nginx.recording('cam');
    await settled(recording);
    const source = await packetsOf(clip);
    expectUnbroken(source, await packetsOf(recording), { fromStart: true });
    await decodeCleanly(recording);
    if (!('video' in options) || options.video !== 'none') {
      expect(isKeyFrame(await firstVideoFrame(recording))).toBe(true);
      expect((await keyFrameHashes(clip)).size).toBe(3);
      expect((await probe(recording)).streams.map(({ codec_name }) => codec_name)).toContain('h264');
    }
  });

  test.concurrent('has a target that can be killed and come back on its port', async (context) => {
    const scope = testScope(context);
    const nginx = await startNginxRtmp(scope);
    const clip = await makeClip({ seconds: 3 });
    const camera = publish(scope, clip, nginx.url('cam'));
    await nginx.recording('cam');
    expect(await nginx.kill()).toMatchObject({ signal: 'SIGKILL' });
    expect((await camera.exited).code).not.toBe(0);
    await nginx.start();
    expect(nginx.recordings('cam')).toEqual([]);
    const again = publish(scope, clip, nginx.url('cam'));
    await firstVideoFrame(await nginx.recording('cam'));
    await again.stop('SIGINT');
    expect(nginx.log()).toContain("publish: name='cam'");
  });

  test.concurrent('has a sink that understands ffmpeg, times beyond 0xFFFFFF included', async (context) => {
    const scope = testScope(context);
    const [sink, clip] = await Promise.all([startRtmpSink(scope), makeClip({ seconds: 3 })]);
    const camera = publish(scope, clip, sink.url('cam'), { outputOptions: ['-output_ts_offset', '20000'] });
    expect((await camera.exited).code).toBe(0);
    const { commands, messages } = sink.connections[0]!;
    await waitFor(() => sink.connections[0]?.ended === 'end', { what: 'the end of the connection at the sink' });
    expect(commands).toEqual([
      ...['connect', 'releaseStream', 'FCPublish', 'createStream', 'publish'],
      ...['FCUnpublish', 'deleteStream'],
    ]);
    const source = (await packetsOf(clip)).filter(({ kind }) => kind === 'video');
    const times = messages.filter(({ type }) => type === 9).map(({ timestampMs }) => timestampMs);
    expect(times.slice(1, -1)).toEqual(source.map(({ dtsMs }) => 20_000_000 + dtsMs));
  });

  test.concurrent('has a client that nginx-rtmp understands, as publisher and as viewer', async (context) => {
    const scope = testScope(context);
    const nginx = await startNginxRtmp(scope);
    const publisher = new RtmpClient(scope, nginx.port);
    await publisher.publish('live', 'cam');
    const viewer = new RtmpClient(scope, nginx.port);
    await viewer.play('live', 'cam');
    const payload = Buffer.concat([Buffer.from([0x2f, 0xff]), Buffer.alloc(1000, 7)]);
    for (let index = 0; index < 5; index++) publisher.media(8, index * 23, payload);
    await waitFor(() => viewer.messages.filter(({ type }) => type === 8).length >= 5, { what: 'audio at the viewer' });
    expect(viewer.messages.find(({ type }) => type === 8)?.payload).toEqual(payload);
  });
});
