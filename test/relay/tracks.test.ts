import { describe, expect, it } from 'vitest';
import { Outlet } from '../../src/relay/outlet.js';
import type { OutletSink } from '../../src/relay/outlet-sink.js';
import { flvFormat } from '../../src/relay/stream-format.js';
import { encodeAmf0 } from '../../src/wire/amf0.js';
import { flvFileHeader } from '../../src/wire/flv-file.js';
import { FlvTagReader } from '../../src/wire/flv-reader.js';
import { MessageType } from '../../src/wire/message.js';
import { until } from '../push/targets.js';
import { exMessage, manyTracks, readEx } from '../support/enhanced.js';
import type { FedStream } from '../support/fed-stream.js';
import {
  audioFrame,
  audioHeader,
  frame,
  makeOutlet,
  makeStream,
  roomyLimits,
  type TestSink,
  targetFormat,
  videoHeader,
  viewerFormat,
} from './fixtures.js';

const { Audio, Video } = MessageType;

const numbered = (number: number, bytes = 40): Buffer => {
  const body = Buffer.alloc(bytes, number & 0xff);
  body.writeUInt32BE(number, 0);
  return body;
};

/** A frame of a track: the first byte of its body says which, the next four which frame. */
const trackFrame = (track: number, number: number, isKey: boolean, bytes = 40, codec = 'vp09'): Buffer =>
  exMessage({ kind: 'video', packet: 1, codec, track, isKey, body: numbered(number, bytes) });

/** An AV1 configuration record that is whole, with a number to tell it by. */
const trackHeader = (track: number, version = 1, codec = 'av01'): Buffer =>
  exMessage({ kind: 'video', packet: 0, codec, track, body: Buffer.from([0x81, version, 0, 0]) });

interface Message {
  readonly type: number;
  readonly timestampMs: number;
  readonly payload: Buffer;
}

/** `track:number`, with a `k` for key frames, `h` for headers, `m` for metadata of colours, `a` for sound. */
const shown = ({ type, payload }: Pick<Message, 'type' | 'payload'>): string => {
  if (type === Audio) return payload[0] === 0xaf ? (payload[1] === 0 ? 'ah' : 'a') : `a${readEx(payload).track}`;
  if ((payload[0] ?? 0) < 0x80)
    return payload[1] === 0
      ? 'h'
      : payload[1] === 2
        ? 'end'
        : `${payload[0] === 0x17 ? 'k' : ''}${payload.readUInt32BE(5)}`;
  const { track, packet, isKey, body } = readEx(payload);
  if (packet === 0) return `h${track}`;
  if (packet === 4) return `m${track}`;
  return packet === 2 ? `end${track}` : `${isKey ? 'k' : ''}${track}:${body.readUInt32BE(0)}`;
};

/** Each track that shows begins with a header, if it has one, and with a key frame; and goes on without a gap. */
function expectDecodable(messages: readonly Message[], headed: readonly number[]): Map<number, number[]> {
  const seen = new Map<number, number[]>();
  const headers = new Set<number>();
  for (const { type, payload } of messages) {
    if (type !== Video) continue;
    const { track, packet, isKey, body } = readEx(payload);
    if (packet === 0) headers.add(track);
    if (packet !== 1) continue;
    const numbers = seen.get(track) ?? [];
    if (numbers.length === 0) expect([track, isKey]).toEqual([track, true]);
    else expect([track, body.readUInt32BE(0)]).toEqual([track, (numbers.at(-1) ?? 0) + 1]);
    if (headed.includes(track)) expect(headers).toContain(track);
    seen.set(track, [...numbers, body.readUInt32BE(0)]);
  }
  return seen;
}

/** Frames of several tracks every 40 ms, whose key frames come at other times; with sound. */
class Tracks {
  readonly stream: FedStream;
  nowMs = 0;
  number = 0;
  readonly #tracks: readonly { id: number; every: number; offset: number; bytes?: number }[];

  constructor(stream: FedStream, tracks: readonly { id: number; every: number; offset: number; bytes?: number }[]) {
    this.stream = stream;
    this.#tracks = tracks;
    this.send(Audio, audioHeader());
    for (const { id } of tracks) this.send(Video, trackHeader(id));
  }

  send(type: number, payload: Buffer): void {
    this.stream.publish(type, this.nowMs, payload, this.nowMs);
  }

