import { expect, it } from 'vitest';
import { Outlet } from '../../src/relay/outlet.js';
import type { OutletSink } from '../../src/relay/outlet-sink.js';
import { flvFormat } from '../../src/relay/stream-format.js';
import { decodeAmf0 } from '../../src/wire/amf0.js';
import { flvFileHeader } from '../../src/wire/flv-file.js';
import { FlvTagReader } from '../../src/wire/flv-reader.js';
import { MessageType } from '../../src/wire/message.js';
import {
  audioFrame,
  audioHeader,
  frame,
  makeOutlet,
  makeStream,
  metadata,
  roomyLimits,
  SpoilingPool,
  videoHeader,
} from './fixtures.js';

const { Audio, Video, DataAmf0 } = MessageType;

interface Tag {
  readonly type: number;
  readonly timestampMs: number;
  readonly payload: Buffer;
}

/** Reads what is written as the FLV that it is. */
class FlvTestSink implements OutletSink {
  readonly tags: Tag[] = [];
  readonly views: Buffer[] = [];
  full = false;
  pendingBytes = 0;
  readonly #reader = new FlvTagReader((type, timestampMs, payload) => {
    this.tags.push({ type, timestampMs, payload: Buffer.from(payload) });
  });

  constructor() {
    this.#reader.feed(flvFileHeader(true, true));
  }

  write(data: Buffer): boolean {
    this.views.push(data);
    this.#reader.feed(data);
    return !this.full;
  }
}

const flvOutlet = (limits = roomyLimits): { sink: FlvTestSink; outlet: Outlet } => {
  const sink = new FlvTestSink();
  return { sink, outlet: new Outlet({ sink, format: flvFormat, limits }) };
};

it('gives viewers FLV tags, with metadata as players want it, beside targets that get chunks', () => {
  const stream = makeStream();
  const target = makeOutlet();
  const { sink, outlet } = flvOutlet();
  stream.attach(target.outlet, 0);
  stream.attach(outlet, 0);
  const sent = [
    { type: Video, timestampMs: 0, payload: videoHeader() },
    { type: Audio, timestampMs: 0, payload: audioHeader() },
    { type: Video, timestampMs: 40, payload: frame(1, true, 100_000) },
    { type: Audio, timestampMs: 41, payload: audioFrame(1) },
    // Beyond 24 bits, and beyond 31.
    { type: Video, timestampMs: 0x1234567, payload: frame(2, false) },
    { type: Video, timestampMs: 0xfedcba98, payload: frame(3, false) },
  ];
  stream.publish(DataAmf0, 0, metadata(320), 0);
  for (const { type, timestampMs, payload } of sent) stream.publish(type, timestampMs, payload, 0);
  stream.flush(0);
  const [first, ...rest] = sink.tags;
  expect(first).toMatchObject({ type: DataAmf0, timestampMs: 0 });
  expect(decodeAmf0(first!.payload)).toEqual(['onMetaData', { width: 320 }]);
  expect(rest).toEqual(sent);
  expect(target.sink.messages.slice(1)).toEqual(sent.map((message) => ({ ...message, streamId: 1 })));
});

it('is encoded once for all viewers, and starts a late one with the whole current GOP', () => {
  const pool = new SpoilingPool();
  const stream = makeStream(1e6, undefined, pool);
  stream.publish(DataAmf0, 0, metadata(320), 0);
  stream.publish(Video, 0, videoHeader(), 0);
  stream.publish(Audio, 0, audioHeader(), 0);
  for (let i = 0; i < 60; i++) stream.publish(Video, i * 40, frame(i, i % 25 === 0), i * 40);
  const one = flvOutlet();
  const two = flvOutlet();
  stream.attach(one.outlet, 2400);
  stream.attach(two.outlet, 2400);
  expect(one.sink.tags.map(({ type, timestampMs }) => [type, timestampMs])).toEqual([
    [DataAmf0, 0],
    [Video, 2000],
    [Audio, 2000],
    ...Array.from({ length: 10 }, (_, i) => [Video, 2000 + i * 40]),
  ]);
  expect(one.sink.tags[3]?.payload).toEqual(frame(50, true));
  expect(two.sink.tags).toEqual(one.sink.tags);
  stream.publish(Video, 2400, frame(60, false), 2400);
  stream.flush(2400);
  expect(one.sink.views.at(-1)).toBe(two.sink.views.at(-1));

  // The log outlives its last viewer for a while, so that nobody who comes and goes has it made anew.
  const withBoth = stream.keptBytes;
  stream.detach(one.outlet);
  expect(stream.keptBytes).toBe(withBoth);
  stream.detach(two.outlet);
  expect(stream.keptBytes).toBe(withBoth);
  // It is the first to go where memory is short: what is kept then is the GOP of the primary log alone.
  const before = stream.keptBytes;
  stream.shed();
  expect(stream.keptBytes).toBeLessThan(before * 0.6);
});

it('has a viewer that fell behind go on at the next key frame', () => {
  const stream = makeStream();
  stream.publish(Video, 0, videoHeader(), 0);
  const { sink, outlet } = flvOutlet({ queueMaxBytes: 8e6, queueMaxAgeMs: 1000 });
  stream.publish(Video, 0, frame(0, true), 0);
  stream.attach(outlet, 0);
  sink.full = true;
  for (let i = 1; i < 60; i++) {
    stream.publish(Video, i * 40, frame(i, i % 25 === 0), i * 40);
    stream.flush(i * 40);
  }
  sink.full = false;
  outlet.resume(2400);
  const times = sink.tags.map(({ timestampMs }) => timestampMs);
  expect(times.slice(0, 3)).toEqual([0, 0, 40]);
  expect(times[3]).toBe(2000);
  expect(outlet.drops).toBeGreaterThan(0);
});
