import { describe, expect, it } from 'vitest';
import { FlushScheduler } from '../../src/relay/flush-scheduler.js';
import { Outlet } from '../../src/relay/outlet.js';
import { flvFormat, type StreamFormat } from '../../src/relay/stream-format.js';
import { MessageType, type RtmpMessage } from '../../src/wire/message.js';
import { FedStream } from '../support/fed-stream.js';
import {
  audioFrame,
  audioHeader,
  frame,
  makeOutlet,
  metadata,
  roomyLimits,
  type TestSink,
  targetFormat,
  videoHeader,
  viewerFormat,
} from './fixtures.js';

const { Audio, Video, DataAmf0 } = MessageType;

/** A camera of 25 frames a second whose key frames are as the test says. */
class Camera {
  readonly stream: FedStream;
  readonly conditions: boolean[] = [];
  nowMs = 0;
  number = 0;
  readonly #isKey: (number: number) => boolean;
  readonly #videoOf: (number: number) => Buffer;

  constructor(options: {
    mode: 'drop' | 'pass';
    isKey?: (number: number) => boolean;
    gopMaxBytes?: number;
    headers?: boolean;
    videoOf?: (number: number) => Buffer;
  }) {
    this.#isKey = options.isKey ?? (() => false);
    this.#videoOf = options.videoOf ?? ((number) => frame(number, this.#isKey(number)));
    this.stream = new FedStream(
      {
        format: targetFormat,
        gopMaxBytes: options.gopMaxBytes ?? 1e6,
        scheduler: new FlushScheduler(),
        withoutKeyFrames: options.mode,
        onKeyFrames: (missing) => this.conditions.push(missing),
      },
      0,
    );
    if (options.headers === false) return;
    this.stream.publish(DataAmf0, 0, metadata(640), 0);
    this.stream.publish(Video, 0, videoHeader(), 0);
    this.stream.publish(Audio, 0, audioHeader(), 0);
  }