  run(frames: number): void {
    for (const last = this.number + frames; this.number < last; this.number++, this.nowMs += 40) {
      for (const { id, every, offset, bytes } of this.#tracks) {
        this.send(Video, trackFrame(id, this.number, this.number % every === offset, bytes, 'av01'));
      }
      this.send(Audio, audioFrame(this.number));
      this.stream.flush(this.nowMs);
    }
  }

  join(format = targetFormat, limits = roomyLimits): TestSink {
    const { outlet, sink } = makeOutlet(format, limits);
    this.stream.attach(outlet, this.nowMs);
    return sink;
  }
}

describe('tracks with key frames of their own', () => {
  const offsets = [
    { id: 0, every: 50, offset: 0 },
    { id: 1, every: 75, offset: 20 },
    { id: 7, every: 25, offset: 11 },
  ];

  it.each([targetFormat, viewerFormat, { ...targetFormat, streamId: 9 }])(
    'start, for whoever joins at any time, each at its newest key frame',
    async (format) => {
      for (let at = 80; at < 240; at += 7) {
        const camera = new Tracks(makeStream(), offsets);
        camera.run(at);
        const sink = camera.join(format);
        camera.run(30);
        await until(
          () => sink.messages.some(({ timestampMs }) => timestampMs === camera.nowMs - 40),
          10_000,
          'the end',
        );
        const seen = expectDecodable(sink.messages, [0, 1, 7]);
        for (const { id, every, offset } of offsets) {
          // The newest key frame before it came, and nothing older; where the GOP is copied first, an older one may do.
          const newest = Math.floor((at - 1 - offset) / every) * every + offset;
          const first = seen.get(id)?.[0] ?? -1;
          if (format === viewerFormat)
            expect([id, first]).toEqual([id, newest - Math.round((newest - first) / every) * every]);
          else expect([id, first]).toEqual([id, newest]);
          expect(seen.get(id)?.at(-1)).toBe(at + 29);
        }
        // Sound begins with the default track.
        const sound = sink.messages.filter(({ type, payload }) => type === Audio && payload[1] === 1);
        expect(sound[0]?.timestampMs).toBe((seen.get(0)?.[0] ?? 0) * 40);
      }
    },
  );

  it('start so over HTTP too', () => {
    const camera = new Tracks(makeStream(), offsets);
    camera.run(137);
    const parts: Buffer[] = [flvFileHeader(true, true)];
    const sink: OutletSink = { pendingBytes: 0, write: (data) => parts.push(Buffer.from(data)) > 0 };
    camera.stream.attach(new Outlet({ sink, format: flvFormat, limits: roomyLimits }), camera.nowMs);
    return until(() => parts.length > 1, 20_000, 'the copy').then(() => {
      camera.run(100);
      const tags: Message[] = [];
      const reader = new FlvTagReader((type, timestampMs, payload) =>
        tags.push({ type, timestampMs, payload: Buffer.from(payload) }),
      );
      for (const part of parts) reader.feed(part);
      const seen = expectDecodable(tags, [0, 1, 7]);
      expect([...seen.keys()].sort()).toEqual([0, 1, 7]);
    });
  });

  it('lose what is before their own first key frame, and nothing of the others', () => {
    const camera = new Tracks(makeStream(), offsets);
    const sink = camera.join();
    camera.run(60);
    const seen = expectDecodable(sink.messages, [0, 1, 7]);
    expect([0, 1, 7].map((id) => seen.get(id)?.[0])).toEqual([0, 20, 11]);
  });

  it('go on at their next key frames after a drop', () => {
    const camera = new Tracks(
      makeStream(),
      offsets.map((track) => ({ ...track, bytes: 2000 })),
    );
    const { outlet, sink } = makeOutlet(targetFormat, { queueMaxBytes: 100_000, queueMaxAgeMs: 60_000 });
    camera.stream.attach(outlet, 0);
    camera.run(30);
    const before = sink.messages.length;
    sink.full = true;
    camera.run(60);
    expect(outlet.drops).toBe(1);
    sink.drain();
    outlet.resume(camera.nowMs);
    camera.run(120);
    const late = sink.messages.slice(before);
    // What was in the socket came first; then each track from a key frame on.
    const numbers = new Map<number, number[]>();
    for (const { type, payload } of late) {
      if (type !== Video || readEx(payload).packet !== 1) continue;
      const { track, isKey, body } = readEx(payload);
      const all = numbers.get(track) ?? [];
      const number = body.readUInt32BE(0);
      const last = all.at(-1) ?? 29;
      if (number !== last + 1) expect([track, number, isKey]).toEqual([track, number, true]);
      numbers.set(track, [...all, number]);
    }
    for (const { id } of offsets) expect(numbers.get(id)?.at(-1)).toBe(209);
  });

  it('with a track whose key frames are rarer than the GOP may be long: it comes later, the others at once', () => {
    const camera = new Tracks(makeStream(60_000), [
      { id: 0, every: 25, offset: 0, bytes: 500 },
      { id: 1, every: 200, offset: 5, bytes: 500 },
    ]);
    camera.run(120);
    const sink = camera.join();
    expect(sink.messages.map(shown)).toContain('k0:100');
    camera.run(100);
    const seen = expectDecodable(sink.messages, [0, 1]);
    expect(seen.get(0)).toHaveLength(120);
    expect(seen.get(1)?.[0]).toBe(205);
  });
});

