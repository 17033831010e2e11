import { describe, expect, it } from 'vitest';
import { FlushScheduler } from '../../src/relay/flush-scheduler.js';
import { MessageType } from '../../src/wire/message.js';
import { until } from '../push/targets.js';
import { FedStream } from '../support/fed-stream.js';
import {
  audioFrame,
  frame,
  makeOutlet,
  makeStream,
  SpoilingPool,
  targetFormat,
  videoHeader,
  viewerFormat,
} from './fixtures.js';

const { Audio, Video } = MessageType;

/** A pool that counts the bytes that it gave out. */
class CountingPool extends SpoilingPool {
  taken = 0;

  override take(bytes: number): Buffer {
    this.taken += bytes;
    return super.take(bytes);
  }
}

/** A live stream with a GOP of so many frames. */
function withGop(pool: CountingPool, frames: number, frameBytes: number): FedStream {
  const stream = makeStream(64e6, targetFormat, pool);
  stream.publish(Video, 0, videoHeader(), 0);
  for (let i = 0; i < frames; i++) stream.publish(Video, i * 40, frame(i, i === 0, frameBytes), i * 40);
  return stream;
}

describe('formats of a stream', () => {
  it.each([targetFormat, viewerFormat])('do not multiply with message stream ids', async (format) => {
    const pool = new CountingPool();
    const stream = withGop(pool, 100, 3000);
    stream.attach(makeOutlet(format).outlet, 4000);
    const before = { taken: pool.taken, kept: stream.keptBytes };
    const outlets = Array.from({ length: 200 }, (_, i) => makeOutlet({ ...format, streamId: 2 + i * 77_777_777 }));
    for (const { outlet } of outlets) stream.attach(outlet, 4000);
    for (let i = 100; i < 110; i++) stream.publish(Video, i * 40, frame(i, false, 9000), i * 40);
    stream.publish(Audio, 4400, audioFrame(1), 4400);
    stream.flush(4400);
    const frames = Array.from({ length: 110 }, (_, i) => frame(i, i === 0, i < 100 ? 3000 : 9000));
    await until(() => outlets.every(({ sink }) => sink.messages.length === 112), 20_000, 'the copy to catch up');
    // Compared as a whole: matchers look at each byte.
    const expected = Buffer.concat([videoHeader(), ...frames, audioFrame(1)]);
    for (const [i, { sink }] of outlets.entries()) {
      expect(Buffer.concat(sink.messages.map(({ payload }) => payload)).equals(expected)).toBe(true);
      expect(new Set(sink.messages.map(({ streamId }) => streamId))).toEqual(new Set([(2 + i * 77_777_777) >>> 0]));
    }
    expect(pool.taken - before.taken).toBeLessThan(500_000);
    expect(stream.keptBytes - before.kept).toBeLessThan(250_000);
  });

  it('keep timestamps beyond 16,777,215 and frames of many chunks as they are', () => {
    const stream = makeStream(64e6);
    stream.publish(Video, 0x1000000, videoHeader(), 0);
    stream.publish(Video, 0x1000000, frame(1, true, 100_000), 0);
    const { outlet, sink } = makeOutlet({ ...targetFormat, streamId: 9 });
    stream.attach(outlet, 0);
    stream.publish(Video, 0x1000028, frame(2, false, 50), 40);
    stream.flush(40);
    expect(sink.messages.map(({ timestampMs, streamId, payload }) => [timestampMs, streamId, payload])).toEqual([
      [0x1000000, 9, videoHeader()],
      [0x1000000, 9, expect.any(Buffer)],
      [0x1000028, 9, frame(2, false, 50)],
    ]);
    expect(sink.messages[1]?.payload.equals(frame(1, true, 100_000))).toBe(true);
  });

  it.each([-1, 1.5, 2 ** 40 + 3, Number.NaN])('bear a target that names %s as its message stream', (streamId) => {
    const stream = withGop(new CountingPool(), 3, 9000);
    const { outlet, sink } = makeOutlet({ ...targetFormat, streamId });
    stream.attach(outlet, 0);
    expect(sink.messages.map((message) => message.streamId)).toEqual(Array.from({ length: 4 }, () => streamId >>> 0));
  });

  it('have large frames wait in a full socket as views of the one log', () => {
    const pool = new CountingPool();
    const stream = makeStream(64e6, targetFormat, pool);
    stream.publish(Video, 0, frame(1, true, 4_000_000), 0);
    let copied = 0;
    const log = new Set<ArrayBufferLike>();
    for (let i = 0; i < 16; i++) {
      const { outlet, sink } = makeOutlet({ ...targetFormat, streamId: 2 + i });
      sink.full = true;
      const write = sink.write.bind(sink);
      sink.write = (data) => {
        if (data.length > 1_000_000) log.add(data.buffer);
        else copied += data.length;
        return write(data);
      };
      stream.attach(outlet, 0);
    }
    expect(log.size).toBe(1);
    expect(copied).toBeLessThan(16 * 1000);
  });

  it('are not made anew for who plays and stops, again and again', () => {
    const pool = new CountingPool();
    const stream = withGop(pool, 200, 10_000);
    stream.attach(makeOutlet(viewerFormat).outlet, 8000);
    const before = pool.taken;
    for (let i = 0; i < 1000; i++) {
      const { outlet } = makeOutlet({ ...viewerFormat, streamId: i });
      stream.attach(outlet, 8000);
      stream.detach(outlet);
    }
    expect(pool.taken).toBe(before);
  });

  it('are not made from a GOP for which there is no room: the outlet begins at the next key frame', () => {
    const asked: number[] = [];
    const stream = new FedStream(
      {
        ...{ format: targetFormat, gopMaxBytes: 64e6, scheduler: new FlushScheduler() },
        mayKeep: (bytes) => {
          asked.push(bytes);
          return false;
        },
      },
      0,
    );
    for (let i = 0; i < 10; i++) stream.publish(Video, i * 40, frame(i, i === 0, 1000), i * 40);
    const kept = stream.keptBytes;
    const { outlet, sink } = makeOutlet(viewerFormat);
    stream.attach(outlet, 400);
    expect(asked).toEqual([kept]);
    expect(stream.keptBytes).toBe(kept);
    stream.publish(Video, 400, frame(10, false), 400);
    stream.publish(Video, 440, frame(11, true), 440);
    stream.flush(440);
    expect(sink.messages.map(({ payload }) => payload)).toEqual([frame(11, true)]);
  });
});

