import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SlabPool } from '../../src/relay/slab-pool.js';
import { MessageType } from '../../src/wire/message.js';
import { frame, makeOutlet, makeStream, roomyLimits, SpoilingPool, targetFormat, viewerFormat } from './fixtures.js';

const { Video } = MessageType;

/** Slabs begin anew at every sixth frame. */
const stepMs = 400;
const frameBytes = 12_000;

class RecordingPool extends SpoilingPool {
  readonly taken: number[] = [];

  override take(bytes: number): Buffer {
    const buffer = super.take(bytes);
    this.taken.push(buffer.length);
    return buffer;
  }
}

describe('the memory of slabs', () => {
  it('is kept for reuse up to a bound, by sizes that are powers of two', () => {
    const pool = new SlabPool(100_000);
    const small = pool.take(5);
    expect(small.length).toBe(16_384);
    expect(pool.take(16_385).length).toBe(32_768);
    pool.give(small);
    expect(pool.keptBytes).toBe(16_384);
    expect(pool.take(10_000)).toBe(small);
    expect(pool.keptBytes).toBe(0);
    for (let i = 0; i < 10; i++) pool.give(Buffer.alloc(32_768));
    expect(pool.keptBytes).toBe(3 * 32_768);
    pool.give(pool.take(600_001));
    expect(pool.keptBytes).toBe(3 * 32_768);
  });

  it('of a size that is not in use any more makes room', () => {
    const pool = new SlabPool(1 << 20);
    for (let i = 0; i < 64; i++) pool.give(Buffer.alloc(16_384));
    expect(pool.keptBytes).toBe(1 << 20);
    const large = Buffer.alloc(65_536);
    pool.give(large);
    expect(pool.keptBytes).toBe(1 << 20);
    expect(pool.take(65_536)).toBe(large);
  });

  it('goes round in a stream whose targets keep up', () => {
    const pool = new SpoilingPool();
    const stream = makeStream(1e6, targetFormat, pool);
    const { outlet, sink } = makeOutlet();
    stream.attach(outlet, 0);
    for (let i = 0; i < 500; i++) {
      stream.publish(Video, i * stepMs, frame(i, i % 5 === 0, frameBytes), i * stepMs);
      stream.flush(i * stepMs);
    }
    expect(pool.given).toBeGreaterThan(80);
    expect(pool.keptBytes).toBeLessThan(5 * 65_536);
    expect(sink.messages.length).toBe(500);
    const isWhole = (payload: Buffer, i: number) => payload.equals(frame(i, i % 5 === 0, frameBytes));
    expect(sink.messages.every(({ payload }, i) => isWhole(payload, i))).toBe(true);
  });

  it('of a whole group of pictures is free as soon as all have the next key frame', () => {
    const pool = new SpoilingPool();
    const stream = makeStream(1e6, targetFormat, pool);
    const { outlet } = makeOutlet();
    stream.attach(outlet, 0);
    for (let i = 0; i < 20; i++) stream.publish(Video, i, frame(i, i === 0, frameBytes), i);
    stream.flush(20);
    expect(pool.keptBytes).toBe(0);
    stream.publish(Video, 20, frame(20, true, frameBytes), 20);
    stream.flush(20);
    expect(pool.keptBytes).toBeGreaterThan(19 * frameBytes - 65_536);
  });

  it.each([
    [500, 16_384],
    [1900, 32_768],
    [12_000, 65_536],
  ])('is taken by the size of messages: of %i bytes, slabs of %i', (messageBytes, slabBytes) => {
    const pool = new RecordingPool();
    const { taken } = pool;
    const stream = makeStream(1e6, targetFormat, pool);
    const { outlet, sink } = makeOutlet();
    stream.attach(outlet, 0);
    const frames = Math.floor(600_000 / messageBytes);
    for (let i = 0; i <= 3 * frames; i++) {
      stream.publish(Video, i, frame(i, i % frames === 0, messageBytes), i);
      stream.flush(i);
    }
    expect(taken[0]).toBe(16_384);
    expect(new Set(taken.slice(1))).toEqual(new Set([slabBytes]));
    // The first suits nobody, perhaps; the others are there for the next group of pictures.
    expect(pool.keptBytes % slabBytes).toBe(0);
    expect(pool.keptBytes).toBeGreaterThan(500_000);
    expect(sink.messages.length).toBe(3 * frames + 1);
  });

  it('follows a camera that sends larger messages than before', () => {
    const pool = new RecordingPool();
    const { taken } = pool;
    const stream = makeStream(1e6, targetFormat, pool);
    stream.attach(makeOutlet().outlet, 0);
    for (let i = 0; i < 20_000; i++) {
      stream.publish(Video, i, frame(i, i % 100 === 0, 500), i);
      stream.flush(i);
    }
    stream.restart();
    taken.length = 0;
    for (let i = 0; i < 100; i++) {
      stream.publish(Video, i, frame(i, i % 20 === 0, frameBytes), i);
      stream.flush(i);
    }
    expect(taken.filter((bytes) => bytes < 65_536).length).toBeLessThan(3);
    expect(taken.length).toBeLessThan(26);
  });

  it('is not reused while a socket still sends from it, also when its push was removed', () => {
    for (const removed of [false, true]) {
      const pool = new SpoilingPool();
      const stream = makeStream(1e6, targetFormat, pool);
      const { outlet, sink } = makeOutlet(targetFormat, { queueMaxBytes: 80_000, queueMaxAgeMs: 1e9 });
      stream.attach(outlet, 0);
      // The memory of the first slab, which holds the first frame, is never used again anyway.
      for (const i of [0, 1, 2]) {
        stream.publish(Video, i, frame(i, i === 0, frameBytes), i);
        sink.full = i === 2;
        stream.flush(i);
      }
      if (removed) stream.detach(outlet);
      for (let i = 3; i < 100; i++) {
        stream.publish(Video, i * stepMs, frame(i, i % 5 === 0, frameBytes), i * stepMs);
        stream.flush(i * stepMs);
      }
      sink.drain();
      expect(sink.messages.map(({ payload }) => payload)).toEqual([0, 1, 2].map((i) => frame(i, i === 0, frameBytes)));
      if (removed) expect(pool.given).toBeGreaterThan(10);
    }
  });

  it('is not reused while an outlet has it before it, nor while newcomers start from it', () => {
    const stream = makeStream();
    const slow = makeOutlet();
    stream.attach(slow.outlet, 0);
    stream.publish(Video, 0, frame(0, true, frameBytes), 0);
    slow.sink.full = true;
    stream.flush(0);
    for (let i = 1; i < 12; i++) {
      stream.publish(Video, i * stepMs, frame(i, i === 6, frameBytes), i * stepMs);
    }
    const late = makeOutlet(viewerFormat);
    stream.attach(late.outlet, 5000);
    slow.sink.drain();
    slow.outlet.resume(5000);
    expect(slow.sink.messages.length).toBe(12);
    expect(slow.sink.messages.at(1)?.payload).toEqual(frame(1, false, frameBytes));
    expect(late.sink.messages.at(0)?.payload).toEqual(frame(6, true, frameBytes));
  });

  it('whatever sinks do and whoever comes and goes, what arrives is what was sent', () => {
    const step = fc.record({
      what: fc.constantFrom('frame', 'frame', 'frame', 'key', 'flush', 'flush', 'full', 'room', 'leave', 'come'),
      who: fc.nat(3),
    });
    fc.assert(
      fc.property(
        fc.array(step, { minLength: 100, maxLength: 400 }),
        fc.integer({ min: 36_000, max: 360_000 }),
        (steps, queueMaxBytes) => {
          const stream = makeStream(160_000);
          const limits = { ...roomyLimits, queueMaxBytes, queueMaxAgeMs: 1e9 };
          const make = (who: number) => makeOutlet(who === 3 ? viewerFormat : targetFormat, limits);
          const members = [0, 1, 2, 3].map((who) => ({ ...make(who), here: false }));
          const everybody = [...members];
          let number = 0;
          for (const { what, who } of steps) {
            const nowMs = number * stepMs;
            const member = members[who];
            if (member === undefined) continue;
            if (what === 'frame' || what === 'key') {
              stream.publish(Video, nowMs, frame(number, what === 'key', frameBytes), nowMs);
              number++;
            } else if (what === 'flush') stream.flush(nowMs);
            else if (what === 'full') member.sink.full = true;
            else if (what === 'room') {
              member.sink.drain();
              member.outlet.resume(nowMs);
            } else if (what === 'leave' && member.here) {
              stream.detach(member.outlet);
              const next = { ...make(who), here: false };
              members[who] = next;
              everybody.push(next);
            } else if (what === 'come' && !member.here) {
              member.here = true;
              stream.attach(member.outlet, nowMs);
            }
          }
          for (const { sink } of everybody) {
            sink.drain();
            for (const { payload, timestampMs } of sink.messages) {
              const at = timestampMs / stepMs;
              expect(payload.equals(frame(at, payload[0] === 0x17, frameBytes))).toBe(true);
            }
          }
        },
      ),
      { numRuns: 300 },
    );
  });
});