describe('a stream without track 0', () => {
  it.each([[1], [3, 5]])('is video, with its lowest track as the default one: %s', (...ids) => {
    const camera = new Tracks(
      makeStream(),
      ids.flat().map((id) => ({ id, every: 50, offset: 0 })),
    );
    const early = camera.join();
    camera.run(70);
    expect(camera.stream.startsAtVideo).toBe(true);
    expect(camera.stream.videoCodec).toBe('av1');
    const late = camera.join();
    camera.run(10);
    for (const sink of [early, late])
      expect([...expectDecodable(sink.messages, ids.flat()).keys()]).toEqual(ids.flat());
    expect(camera.stream.keyFrame()).toMatchObject({ header: trackHeader(ids.flat()[0] ?? 0) });
  });
});

describe('messages of many tracks', () => {
  const body = (number: number): Buffer => numbered(number);
  const oneCodec = (packet: number, number: number, isKey: boolean, nanoseconds?: number): Buffer =>
    manyTracks({ kind: 'video', packet, isKey, ...(nanoseconds === undefined ? {} : { nanoseconds }) }, [
      { id: 0, codec: 'vp09', body: body(number) },
      { id: 2, codec: 'vp09', body: body(number) },
    ]);

  it('are one message for each, with the same bytes of the codec', () => {
    const stream = makeStream();
    const { outlet, sink } = makeOutlet();
    stream.attach(outlet, 0);
    stream.publish(Video, 7, oneCodec(1, 1, true, 999_999), 7);
    const codecs = [
      { id: 1, codec: 'av01', body: body(1) },
      { id: 4, codec: 'vp09', body: body(2) },
    ];
    stream.publish(Video, 8, manyTracks({ kind: 'video', packet: 1, isKey: true }, codecs), 8);
    const sounds = [
      { id: 0, codec: 'Opus', body: body(8) },
      { id: 9, codec: 'fLaC', body: body(9) },
    ];
    stream.publish(Audio, 9, manyTracks({ kind: 'audio', packet: 1 }, sounds), 9);
    stream.flush(9);
    expect(sink.messages.map(({ type, timestampMs, payload }) => [type, timestampMs, readEx(payload)])).toMatchObject([
      [Video, 7, { track: 0, codec: 'vp09', isKey: true, body: body(1) }],
      [Video, 7, { track: 2, codec: 'vp09', isKey: true, body: body(1) }],
      [Video, 8, { track: 1, codec: 'av01', isKey: true, body: body(1) }],
      [Video, 8, { track: 4, codec: 'vp09', isKey: true, body: body(2) }],
      [Audio, 9, { track: 0, codec: 'Opus', body: body(8) }],
      [Audio, 9, { track: 9, codec: 'fLaC', body: body(9) }],
    ]);
    // Its nanoseconds are kept.
    expect(sink.messages[1]?.payload.subarray(0, 6)).toEqual(Buffer.from([0x97, 2, 0x0f, 0x42, 0x3f, 6]));
  });

  it('of headers are remembered track by track, the newest of each, in their order', () => {
    const stream = makeStream();
    const headers = (version: number, ids: readonly number[]): Buffer =>
      manyTracks(
        { kind: 'video', packet: 0 },
        ids.map((id) => ({ id, codec: 'av01', body: Buffer.from([0x81, version, 0, 0]) })),
      );
    stream.publish(Video, 0, headers(1, [0, 1, 2]), 0);
    stream.publish(Video, 0, trackHeader(1, 2), 0);
    stream.publish(
      Video,
      0,
      exMessage({ kind: 'video', packet: 0, codec: 'av01', body: Buffer.from([0x81, 3, 0, 0]) }),
      0,
    );
    for (const id of [0, 1, 2]) stream.publish(Video, 0, trackFrame(id, 0, true, 40, 'av01'), 0);
    const { outlet, sink } = makeOutlet();
    stream.attach(outlet, 0);
    const seen = sink.messages.slice(0, 3).map(({ payload }) => [readEx(payload).track, readEx(payload).body[1]]);
    expect(seen).toEqual([
      [2, 1],
      [1, 2],
      [0, 3],
    ]);
  });

  it.each([
    ['more parts than there are tracks', Array.from({ length: 257 }, (_, id) => id & 0xff)],
    ['thousands of them', Array.from({ length: 5000 }, () => 1)],
  ])('%s are left out and counted', (_what, ids) => {
    const stream = makeStream();
    const parts = ids.map((id) => ({ id, codec: 'vp09', body: Buffer.from([1]) }));
    expect(stream.publish(Video, 0, manyTracks({ kind: 'video', packet: 3, isKey: true }, parts), 0)).toBe(false);
    expect(stream.ingest.unreadable.video).toBe(1);
  });
});

