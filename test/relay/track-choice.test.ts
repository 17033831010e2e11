import { describe, expect, it } from 'vitest';
import { Outlet } from '../../src/relay/outlet.js';
import { defaultTracks, type TrackChoice } from '../../src/relay/track-choice.js';
import { MessageType } from '../../src/wire/message.js';
import { until } from '../push/targets.js';
import { exMessage, manyTracks, readEx } from '../support/enhanced.js';
import type { FedStream } from '../support/fed-stream.js';
import {
  audioFrame,
  audioHeader,
  frame,
  makeStream,
  roomyLimits,
  TestSink,
  targetFormat,
  videoHeader,
  viewerFormat,
} from './fixtures.js';

const { Audio, Video } = MessageType;

const numbered = (value: number): Buffer => {
  const body = Buffer.alloc(60, value & 0xff);
  body.writeUInt32BE(value);
  return body;
};

function join(stream: FedStream, tracks: TrackChoice | undefined, nowMs: number, format = targetFormat): TestSink {
  const sink = new TestSink(format.chunkBytes);
  stream.attach(new Outlet({ sink, format, limits: roomyLimits, tracks }), nowMs);
  return sink;
}

/** Tracks 1 and 2 of AV1, 0 and 3 of Opus, with channel configurations and nanoseconds; key frames at other times. */
function publish(stream: FedStream, from: number, to: number): void {
  if (from === 0) {
    for (const track of [1, 2])
      stream.publish(
        Video,
        0,
        exMessage({ kind: 'video', packet: 0, codec: 'av01', track, body: Buffer.from([0x81, track, 0, 0]) }),
        0,
      );
    for (const track of [0, 3]) {
      stream.publish(
        Audio,
        0,
        exMessage({ kind: 'audio', packet: 0, codec: 'Opus', track, body: Buffer.alloc(19, track) }),
        0,
      );
      stream.publish(
        Audio,
        0,
        exMessage({ kind: 'audio', packet: 4, codec: 'Opus', track, body: Buffer.from([1, 2]) }),
        0,
      );
    }
  }
  for (let i = from; i < to; i++) {
    for (const track of [1, 2]) {
      const isKey = i % 25 === (track === 1 ? 0 : 10);
      stream.publish(
        Video,
        i * 40,
        exMessage({ kind: 'video', packet: 1, codec: 'av01', track, isKey, nanoseconds: 5, body: numbered(i) }),
        i * 40,
      );
    }
    const sounds = [0, 3].map((id) => ({ id, codec: 'Opus', body: numbered(i) }));
    stream.publish(Audio, i * 40, manyTracks({ kind: 'audio', packet: 1 }, sounds), i * 40);
    stream.flush(i * 40);
  }
}

const isPlain = (type: number, payload: Buffer): boolean => {
  const packet = (payload[0] ?? 0) & 15;
  return type === Video ? packet < 6 : packet < 4;
};