  send(seconds: number): void {
    for (const endMs = this.nowMs + seconds * 1000; this.nowMs < endMs; this.nowMs += 40) {
      this.stream.publish(Video, this.nowMs, this.#videoOf(this.number++), this.nowMs);
      this.stream.publish(Audio, this.nowMs + 5, audioFrame(this.number), this.nowMs);
      this.stream.flush(this.nowMs);
    }
  }

  join(format: StreamFormat = targetFormat): TestSink {
    const { outlet, sink } = makeOutlet(format);
    this.stream.attach(outlet, this.nowMs);
    return sink;
  }
}

const isPicture = ({ type, payload }: RtmpMessage): boolean => type === Video && payload[1] === 1;

/** Headers first, then pictures without a gap; times never run backwards. */
function expectWhole(sink: TestSink): RtmpMessage[] {
  const pictures = sink.messages.filter(isPicture);
  const first = sink.messages.findIndex(isPicture);
  expect(sink.messages.slice(0, first)).toContainEqual(
    expect.objectContaining({ type: Video, payload: videoHeader() }),
  );
  for (const type of [Audio, Video]) {
    const times = sink.messages.filter((message) => message.type === type).map(({ timestampMs }) => timestampMs);
    expect(times).toEqual([...times].sort((a, b) => a - b));
  }
  const numbers = pictures.map(({ payload }) => payload.readUInt32BE(5));
  for (const [i, number] of numbers.entries()) if (i > 0) expect(number).toBe((numbers[i - 1] ?? 0) + 1);
  return pictures;
}

describe('no key frame ever', () => {
  it.each<[string, StreamFormat]>([
    ['a target', targetFormat],
    ['a target of another stream id', { ...targetFormat, streamId: 5 }],
    ['a viewer', viewerFormat],
  ])('pass: after 5 s %s that waited gets it, headers first', (_what, format) => {
    const camera = new Camera({ mode: 'pass' });
    const sink = camera.join(format);
    camera.send(4.9);
    expect(sink.messages.filter(isPicture)).toEqual([]);
    expect(camera.conditions).toEqual([]);
    camera.send(5);
    expect(camera.conditions).toEqual([true]);
    expect(expectWhole(sink).length).toBeGreaterThan(100);
  });

  it('pass: who joins late starts at most two seconds back, and an FLV viewer too', () => {
    const camera = new Camera({ mode: 'pass' });
    camera.send(60);
    const sink = camera.join();
    const pictures = expectWhole(sink);
    expect(pictures.length).toBeGreaterThan(0);
    expect(pictures.length).toBeLessThanOrEqual(51);
    camera.send(5);
    expect(expectWhole(sink).length).toBeGreaterThan(120);
    const written: Buffer[] = [];
    const flv = new Outlet({
      sink: { pendingBytes: 0, write: (data) => written.push(Buffer.from(data)) > 0 },
      format: flvFormat,
      limits: roomyLimits,
    });
    camera.stream.attach(flv, camera.nowMs);
    camera.send(1);
    expect(Buffer.concat(written).includes(videoHeader())).toBe(true);
    expect(camera.stream.keptBytes).toBeLessThan(50_000);
  });

  it('drop: audio goes on alone, and the video begins with the first key frame', () => {
    let key = -1;
    const camera = new Camera({ mode: 'drop', isKey: (number) => number === key });
    const early = camera.join();
    camera.send(10);
    const late = camera.join();
    camera.send(2);
    for (const sink of [early, late]) {
      expect(sink.messages.filter(isPicture)).toEqual([]);
      expect(sink.messages.filter(({ type }) => type === Audio).length).toBeGreaterThan(50);
    }
    expect(camera.conditions).toEqual([true]);
    key = camera.number + 10;
    camera.send(2);
    expect(camera.conditions).toEqual([true, false]);
    for (const sink of [early, late]) expect(expectWhole(sink)[0]?.payload[0]).toBe(0x17);
    const latest = camera.join();
    expect(expectWhole(latest)[0]?.payload[0]).toBe(0x17);
  });

  it('pass: a key frame that comes ends it, and newcomers start there', () => {
    const camera = new Camera({ mode: 'pass', isKey: (number) => number === 300 || number === 350 });
    const sink = camera.join();
    camera.send(15);
    expect(camera.conditions).toEqual([true, false]);
    expectWhole(sink);
    expect(expectWhole(camera.join())[0]?.payload[0]).toBe(0x17);
  });

  it('shows no picture of what is no key frame', () => {
    const camera = new Camera({ mode: 'pass' });
    camera.send(8);
    expect(camera.stream.keyFrameAtMs).toBeNull();
    expect(camera.stream.keyFrame()).toBeNull();
  });

  it('without the header that its codec needs it is not passed on', () => {
    const camera = new Camera({ mode: 'pass', headers: false });
    const sink = camera.join();
    camera.send(8);
    expect(sink.messages.filter(isPicture)).toEqual([]);
    camera.stream.publish(Video, camera.nowMs, videoHeader(), camera.nowMs);
    camera.send(1);
    expect(expectWhole(sink).length).toBeGreaterThan(10);
  });

  it('a codec without headers is passed on as it is', () => {
    const camera = new Camera({
      mode: 'pass',
      headers: false,
      videoOf: (number) => Buffer.from([0x22, 0xf7, 0, 0, 0, number >> 8, number & 0xff]),
    });
    const sink = camera.join();
    camera.send(8);
    expect(sink.messages.filter(({ type }) => type === Video).length).toBeGreaterThan(50);
  });

  it('a new publisher begins anew', () => {
    const camera = new Camera({ mode: 'pass' });
    camera.send(6);
    expect(camera.conditions).toEqual([true]);
    camera.stream.restart();
    expect(camera.stream.ingest.missesKeyFrames).toBe(false);
  });
});

describe('a key frame at the beginning only', () => {
  it('is missed where it is not kept any more; newcomers then start within the last two seconds', () => {
    const camera = new Camera({ mode: 'pass', isKey: (number) => number === 0, gopMaxBytes: 20_000 });
    const sink = camera.join();
    camera.send(29);
    expect(camera.conditions).toEqual([]);
    const waiting = camera.join();
    expect(waiting.messages.filter(isPicture)).toEqual([]);
    camera.send(5);
    expect(camera.conditions).toEqual([true]);
    expect(expectWhole(waiting).length).toBeGreaterThan(25);
    expect(expectWhole(sink)).toHaveLength(camera.number);
  });

  it('is not missed while it is kept: newcomers get all since then', () => {
    const camera = new Camera({ mode: 'pass', isKey: (number) => number === 0 });
    camera.send(60);
    expect(camera.conditions).toEqual([]);
    expect(expectWhole(camera.join())).toHaveLength(camera.number);
  });

  it('drop: who is there goes on, newcomers wait', () => {
    const camera = new Camera({ mode: 'drop', isKey: (number) => number === 0, gopMaxBytes: 20_000 });
    const sink = camera.join();
    camera.send(40);
    expect(camera.conditions).toEqual([true]);
    expect(expectWhole(sink)).toHaveLength(camera.number);
    expect(camera.join().messages.filter(isPicture)).toEqual([]);
  });

  it('a camera whose key frames are far apart is not called so each time', () => {
    const camera = new Camera({ mode: 'pass', isKey: (number) => number % 500 === 0, gopMaxBytes: 20_000 });
    camera.send(100);
    expect(camera.conditions).toEqual([]);
  });
});