describe('headers', () => {
  it('of twenty and of two hundred audio tracks reach those who join', () => {
    for (const count of [20, 200]) {
      const stream = makeStream();
      for (let track = 0; track < count; track++) {
        stream.publish(
          Audio,
          0,
          exMessage({ kind: 'audio', packet: 0, codec: 'Opus', track, body: Buffer.alloc(19, track) }),
          0,
        );
      }
      for (let track = 0; track < count; track++) {
        stream.publish(
          Audio,
          20,
          exMessage({ kind: 'audio', packet: 1, codec: 'Opus', track, body: Buffer.alloc(9) }),
          20,
        );
      }
      const { outlet, sink } = makeOutlet();
      stream.attach(outlet, 20);
      const tracks = sink.messages
        .filter(({ payload }) => readEx(payload).packet === 0)
        .map(({ payload }) => readEx(payload).track);
      expect(tracks).toEqual(Array.from({ length: count }, (_, track) => track));
    }
  });

  it('of track 0 are the same header, wrapped or not: a newer one takes the place of an older', () => {
    const stream = makeStream();
    stream.publish(Video, 0, videoHeader(1), 0);
    stream.publish(Video, 0, trackHeader(0, 2), 0);
    stream.publish(Video, 0, trackFrame(0, 1, true), 0);
    const { outlet, sink } = makeOutlet();
    stream.attach(outlet, 0);
    expect(sink.messages.map(shown)).toEqual(['h0', 'k0:1']);
  });

  it('colours and channels of a track are replayed beside its sequence header, as they came', () => {
    const stream = makeStream();
    const colours = (track: number): Buffer =>
      exMessage({ kind: 'video', packet: 4, codec: 'av01', track, body: encodeAmf0('colorInfo', { a: track }) });
    stream.publish(Video, 0, colours(1), 0);
    stream.publish(Video, 0, trackHeader(1), 0);
    stream.publish(Video, 0, trackHeader(0), 0);
    stream.publish(Video, 0, colours(0), 0);
    stream.publish(Video, 0, trackFrame(0, 1, true), 0);
    stream.publish(Video, 0, trackFrame(1, 1, true), 0);
    const { outlet, sink } = makeOutlet();
    stream.attach(outlet, 0);
    expect(sink.messages.map(shown)).toEqual(['m1', 'h1', 'h0', 'm0', 'k0:1', 'k1:1']);
  });
});

