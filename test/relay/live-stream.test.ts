import { describe, expect, it } from 'vitest';
import { decodeAmf0 } from '../../src/wire/amf0.js';
import { MessageType } from '../../src/wire/message.js';
import { until } from '../push/targets.js';
import {
  audioFrame,
  audioHeader,
  frame,
  makeOutlet,
  makeStream,
  metadata,
  roomyLimits,
  targetFormat,
  videoHeader,
  viewerFormat,
} from './fixtures.js';

const { Audio, Video, DataAmf0 } = MessageType;

describe('a live stream', () => {
  it('gives a target that was there from the start everything as it came', () => {
    const stream = makeStream();
    const { outlet, sink } = makeOutlet();
    stream.attach(outlet, 0);
    const sent = [
      { type: DataAmf0, timestampMs: 0, payload: metadata(320) },
      { type: Video, timestampMs: 0, payload: videoHeader() },
      { type: Audio, timestampMs: 0, payload: audioHeader() },
      { type: Video, timestampMs: 40, payload: frame(1, true, 10_000) },
      { type: Audio, timestampMs: 41, payload: audioFrame(1) },
      { type: Video, timestampMs: 80, payload: frame(2, false) },
      { type: Video, timestampMs: 0x1000000, payload: frame(3, false) },
    ];
    for (const { type, timestampMs, payload } of sent) stream.publish(type, timestampMs, payload, timestampMs);
    stream.flush(0);
    expect(sink.messages).toEqual(sent.map((message) => ({ ...message, streamId: 1 })));
    expect(outlet.drained).toBe(true);
  });

  it('starts a late target with metadata, sequence headers and the whole current GOP', () => {
    const stream = makeStream();
    stream.publish(DataAmf0, 0, metadata(320), 0);
    stream.publish(Video, 0, videoHeader(), 0);
    stream.publish(Audio, 0, audioHeader(), 0);
    stream.publish(Video, 0, frame(1, true), 0);
    stream.publish(Video, 40, frame(2, false), 40);
    stream.publish(Video, 1000, frame(3, true), 1000);
    stream.publish(Audio, 1001, audioFrame(9), 1001);
    stream.publish(Video, 1040, frame(4, false), 1040);
    const { outlet, sink } = makeOutlet();
    stream.attach(outlet, 1050);
    expect(sink.messages.map(({ type, timestampMs }) => [type, timestampMs])).toEqual([
      // ffmpeg takes metadata of any other time for a subtitle stream.
      [DataAmf0, 0],
      [Video, 1000],
      [Audio, 1000],
      [Video, 1000],
      [Audio, 1001],
      [Video, 1040],
    ]);
    expect(sink.messages[1]?.payload).toEqual(videoHeader());
    expect(sink.messages[3]?.payload).toEqual(frame(3, true));
  });

  it('lets a target wait for the next key frame when the GOP outgrew its budget', () => {
    const stream = makeStream(5000);
    stream.publish(Video, 0, videoHeader(), 0);
    stream.publish(Video, 0, frame(1, true, 4000), 0);
    stream.publish(Video, 40, frame(2, false, 4000), 40);
    const { outlet, sink } = makeOutlet();
    stream.attach(outlet, 50);
    stream.publish(Video, 80, frame(3, false), 80);
    stream.flush(80);
    expect(sink.messages).toEqual([]);
    stream.publish(Video, 120, frame(4, true), 120);
    stream.flush(120);
    expect(sink.messages.map(({ payload }) => payload)).toEqual([videoHeader(), frame(4, true)]);
  });

  it('leaves out video before the first key frame, but no audio', () => {
    const stream = makeStream();
    const { outlet, sink } = makeOutlet();
    stream.attach(outlet, 0);
    stream.publish(Video, 0, frame(1, false), 0);
    stream.publish(Audio, 5, audioFrame(1), 5);
    stream.publish(Video, 40, frame(2, true), 40);
    stream.flush(40);
    expect(sink.messages.map(({ timestampMs }) => timestampMs)).toEqual([5, 40]);
  });

  it('starts a late listener of an audio-only camera at once, and one who came with it at the first sound', () => {
    const stream = makeStream();
    stream.publish(Audio, 0, audioHeader(), 0);
    stream.publish(Audio, 20, audioFrame(1), 20);
    const early = makeOutlet();
    stream.attach(early.outlet, 30);
    for (let at = 40; at < 5000; at += 20) stream.publish(Audio, at, audioFrame(at / 20), at);
    stream.flush(5000);
    expect(early.sink.messages.length).toBe(1 + 249);
    const late = makeOutlet();
    stream.attach(late.outlet, 5000);
    expect(late.sink.messages[0]?.payload).toEqual(audioHeader());
    const [, first, ...others] = late.sink.messages;
    expect(first?.timestampMs).toBeGreaterThan(2900);
    expect(others.at(-1)?.timestampMs).toBe(4980);
  });

  it('gives players metadata without @setDataFrame, also from a GOP that was written for targets', () => {
    const stream = makeStream();
    stream.publish(DataAmf0, 0, metadata(640), 0);
    stream.publish(Video, 0, videoHeader(), 0);
    stream.publish(Video, 0, frame(1, true, 9000), 0);
    stream.publish(DataAmf0, 20, metadata(720), 20);
    stream.publish(Video, 40, frame(2, false), 40);
    const { outlet, sink } = makeOutlet(viewerFormat);
    stream.attach(outlet, 50);
    stream.publish(Video, 80, frame(3, false), 80);
    stream.flush(80);
    const data = sink.messages.filter(({ type }) => type === DataAmf0);
    // As it was before the key frame, and its change behind that.
    expect(data.map(({ payload }) => decodeAmf0(payload))).toEqual([
      ['onMetaData', expect.objectContaining({ width: 640 })],
      ['onMetaData', expect.objectContaining({ width: 720 })],
    ]);
    expect(sink.messages.filter(({ type }) => type === Video).map(({ payload }) => payload)).toEqual([
      videoHeader(),
      frame(1, true, 9000),
      frame(2, false),
      frame(3, false),
    ]);
  });

  it('gave the first player a chunk size in the middle of its media', () => {
    const stream = makeStream();
    stream.publish(Video, 0, videoHeader(), 0);
    stream.publish(Video, 40, frame(1, true), 40);
    const { outlet, sink } = makeOutlet(viewerFormat);
    stream.attach(outlet, 50);
    expect(sink.messages.map(({ type, timestampMs }) => [type, timestampMs])).toEqual([
      [Video, 40],
      [Video, 40],
    ]);
  });

  it('went back in time for a player that paused, and kept the log for it meanwhile', () => {
    const stream = makeStream();
    const { outlet, sink } = makeOutlet(viewerFormat);
    stream.attach(outlet, 0);
    const send = (number: number): void => {
      stream.publish(Video, number * 40, frame(number, number % 10 === 0, 1000), number * 40);
      stream.flush(number * 40);
    };
    for (let number = 0; number < 15; number++) send(number);
    outlet.hold();
    for (let number = 15; number < 45; number++) send(number);
    expect(stream.keptBytes).toBeLessThan(2 * 11 * 1100);
    outlet.release(1800);
    for (let number = 45; number < 60; number++) send(number);
    const numbers = sink.messages.map(({ payload }) => payload.readUInt32BE(5));
    expect(numbers).toEqual([...Array(15).keys(), ...Array.from({ length: 10 }, (_, i) => 50 + i)]);
  });

  it('wraps bare onMetaData for targets', () => {
    const stream = makeStream();
    const { outlet, sink } = makeOutlet();
    stream.attach(outlet, 0);
    stream.publish(DataAmf0, 0, metadata(640).subarray(16), 0);
    stream.flush(0);
    expect(sink.messages[0]?.payload).toEqual(metadata(640));
  });

  it('encodes for a target with another stream id as well', () => {
    const stream = makeStream();
    stream.publish(Video, 0, frame(1, true), 0);
    const { outlet, sink } = makeOutlet({ ...targetFormat, streamId: 7 });
    stream.attach(outlet, 0);
    stream.publish(Video, 40, frame(2, false), 40);
    stream.flush(40);
    expect(sink.messages.map(({ streamId, payload }) => [streamId, payload])).toEqual([
      [7, frame(1, true)],
      [7, frame(2, false)],
    ]);
  });

  it('shares what it wrote: ten targets get the same buffers', () => {
    const stream = makeStream();
    const seen = new Set<ArrayBufferLike>();
    const targets = Array.from({ length: 10 }, () => {
      const { outlet, sink } = makeOutlet();
      const write = sink.write.bind(sink);
      sink.write = (data) => {
        seen.add(data.buffer);
        return write(data);
      };
      stream.attach(outlet, 0);
      return sink;
    });
    for (let i = 0; i < 20; i++) stream.publish(Video, i * 40, frame(i, i === 0), i * 40);
    stream.flush(800);
    expect(targets.every(({ messages }) => messages.length === 20)).toBe(true);
    expect(targets.every(({ writes }) => writes === 1)).toBe(true);
    expect(seen.size).toBe(1);
  });

  it('does not disturb the others when one is added or leaves', () => {
    const stream = makeStream();
    const steady = makeOutlet();
    stream.attach(steady.outlet, 0);
    for (let i = 0; i < 300; i++) {
      const passing = makeOutlet(i % 3 === 0 ? viewerFormat : targetFormat, roomyLimits);
      stream.attach(passing.outlet, i);
      stream.publish(Video, i * 40, frame(i, i % 10 === 0, 500), i * 40);
      stream.flush(i * 40);
      stream.detach(passing.outlet);
    }
    expect(steady.sink.messages.map(({ payload }) => payload)).toEqual(
      Array.from({ length: 300 }, (_, i) => frame(i, i % 10 === 0, 500)),
    );
  });

  it('remembers no more headers than the limit', () => {
    const stream = makeStream();
    for (let i = 0; i < 100; i++) {
      // Enhanced RTMP sequence starts of a hundred tracks (multitrack, one track, hvc1).
      stream.publish(Video, i, Buffer.from([0x96, 0x00, 0x68, 0x76, 0x63, 0x31, i, ...Buffer.alloc(5000, i)]), i);
    }
    expect(stream.encodeHeaders(targetFormat).length).toBeLessThan(300 * 1024);
  });

  it('encodes headers when somebody joins, and not for every key frame', () => {
    const stream = makeStream();
    stream.publish(Video, 0, Buffer.concat([videoHeader(), Buffer.alloc(200_000)]), 0);
    const before = process.memoryUsage().arrayBuffers;
    let most = 0;
    for (let i = 0; i < 2000; i++) {
      stream.publish(Video, i, frame(i, true, 9), i);
      most = Math.max(most, process.memoryUsage().arrayBuffers - before);
    }
    // 400 MB of headers, had each key frame been given its own; less what the collector takes meanwhile.
    expect(most).toBeLessThan(10e6);
    const { outlet, sink } = makeOutlet();
    stream.attach(outlet, 2000);
    expect(sink.messages.map(({ payload }) => payload.length)).toEqual([200_009, 9]);
  });

  it('keeps no GOP of more messages than any camera makes', async () => {
    const stream = makeStream(16e6);
    stream.publish(Video, 0, videoHeader(), 0);
    stream.publish(Video, 0, frame(0, true, 9), 0);
    for (let i = 1; i < 16_000; i++) stream.publish(Video, i, frame(i, false, 9), i);
    const early = makeOutlet(viewerFormat);
    stream.attach(early.outlet, 16_000);
    // It is copied into the format of players in slices.
    expect(early.sink.messages.length).toBeLessThan(1000);
    await until(() => early.sink.messages.length === 16_001, 20_000, 'the whole GOP');
    for (let i = 16_000; i < 17_000; i++) stream.publish(Video, i, frame(i, false, 9), i);
    const late = makeOutlet({ ...viewerFormat, streamId: 2 });
    stream.attach(late.outlet, 17_000);
    expect(late.sink.messages).toHaveLength(0);
    stream.publish(Video, 17_000, frame(17_000, true, 9), 17_000);
    stream.flush(17_000);
    expect(late.sink.messages.map(({ payload }) => payload)).toEqual([videoHeader(), frame(17_000, true, 9)]);
  });
});
