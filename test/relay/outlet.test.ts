import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MessageType } from '../../src/wire/message.js';
import { audioFrame, frame, makeOutlet, makeStream, roomyLimits, targetFormat, videoHeader } from './fixtures.js';

const { Audio, Video } = MessageType;

describe('an outlet whose sink is full', () => {
  it('goes on where it stopped when there is room in time', () => {
    const stream = makeStream();
    const { outlet, sink } = makeOutlet();
    stream.attach(outlet, 0);
    stream.publish(Video, 0, frame(0, true), 0);
    sink.full = true;
    stream.flush(0);
    for (let i = 1; i < 50; i++) stream.publish(Video, i * 40, frame(i, false), i * 40);
    stream.flush(2000);
    expect(sink.writes).toBe(1);
    expect(outlet.queueBytes).toBeGreaterThan(49 * 64);
    sink.drain();
    outlet.resume(2001);
    expect(sink.messages.map(({ payload }) => payload)).toEqual(
      Array.from({ length: 50 }, (_, i) => frame(i, i === 0)),
    );
    expect(outlet.droppedFrames).toEqual({ bytes: 0, age: 0, total: 0 });
  });

  it('goes on where it stopped also when its peer ends a pause that it never began', async () => {
    const stream = makeStream();
    // Two clocks: the line of those who catch up has that of the process, which may have run for long.
    const { outlet, sink } = makeOutlet(targetFormat, { ...roomyLimits, queueMaxAgeMs: 1e9 });
    stream.attach(outlet, 0);
    sink.full = true;
    for (let i = 0; i < 100; i++) {
      stream.publish(Video, i * 40, frame(i, i % 50 === 0, 10_000), i * 40);
      stream.flush(i * 40);
      if (i === 0) sink.drain();
      if (i === 40) outlet.release(i * 40);
    }
    outlet.resume(4000);
    while (outlet.queueBytes > 0) await new Promise((resolve) => setImmediate(resolve));
    expect(sink.messages.length).toBe(100);
    for (const [i, { payload }] of sink.messages.entries())
      expect(payload.equals(frame(i, i % 50 === 0, 10_000))).toBe(true);
  });

  it('over its bytes, continues at the newest key frame and counts what it left out', () => {
    const stream = makeStream();
    const { outlet, sink } = makeOutlet(targetFormat, { queueMaxBytes: 20_000, queueMaxAgeMs: 60_000 });
    stream.attach(outlet, 0);
    stream.publish(Video, 0, frame(0, true, 1000), 0);
    sink.full = true;
    stream.flush(0);
    for (let i = 1; i < 40; i++) {
      stream.publish(Video, i * 40, frame(i, i % 10 === 0, 1000), i * 40);
      stream.publish(Audio, i * 40 + 1, audioFrame(i), i * 40);
      stream.flush(i * 40);
    }
    sink.drain();
    outlet.resume(1600);
    const [first, second] = sink.messages;
    expect(first?.payload).toEqual(frame(0, true, 1000));
    expect(second?.payload).toEqual(frame(30, true, 1000));
    expect(sink.messages.at(-1)?.payload).toEqual(audioFrame(39));
    // 1..29 of video, with their audio.
    expect(outlet.droppedFrames).toEqual({ bytes: 58, age: 0, total: 0 });
  });

  it('over its age, leaves the rest of the GOP out and waits for the next key frame', () => {
    const stream = makeStream();
    const { outlet, sink } = makeOutlet(targetFormat, { queueMaxBytes: 1e6, queueMaxAgeMs: 1000 });
    stream.attach(outlet, 0);
    stream.publish(Video, 0, frame(0, true), 0);
    sink.full = true;
    stream.flush(0);
    stream.publish(Video, 100, frame(1, false), 100);
    stream.flush(1500);
    sink.drain();
    outlet.resume(1501);
    stream.publish(Video, 1600, frame(2, false), 1600);
    stream.flush(1600);
    expect(sink.messages.length).toBe(1);
    stream.publish(Video, 1700, frame(3, true), 1700);
    stream.flush(1700);
    expect(sink.messages.map(({ payload }) => payload)).toEqual([frame(0, true), frame(3, true)]);
    expect(outlet.droppedFrames).toEqual({ bytes: 0, age: 2, total: 0 });
    expect(outlet.drops).toBe(1);
  });

  it('gets the headers again only when they changed in what it left out', () => {
    for (const changed of [false, true]) {
      const stream = makeStream();
      const { outlet, sink } = makeOutlet(targetFormat, { queueMaxBytes: 3000, queueMaxAgeMs: 60_000 });
      stream.attach(outlet, 0);
      stream.publish(Video, 0, videoHeader(1), 0);
      stream.publish(Video, 0, frame(0, true, 1000), 0);
      sink.full = true;
      stream.flush(0);
      stream.publish(Video, 40, frame(1, false, 2500), 40);
      if (changed) stream.publish(Video, 80, videoHeader(2), 80);
      stream.publish(Video, 80, frame(2, true, 1000), 80);
      stream.flush(80);
      sink.drain();
      outlet.resume(90);
      const got = sink.messages.slice(2).map(({ payload }) => payload);
      expect(got).toEqual(changed ? [videoHeader(2), frame(2, true, 1000)] : [frame(2, true, 1000)]);
    }
  });

  it('does not count the age of a GOP that it is just given', () => {
    const stream = makeStream();
    stream.publish(Video, 0, frame(0, true), 0);
    const { outlet, sink } = makeOutlet(targetFormat, { queueMaxBytes: 1e6, queueMaxAgeMs: 1000 });
    sink.full = true;
    stream.attach(outlet, 9000);
    stream.publish(Video, 40, frame(1, false), 9010);
    stream.flush(9500);
    sink.drain();
    outlet.resume(9600);
    expect(sink.messages.map(({ payload }) => payload)).toEqual([frame(0, true), frame(1, false)]);
  });
});