describe('video that ends while sound goes on', () => {
  const sound = (stream: FedStream, fromMs: number, untilMs: number): void => {
    for (let at = fromMs; at < untilMs; at += 20) {
      stream.publish(Audio, at, audioFrame(at), at);
      if (at % 1000 === 0) stream.ingest.tick(at);
      stream.flush(at);
    }
  };

  it.each([
    ['at once, where it said so', true],
    ['after a while, where it says nothing', false],
  ])('newcomers start with sound %s', (_when, says) => {
    const stream = makeStream(2000);
    stream.publish(Audio, 0, audioHeader(), 0);
    stream.publish(Video, 0, videoHeader(), 0);
    stream.publish(Video, 0, frame(1, true), 0);
    stream.publish(Video, 40, frame(2, false), 40);
    const steady = makeOutlet();
    stream.attach(steady.outlet, 40);
    if (says) stream.publish(Video, 80, Buffer.from('1702000000', 'hex'), 80);
    sound(stream, 100, says ? 5000 : 20_000);
    const late = makeOutlet();
    stream.attach(late.outlet, 20_000);
    expect(late.sink.messages.map(shown).filter((each) => each !== 'a')).toEqual(says ? ['ah'] : ['ah', 'h']);
    expect(late.sink.messages.map(shown)).toContain('a');
    // It comes back: with headers that are known, at a key frame, or (where it had only paused) at the next one.
    const at = 20_040;
    if (!says) stream.publish(Video, at, frame(3, false), at);
    stream.publish(Video, at + 40, frame(4, true), at + 40);
    stream.publish(Video, at + 80, frame(5, false), at + 80);
    stream.flush(at + 80);
    const pictures = late.sink.messages.map(shown).filter((each) => each !== 'a' && each !== 'ah');
    expect(pictures).toEqual(['h', 'k4', '5']);
    const old = steady.sink.messages.map(shown).filter((each) => !/^ah?$/.test(each));
    // Who was there gets the header again where the end was said: it does no harm, and others need it.
    expect(old).toEqual(says ? ['h', 'k1', '2', 'end', 'h', 'k4', '5'] : ['h', 'k1', '2', '3', 'k4', '5']);
    const afresh = makeOutlet();
    stream.attach(afresh.outlet, at + 80);
    expect(afresh.sink.messages.map(shown)).toEqual(['ah', 'h', 'k4', '5']);
  });

  it('only of one track: nobody waits for it', () => {
    const camera = new Tracks(makeStream(), [
      { id: 0, every: 25, offset: 0 },
      { id: 1, every: 25, offset: 5 },
    ]);
    camera.run(40);
    camera.send(Video, exMessage({ kind: 'video', packet: 2, codec: 'av01', track: 1 }));
    camera.send(Video, trackFrame(0, 40, true, 40, 'av01'));
    const sink = camera.join();
    expect(sink.messages.map(shown)).toEqual(['ah', 'h0', 'k0:40']);
  });

  it('a camera that sends a picture every twelve seconds beside its sound loses none of them', () => {
    const stream = makeStream();
    stream.publish(Video, 0, videoHeader(), 0);
    const { outlet, sink } = makeOutlet();
    stream.attach(outlet, 0);
    for (let at = 0; at < 60_000; at += 20) {
      if (at % 12_000 === 0) stream.publish(Video, at, frame(at, at === 0), at);
      stream.publish(Audio, at, audioFrame(at), at);
      if (at % 1000 === 0) stream.ingest.tick(at);
      stream.flush(at);
    }
    expect(sink.messages.map(shown).filter((each) => each !== 'a')).toEqual([
      'h',
      'k0',
      '12000',
      '24000',
      '36000',
      '48000',
    ]);
  });
});

