import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect } from 'vitest';
import { startAggregator } from '../support/aggregator.js';
import { decodeCleanly, makeClip, playToFrameMd5, publish } from '../support/ffmpeg.js';
import { settled } from '../support/flv-file.js';
import { startNginxRtmp } from '../support/nginx-rtmp.js';
import { expectUnbroken, packetsOf, parseFrameMd5 } from '../support/packets.js';
import { testWith } from '../support/peers.js';
import { decodeAmf } from '../support/rtmp-bytes.js';
import { startRtmpSink } from '../support/rtmp-sink.js';
import { testScope } from '../support/scope.js';
import { waitFor, within } from '../support/wait.js';

describe('timestamps and metadata', () => {
  const test = testWith('ffmpeg', 'nginx-rtmp');

  // 0xFFFFFF ms are 16,777.215 s: from there on RTMP writes times into a field of their own.
  test.concurrent.for([
    ['beyond 0xFFFFFF', 20_000],
    ['that cross 0xFFFFFF on the way', 16_775],
    ['just below 2^31, all that ffmpeg can send', 2_147_470],
  ] as const)('pass through: times %s', async ([, offsetSeconds], context) => {
    const scope = testScope(context);
    const [clip, nginx, sink, aggregator] = await Promise.all([
      makeClip({ seconds: 5 }),
      startNginxRtmp(scope),
      startRtmpSink(scope),
      startAggregator(scope),
    ]);
    const endpoint = await aggregator.addCamera('cam');
    await aggregator.addPush('cam', nginx.url('cam'), 'engine');
    await aggregator.addPush('cam', sink.url('cam'), 'sink');
    const played = join(scope.temporaryFolder(), 'played.framemd5');
    const player = playToFrameMd5(scope, endpoint, played);
    await waitFor(async () => (await aggregator.camera('cam')).viewers === 1, { what: 'the viewer' });
    const camera = publish(scope, clip, endpoint, {
      outputOptions: ['-output_ts_offset', String(offsetSeconds), '-metadata', 'title=hall 4'],
    });
    expect((await camera.exited).code).toBe(0);
    await within(player.exited, 30_000, 'the player to end');
    const recording = await nginx.recording('cam');
    await settled(recording);

    const source = await packetsOf(clip);
    const shown = parseFrameMd5(readFileSync(played, 'utf8'));
    expect(expectUnbroken(source, shown).video?.from).toBe(0);
    expect(expectUnbroken(source, await packetsOf(recording)).video?.from).toBe(0);
    await decodeCleanly(recording);

    // The times themselves, not only their distances.
    const messages = sink.connections[0]!.messages;
    const times = messages.filter(({ type }) => type === 9).map(({ timestampMs }) => timestampMs);
    const expected = source.filter(({ kind }) => kind === 'video').map(({ dtsMs }) => offsetSeconds * 1000 + dtsMs);
    // The sequence header comes first, and the end of the sequence last.
    expect(times.slice(1, -1)).toEqual(expected);

    const metadata = messages.filter(({ type }) => type === 18).map(({ payload }) => decodeAmf(payload));
    expect(metadata).toHaveLength(1);
    expect(metadata[0]?.slice(0, 2)).toEqual(['@setDataFrame', 'onMetaData']);
    expect(metadata[0]?.[2]).toMatchObject({ width: 320, height: 240, title: 'hall 4', encoder: expect.any(String) });
  });
});