describe('a GOP that is copied in slices', () => {
  it('holds up nothing, and loses nothing of what comes meanwhile', async () => {
    const stream = withGop(new CountingPool(), 3000, 2000);
    const { outlet, sink } = makeOutlet(viewerFormat, { queueMaxBytes: 64e6, queueMaxAgeMs: 1e9 });
    const steady = makeOutlet(targetFormat);
    stream.attach(outlet, 120_000);
    stream.attach(steady.outlet, 120_000);
    expect(sink.messages.length).toBeLessThan(400);
    // A new key frame among what comes meanwhile, and a newcomer at once behind it.
    for (let i = 3000; i < 3100; i++) {
      stream.publish(Video, i * 40, frame(i, i === 3050, 2000), i * 40);
      stream.flush(i * 40);
    }
    const late = makeOutlet(viewerFormat, { queueMaxBytes: 64e6, queueMaxAgeMs: 1e9 });
    stream.attach(late.outlet, 124_000);
    await until(() => sink.messages.length === 3101, 20_000, 'all of it');
    expect(sink.messages.slice(1).map(({ payload }) => payload.readUInt32BE(5))).toEqual(
      Array.from({ length: 3100 }, (_, i) => i),
    );
    await until(() => steady.sink.messages.length === 3101, 20_000, 'all of it at who needs no copy');
    const newest = () => late.sink.messages.at(-1)?.payload.equals(frame(3099, false, 2000)) === true;
    await until(newest, 20_000, 'the newest frame at the newcomer');
    const later = makeOutlet(viewerFormat);
    stream.attach(later.outlet, 124_000);
    expect(later.sink.messages[1]?.payload).toEqual(frame(3050, true, 2000));
    stream.publish(Video, 124_000, frame(3100, false), 124_000);
    stream.flush(124_000);
    expect(sink.messages.at(-1)?.payload).toEqual(frame(3100, false));
  });

  it('is whole before another publisher begins', () => {
    const stream = withGop(new CountingPool(), 2000, 100);
    const { outlet, sink } = makeOutlet(viewerFormat);
    stream.attach(outlet, 80_000);
    stream.restart();
    expect(sink.messages.length).toBe(2001);
    stream.publish(Video, 0, videoHeader(2), 80_100);
    stream.publish(Video, 0, frame(1, true), 80_100);
    stream.flush(80_100);
    expect(sink.messages.slice(2001).map(({ payload }) => payload)).toEqual([videoHeader(2), frame(1, true)]);
  });

  it('ends with its last outlet, when memory is short', () => {
    const stream = withGop(new CountingPool(), 3000, 2000);
    const { outlet } = makeOutlet(viewerFormat);
    stream.attach(outlet, 120_000);
    stream.detach(outlet);
    stream.shed();
    expect(stream.keptBytes).toBe(0);
  });
});