describe('one track of each kind', () => {
  it.each<[string, TrackChoice, number, number]>([
    ['the default ones', defaultTracks, 1, 0],
    ['by their ids', { video: 2, audio: 3 }, 2, 3],
    ['one by its id', { video: 2, audio: 'default' }, 2, 0],
  ])('%s: unwrapped, from a key frame on, for who is there and who joins', async (_what, choice, video, audio) => {
    for (const format of [targetFormat, viewerFormat, { ...targetFormat, streamId: 5 }]) {
      const stream = makeStream();
      const early = join(stream, choice, 0, format);
      publish(stream, 0, 47);
      const late = join(stream, choice, 47 * 40, format);
      await until(() => late.messages.length > 5, 20_000, 'the copy');
      publish(stream, 47, 60);
      for (const [sink, first] of [
        [early, video === 1 ? 0 : 10],
        [late, video === 1 ? 25 : 35],
      ] as const) {
        for (const { type, payload } of sink.messages) expect(isPlain(type, payload)).toBe(true);
        const pictures = sink.messages.filter(({ type, payload }) => type === Video && readEx(payload).packet === 1);
        const numbers = pictures.map(({ payload }) => readEx(payload).body.readUInt32BE());
        expect(numbers).toEqual(Array.from({ length: 60 - first }, (_, i) => first + i));
        expect(readEx(pictures[0]?.payload ?? Buffer.alloc(9)).isKey).toBe(true);
        const headers = sink.messages.filter(({ type, payload }) => type === Video && readEx(payload).packet === 0);
        expect(headers.map(({ payload }) => readEx(payload).body)).toEqual([Buffer.from([0x81, video, 0, 0])]);
        const sound = sink.messages.filter(({ type, payload }) => type === Audio && readEx(payload).packet === 1);
        expect(sound.length).toBeGreaterThan(20);
        const heads = sink.messages.filter(({ type, payload }) => type === Audio && readEx(payload).packet === 0);
        expect(heads.map(({ payload }) => readEx(payload).body)).toEqual([Buffer.alloc(19, audio)]);
      }
    }
  });

  it('of an ordinary camera is everything, as it came, in as few writes', () => {
    const stream = makeStream();
    stream.publish(Audio, 0, audioHeader(), 0);
    stream.publish(Video, 0, videoHeader(), 0);
    const [all, plain] = [join(stream, undefined, 0), join(stream, defaultTracks, 0)];
    for (let i = 0; i < 50; i++) {
      stream.publish(Video, i * 40, frame(i, i % 25 === 0), i * 40);
      stream.publish(Audio, i * 40, audioFrame(i), i * 40);
      stream.flush(i * 40);
    }
    expect(plain.messages).toEqual(all.messages);
    expect(plain.writes).toBe(all.writes);
  });

  it('that the camera does not have: sound alone', () => {
    const stream = makeStream();
    stream.publish(Video, 0, videoHeader(), 0);
    stream.publish(Video, 0, frame(0, true), 0);
    const sink = join(stream, { video: 9, audio: 'default' }, 0);
    for (let i = 1; i < 20; i++) {
      stream.publish(Video, i * 40, frame(i, false), i * 40);
      stream.publish(Audio, i * 40, audioFrame(i), i * 40);
    }
    stream.flush(800);
    expect(new Set(sink.messages.map(({ type }) => type))).toEqual(new Set([Audio]));
  });

  it('goes on when a second track appears', () => {
    const stream = makeStream();
    stream.publish(Video, 0, videoHeader(), 0);
    const sink = join(stream, defaultTracks, 0);
    for (let i = 0; i < 30; i++) {
      stream.publish(Video, i * 40, frame(i, i === 0), i * 40);
      if (i > 10)
        stream.publish(
          Video,
          i * 40,
          exMessage({ kind: 'video', packet: 3, codec: 'vp09', track: 1, isKey: i === 11, body: numbered(i) }),
          i * 40,
        );
      stream.flush(i * 40);
    }
    expect(sink.messages.slice(1).map(({ payload }) => payload)).toEqual(
      Array.from({ length: 30 }, (_, i) => frame(i, i === 0)),
    );
  });

  it('goes on with the next track where the one that was followed has ended, by its headers and a key frame', () => {
    const stream = makeStream();
    const sink = join(stream, defaultTracks, 0);
    publish(stream, 0, 40);
    const end = (kind: 'video' | 'audio', codec: string, track: number): Buffer =>
      exMessage({ kind, packet: 2, codec, track });
    stream.publish(Video, 1600, end('video', 'av01', 1), 1600);
    stream.publish(Audio, 1600, end('audio', 'Opus', 0), 1600);
    for (let i = 40; i < 80; i++) {
      const [isKey, body] = [i % 25 === 10, numbered(i)];
      stream.publish(
        Video,
        i * 40,
        exMessage({ kind: 'video', packet: 1, codec: 'av01', track: 2, isKey, body }),
        i * 40,
      );
      stream.publish(Audio, i * 40, exMessage({ kind: 'audio', packet: 1, codec: 'Opus', track: 3, body }), i * 40);
      stream.flush(i * 40);
    }
    const packets = (wanted: number, number: number): Buffer[] =>
      sink.messages
        .filter(({ type, payload }) => type === wanted && readEx(payload).packet === number)
        .map(({ payload }) => readEx(payload).body);
    const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, i) => from + i);
    expect(packets(Video, 1).map((body) => body.readUInt32BE())).toEqual([...range(0, 40), ...range(60, 80)]);
    expect(packets(Audio, 1).map((body) => body.readUInt32BE())).toEqual(range(0, 80));
    expect(packets(Video, 0)).toEqual([1, 2].map((track) => Buffer.from([0x81, track, 0, 0])));
    expect(packets(Audio, 0)[1]).toEqual(Buffer.alloc(19, 3));
    for (const { type, payload } of sink.messages) expect(isPlain(type, payload)).toBe(true);
    const at = sink.messages.findIndex(({ type, payload }) => type === Video && payload.includes(numbered(60)));
    expect(readEx(sink.messages[at]?.payload ?? Buffer.alloc(9)).isKey).toBe(true);
  });

  it('goes on with a track that comes only after the only one has ended', () => {
    const stream = makeStream();
    const sink = join(stream, defaultTracks, 0, viewerFormat);
    stream.publish(Video, 0, videoHeader(), 0);
    for (let i = 0; i < 10; i++) {
      stream.publish(Video, i * 40, frame(i, i === 0), i * 40);
      stream.flush(i * 40);
    }
    stream.publish(Video, 400, Buffer.from('1702000000', 'hex'), 400);
    stream.flush(400);
    const before = sink.messages.length;
    const send = (at: number, packet: number, body: Buffer): void => {
      stream.publish(Video, at, exMessage({ kind: 'video', packet, codec: 'av01', track: 1, isKey: true, body }), at);
      stream.flush(at);
    };
    send(440, 0, Buffer.from([0x81, 1, 0, 0]));
    for (let i = 12; i < 15; i++) send(i * 40, 1, numbered(i));
    const seen = sink.messages.slice(before).filter(({ type }) => type === Video);
    expect(seen.map(({ payload }) => readEx(payload).packet)).toEqual([0, 1, 1, 1]);
  });

  it('stays where one was chosen by its id, whatever ends', () => {
    const stream = makeStream();
    const sink = join(stream, { video: 1, audio: 0 }, 0);
    publish(stream, 0, 30);
    stream.publish(Video, 1200, exMessage({ kind: 'video', packet: 2, codec: 'av01', track: 1 }), 1200);
    const before = sink.messages.filter(({ type }) => type === Video).length;
    for (let i = 30; i < 70; i++) {
      const isKey = i % 25 === 10;
      const payload = exMessage({ kind: 'video', packet: 1, codec: 'av01', track: 2, isKey, body: numbered(i) });
      stream.publish(Video, i * 40, payload, i * 40);
      stream.flush(i * 40);
    }
    const pictures = sink.messages.filter(({ type }) => type === Video).length;
    expect(pictures - before).toBeLessThanOrEqual(1);
  });
});
