import { expect, it } from 'vitest';
import { FlvViewer } from '../../../src/backend/native/flv-viewer.js';
import { FlvTagReader } from '../../../src/wire/flv-reader.js';
import { MessageType } from '../../../src/wire/message.js';
import { until } from '../../push/targets.js';
import { audioFrame, frame, makeStream, metadata, videoHeader } from '../../relay/fixtures.js';

const { Audio, Video, DataAmf0 } = MessageType;

/** What a viewer gets of a stream that has come to `startMs`. */
async function watch(startMs: number, bytes: number) {
  const stream = makeStream(64e6);
  const at = (ms: number): number => (startMs + ms) >>> 0;
  stream.publish(DataAmf0, 0, metadata(640), 0);
  stream.publish(Video, at(0), videoHeader(), 0);
  for (let i = 0; i < 5; i++) stream.publish(Video, at(i * 40), frame(i, i === 0, bytes), i * 40);
  const viewer = new FlvViewer({
    remote: 'test',
    limits: { queueMaxBytes: 64e6, queueMaxAgeMs: 5000 },
    stallTimeoutMs: 5000,
    tracks: { video: 'default', audio: 'default' },
  });
  viewer.playback = { stream, end() {} };
  const tags: { type: number; timestampMs: number; payload: Buffer }[] = [];
  const reader = new FlvTagReader((type, timestampMs, payload) =>
    tags.push({ type, timestampMs, payload: Buffer.from(payload) }),
  );
  viewer.begin({
    ...{ pendingBytes: 0, bytesWritten: 0 },
    write: (data: Buffer) => {
      // Whoever writes into what others read is found out.
      reader.feed(Buffer.from(data));
      return true;
    },
    end() {},
  } as never);
  await until(() => tags.length >= 7, 20_000, 'the copy');
  for (let i = 5; i < 10; i++) {
    stream.publish(Video, at(i * 40), frame(i, false, bytes), i * 40);
    stream.publish(Audio, at(i * 40 + 1), audioFrame(i), i * 40);
    stream.flush(i * 40);
  }
  await until(() => tags.length === 17, 20_000, 'the rest');
  viewer.leave();
  return tags;
}

it.each([
  [0, 0],
  [59_000, 59_000],
  [0x7fff_ff80, 0],
  [0x8000_0000, 0],
  [0xffff_ff90, 0],
])('a stream that has come to %i ms begins at %i for a viewer', async (startMs, firstMs) => {
  for (const bytes of [64, 20_000, 300_000]) {
    const tags = await watch(startMs, bytes);
    expect(tags.map(({ type }) => type).slice(0, 2)).toEqual([DataAmf0, Video]);
    expect(tags[0]?.timestampMs).toBe(0);
    const video = tags.filter(({ type, payload }) => type === Video && payload[1] === 1);
    expect(video.map(({ timestampMs }) => timestampMs)).toEqual(Array.from({ length: 10 }, (_, i) => firstMs + i * 40));
    expect(video.every(({ payload }, i) => payload.equals(frame(i, i === 0, bytes)))).toBe(true);
    const audio = tags.filter(({ type }) => type === Audio);
    expect(audio.map(({ timestampMs }) => timestampMs)).toEqual([5, 6, 7, 8, 9].map((i) => firstMs + i * 40 + 1));
  }
});

it('who joined just before the end gets all that newcomers get', async () => {
  const stream = makeStream(64e6);
  stream.publish(Video, 0, videoHeader(), 0);
  // More than is copied in one turn of the event loop.
  for (let i = 0; i < 20; i++) stream.publish(Video, i * 40, frame(i, i === 0, 100_000), i * 40);
  const viewer = new FlvViewer({
    remote: 'test',
    limits: { queueMaxBytes: 64e6, queueMaxAgeMs: 5000 },
    stallTimeoutMs: 5000,
    tracks: 'all',
  });
  viewer.playback = { stream, end() {} };
  let frames = 0;
  const reader = new FlvTagReader((type, _, payload) => {
    if (type === Video && payload[1] === 1) frames++;
  });
  const ends: unknown[] = [];
  viewer.begin({
    pendingBytes: 0,
    progress: 0,
    write: (data) => {
      reader.feed(Buffer.from(data));
      return true;
    },
    end: (reason) => ends.push(reason),
  });
  expect(frames).toBeLessThan(20);
  stream.settle(true);
  viewer.setStream(null);
  await until(() => ends.length > 0, 20_000, 'the end');
  expect(ends).toEqual([null]);
  expect(frames).toBe(20);
});

it.each([true, false])(
  'who is behind before its owner ends it gets what waits, if it takes that: %s',
  async (takes) => {
    const stream = makeStream(64e6);
    stream.publish(Video, 0, videoHeader(), 0);
    stream.publish(Video, 0, frame(0, true), 0);
    const viewer = new FlvViewer({
      remote: 'test',
      limits: { queueMaxBytes: 64e6, queueMaxAgeMs: 60_000 },
      stallTimeoutMs: 60_000,
      tracks: 'all',
    });
    viewer.playback = { stream, end() {} };
    const numbers: number[] = [];
    const reader = new FlvTagReader((type, _, payload) => {
      if (type === Video && payload[1] === 1) numbers.push(payload.readUInt32BE(5));
    });
    let isFull = false;
    viewer.begin({
      pendingBytes: 0,
      progress: 0,
      write: (data) => {
        reader.feed(Buffer.from(data));
        return !isFull;
      },
      end() {},
    });
    isFull = true;
    for (const number of [1, 2, 3]) {
      stream.publish(Video, number * 40, frame(number, false), number);
      stream.flush(number);
    }
    const flushed = viewer.flush();
    if (takes) {
      isFull = false;
      viewer.resume();
    }
    await flushed;
    expect(numbers).toEqual(takes ? [0, 1, 2, 3] : [0, 1]);
    viewer.leave();
  },
);