describe('what is measured', () => {
  it('leaves out ends of sequences and what is empty, and clocks that are set', () => {
    const stream = makeStream();
    stream.publish(Video, 5000, videoHeader(), 0);
    stream.publish(Video, 5000, frame(1, true), 0);
    stream.publish(Video, 7000, frame(2, true), 2000);
    expect(stream.ingest.keyFrameIntervalMs).toBe(2000);
    stream.publish(Video, 1000, frame(3, true), 4000);
    expect(stream.ingest.keyFrameIntervalMs).toBe(2000);
    stream.publish(Video, 1500, frame(4, true), 4500);
    expect(stream.ingest.keyFrameIntervalMs).toBe(500);
    stream.publish(Video, 0xffff_ff00, frame(5, true), 5000);
    stream.publish(Video, 0x0000_0100, frame(6, true), 5500);
    expect(stream.ingest.keyFrameIntervalMs).toBe(512);
    stream.publish(Video, 300, Buffer.from('1702000000', 'hex'), 6000);
    stream.publish(Video, 300, Buffer.alloc(0), 6000);
    stream.publish(Video, 300, Buffer.from('5700', 'hex'), 6000);
    stream.publish(Audio, 300, exMessage({ kind: 'audio', packet: 2, codec: 'Opus' }), 6000);
    expect([stream.ingest.meter.videoFrames, stream.ingest.meter.audioFrames]).toEqual([6, 0]);
  });

  it('does not take a second track for jumps of the first, or for its frames', () => {
    const camera = new Tracks(makeStream(), [
      { id: 0, every: 25, offset: 0 },
      { id: 1, every: 25, offset: 0 },
    ]);
    for (let i = 0; i < 50; i++) {
      camera.stream.publish(Video, 10_000 + i * 40, trackFrame(0, i, i % 25 === 0, 40, 'av01'), i * 40);
      camera.stream.publish(Video, 9000 + i * 40, trackFrame(1, i, i % 25 === 0, 40, 'av01'), i * 40);
    }
    expect(camera.stream.ingest.meter.timestampJumps).toBe(0);
    expect(camera.stream.ingest.meter.videoFrames).toBe(50);
    expect(camera.stream.ingest.keyFrameIntervalMs).toBe(1000);
  });
});

describe('another source in the same stream', () => {
  it('ends the tracks that it does not have, and the colours of which it says nothing', () => {
    const stream = makeStream();
    const colours = exMessage({
      ...{ kind: 'video', packet: 4, codec: 'av01' },
      body: encodeAmf0('colorInfo', { colorConfig: { transferCharacteristics: 16 } }),
    });
    stream.publish(
      Video,
      0,
      exMessage({ kind: 'video', packet: 0, codec: 'av01', body: Buffer.from([0x81, 1, 0, 0]) }),
      0,
    );
    stream.publish(Video, 0, colours, 0);
    stream.publish(Video, 0, trackHeader(1), 0);
    stream.publish(
      Audio,
      0,
      exMessage({ kind: 'audio', packet: 0, codec: 'Opus', track: 2, body: Buffer.alloc(19) }),
      0,
    );
    for (const track of [0, 1]) stream.publish(Video, 0, trackFrame(track, 0, true, 40, 'av01'), 0);
    const { outlet, sink } = makeOutlet();
    stream.attach(outlet, 0);
    const before = sink.messages.length;
    stream.restart();
    stream.publish(
      Video,
      0,
      exMessage({ kind: 'video', packet: 0, codec: 'av01', body: Buffer.from([0x81, 1, 0, 0]) }),
      5000,
    );
    for (let i = 0; i < 100; i++) {
      stream.publish(Video, i * 40, trackFrame(0, i, i % 25 === 0, 40, 'av01'), 5000 + i * 40);
      stream.flush(5000 + i * 40);
    }
    const said = sink.messages.slice(before).filter(({ payload }) => ![0, 1].includes(readEx(payload).packet));
    expect(said.map(({ type, payload }) => [type, readEx(payload)])).toMatchObject([
      [Video, { track: 0, packet: 4, codec: 'av01', body: encodeAmf0('colorInfo', {}) }],
      [Video, { track: 1, packet: 2, codec: 'av01' }],
      [Audio, { track: 2, packet: 2, codec: 'Opus' }],
    ]);
    // Once, and not for those who come now.
    const late = makeOutlet();
    stream.attach(late.outlet, 9000);
    expect(late.sink.messages.map(shown)).not.toContain('end1');
  });

  it('that sends the same ends nothing', () => {
    const stream = makeStream();
    const { outlet, sink } = makeOutlet();
    stream.attach(outlet, 0);
    for (const at of [0, 10_000]) {
      if (at > 0) stream.restart();
      stream.publish(Audio, 0, audioHeader(), at);
      stream.publish(Video, 0, videoHeader(), at);
      for (let i = 0; i < 100; i++) {
        stream.publish(Video, i * 40, frame(i, i % 25 === 0), at + i * 40);
        stream.publish(Audio, i * 40, audioFrame(i), at + i * 40);
        stream.flush(at + i * 40);
      }
    }
    expect(sink.messages.map(shown)).not.toContain('end');
    expect(sink.messages.length).toBeLessThanOrEqual(404);
  });
});