describe('whatever the sink does', () => {
  /** One step: a message, or the sink's room. */
  const step = fc.oneof(
    { weight: 6, arbitrary: fc.constant('frame' as const) },
    { weight: 3, arbitrary: fc.constant('audio' as const) },
    { weight: 1, arbitrary: fc.constant('key' as const) },
    { weight: 1, arbitrary: fc.constant('header' as const) },
    { weight: 1, arbitrary: fc.constant('full' as const) },
    { weight: 1, arbitrary: fc.constant('room' as const) },
    { weight: 4, arbitrary: fc.constant('flush' as const) },
  );

  it('every gap ends at a key frame, behind the headers in force, in order and nothing twice', () => {
    fc.assert(
      fc.property(
        fc.array(step, { minLength: 20, maxLength: 300 }),
        fc.integer({ min: 1, max: 60_000 }),
        fc.integer({ min: 50, max: 90_000 }),
        (steps, queueMaxBytes, gopMaxBytes) => {
          const stream = makeStream(gopMaxBytes);
          const { outlet, sink } = makeOutlet(targetFormat, { ...roomyLimits, queueMaxBytes });
          stream.attach(outlet, 0);
          const order = new Map<string, number>();
          const headerAt: number[] = [];
          let number = 0;
          let header = 0;
          const publish = (type: number, payload: Buffer): void => {
            order.set(payload.toString('hex'), number);
            headerAt[number] = header;
            stream.publish(type, number * 10, payload, number * 10);
            number++;
          };
          publish(Video, videoHeader(header));
          publish(Video, frame(number, true, 5000));
          for (const what of steps) {
            if (what === 'frame') publish(Video, frame(number, false, 3000));
            else if (what === 'key') publish(Video, frame(number, true, 5000));
            else if (what === 'audio') publish(Audio, Buffer.from([0xaf, 1, number >> 8, number & 0xff]));
            else if (what === 'header') {
              header = (header + 1) % 250;
              publish(Video, videoHeader(header));
              publish(Video, frame(number, true, 5000));
            } else if (what === 'flush') stream.flush(number * 10);
            else if (what === 'full') sink.full = true;
            else if (sink.full) {
              sink.drain();
              outlet.resume(number * 10);
            }
          }
          let last = -1;
          let known = -1;
          for (const { type, timestampMs, payload } of sink.messages) {
            if (type === Video && payload[1] === 0) {
              known = payload[5] ?? -1;
              if (timestampMs % 10 === 0 && order.get(payload.toString('hex')) === last + 1) last++;
              continue;
            }
            const at = order.get(payload.toString('hex')) ?? -2;
            expect(timestampMs).toBe(at * 10);
            expect(at).toBeGreaterThan(last);
            expect(known).toBe(headerAt[at]);
            if (at !== last + 1) expect([type, payload[0]]).toEqual([Video, 0x17]);
            last = at;
          }
        },
      ),
      { numRuns: 500 },
    );
  });
});
