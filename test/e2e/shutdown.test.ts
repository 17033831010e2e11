import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect } from 'vitest';
import { startAggregator } from '../support/aggregator.js';
import { decodeCleanly, makeClip, publish } from '../support/ffmpeg.js';
import { firstVideoFrame } from '../support/flv-file.js';
import { startNginxRtmp } from '../support/nginx-rtmp.js';
import { expectUnbroken, packetsOf } from '../support/packets.js';
import { testWith } from '../support/peers.js';
import { RtmpClient } from '../support/rtmp-client.js';
import { startRtmpSink } from '../support/rtmp-sink.js';
import { testScope } from '../support/scope.js';
import { figure, sleep, waitFor, within } from '../support/wait.js';

/** A message that looks like an H.264 key frame to who does not decode it. */
function keyFrame(bytes: number): Buffer {
  return Buffer.concat([Buffer.from([0x17, 1, 0, 0, 0]), Buffer.alloc(bytes, 0x33)]);
}

describe('SIGTERM', () => {
  const test = testWith('ffmpeg', 'nginx-rtmp');

  test.concurrent('tells publishers, viewers and targets that it is over, and exits with 0', async (context) => {
    const scope = testScope(context);
    const [clip, nginx, sink, aggregator] = await Promise.all([
      makeClip({ seconds: 15 }),
      startNginxRtmp(scope),
      startRtmpSink(scope),
      startAggregator(scope),
    ]);
    const endpoint = await aggregator.addCamera('cam');
    await aggregator.addPush('cam', nginx.url('cam'), 'engine');
    await aggregator.addPush('cam', sink.url('cam'), 'sink');
    await aggregator.addCamera('raw');
    const camera = publish(scope, clip, endpoint);
    const raw = new RtmpClient(scope, aggregator.rtmpPort);
    await raw.publish('raw', 'raw');
    const viewer = new RtmpClient(scope, aggregator.rtmpPort);
    await viewer.play('cam', 'cam');
    await firstVideoFrame(await nginx.recording('cam'));
    await waitFor(() => sink.connections[0]?.messages.some(({ type }) => type === 9), { what: 'video at the sink' });
    await sleep(1000);

    const startedAt = performance.now();
    aggregator.process.signal('SIGTERM');
    const exit = await within(aggregator.process.exited, 5000, 'the aggregator to exit');
    figure('SIGTERM to exit', performance.now() - startedAt, 'ms');
    expect(exit).toEqual({ code: 0, signal: null });
    expect(existsSync(join(aggregator.dataDir, 'runtime.json'))).toBe(false);

    // The publishers.
    expect(raw.statusCodes()).toEqual(['NetStream.Publish.Start', 'NetStream.Unpublish.Success']);
    await within(camera.exited, 5000, 'ffmpeg to notice');
    // The viewer: the end of the stream by status, and by user control (StreamEOF).
    expect(viewer.statusCodes().at(-1)).toMatch(/^NetStream\.Play\.(UnpublishNotify|Stop)$/);
    expect(viewer.messages.some(({ type, payload }) => type === 4 && payload.readUInt16BE(0) === 1)).toBe(true);
    // The targets: unpublished before the connection ends, which it does in order.
    await waitFor(() => sink.connections[0]?.ended, { what: 'the end at the sink' });
    expect(sink.connections).toHaveLength(1);
    expect(sink.connections[0]?.ended).toBe('end');
    expect(sink.connections[0]?.commands.slice(-2)).toEqual(['FCUnpublish', 'deleteStream']);
    const log = await waitFor(() => / disconnect,/.test(nginx.log()) && nginx.log(), { what: 'the end at nginx' });
    const lines = log.split('\n').filter((line) => /publish: name|deleteStream|disconnect/.test(line));
    const ofPush = lines.slice(lines.findIndex((line) => line.includes("publish: name='cam'")));
    expect(ofPush[1]).toContain('deleteStream');

    // What was sent until then is whole.
    const recording = nginx.recordings('cam')[0]!;
    expectUnbroken(await packetsOf(clip), await packetsOf(recording), { toEnd: false });
    await decodeCleanly(recording);
  });

  test.concurrent('does not wait for a target that takes nothing', async (context) => {
    const scope = testScope(context);
    const [sink, aggregator] = await Promise.all([startRtmpSink(scope, { stalls: true }), startAggregator(scope)]);
    await aggregator.addCamera('cam');
    await aggregator.addPush('cam', sink.url('cam'), 'stalled');
    const camera = new RtmpClient(scope, aggregator.rtmpPort);
    await camera.publish('cam', 'cam');
    // Enough to fill the kernel's buffers of both ends, and the queue as well.
    const frame = keyFrame(100_000);
    let frames = 0;
    await waitFor(
      async () => {
        for (let index = 0; index < 10; index++) camera.media(9, frames++ * 40, frame);
        return (await aggregator.push('cam', 'stalled')).droppedFrames > 0;
      },
      { what: 'the target to be stalled', timeoutMs: 20_000 },
    );

    const startedAt = performance.now();
    aggregator.process.signal('SIGTERM');
    const exit = await within(aggregator.process.exited, 5000, 'the aggregator to exit');
    figure('SIGTERM to exit with a stalled target', performance.now() - startedAt, 'ms');
    expect(exit).toEqual({ code: 0, signal: null });
    expect(camera.statusCodes().at(-1)).toBe('NetStream.Unpublish.Success');
  });
});
