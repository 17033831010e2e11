import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { FlushScheduler } from '../../src/relay/flush-scheduler.js';
import { Flushable } from '../../src/relay/flushable.js';
import { MessageType } from '../../src/wire/message.js';
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
} from './fixtures.js';

const { Audio, Video, DataAmf0 } = MessageType;
const windowMs = 30;

/** The clock, timers and turns of the event loop are this file's own: every delay is exact. */
beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setImmediate', 'clearImmediate', 'performance'] });
});
afterEach(() => {
  vi.useRealTimers();
});

const newStream = (audioWindowMs = windowMs): FedStream =>
  new FedStream(
    { format: targetFormat, gopMaxBytes: 1e6, scheduler: new FlushScheduler({ audioWindowMs }) },
    performance.now(),
  );

const types = ({ messages }: TestSink): number[] => messages.map(({ type }) => type);

/** A stream with video and an outlet that has got the beginning. */
async function begun(audioWindowMs = windowMs): Promise<{ stream: FedStream; sink: TestSink }> {
  const stream = newStream(audioWindowMs);
  const { sink, outlet } = makeOutlet();
  stream.publish(Video, 0, videoHeader(), performance.now());
  stream.publish(Audio, 0, audioHeader(), performance.now());
  stream.publish(Video, 0, frame(0, true), performance.now());
  stream.attach(outlet, performance.now());
  await vi.advanceTimersByTimeAsync(0);
  sink.messages.length = 0;
  sink.writes = 0;
  return { stream, sink };
}

describe('audio of a camera with video', () => {
  it('goes out with the next frame, in one write and in order', async () => {
    const { stream, sink } = await begun();
    stream.publish(Audio, 10, audioFrame(1), performance.now());
    await vi.advanceTimersByTimeAsync(15);
    stream.publish(Audio, 25, audioFrame(2), performance.now());
    await vi.advanceTimersByTimeAsync(10);
    expect(sink.writes).toBe(0);
    stream.publish(Video, 40, frame(1, false), performance.now());
    await vi.advanceTimersByTimeAsync(0);
    expect(sink.writes).toBe(1);
    expect(types(sink)).toEqual([Audio, Audio, Video]);
    // What rode is not flushed once more.
    await vi.advanceTimersByTimeAsync(200);
    expect(sink.writes).toBe(1);
  });

  it('goes on by itself when the video freezes, and is not held at all after a while', async () => {
    const { stream, sink } = await begun();
    const waitsMs: number[] = [];
    for (let i = 1; i <= 100; i++) {
      await vi.advanceTimersByTimeAsync(21);
      const fromMs = performance.now();
      stream.publish(Audio, i * 21, audioFrame(i), fromMs);
      if (sink.messages.length < i) await vi.advanceTimersByTimeAsync(0);
      waitsMs.push(sink.messages.length < i ? 1 : 0);
    }
    await vi.advanceTimersByTimeAsync(windowMs);
    expect(types(sink)).toEqual(new Array(100).fill(Audio));
    expect(waitsMs.slice(0, 10)).toContain(1);
    expect(waitsMs.slice(60)).not.toContain(1);
  });

  it('goes at once where the next frame is expected too late, and the audio behind it rides', async () => {
    const { stream, sink } = await begun();
    const send = async (type: number, i: number, ...until: number[]): Promise<number[]> => {
      stream.publish(type, i, type === Video ? frame(i, false) : audioFrame(i), performance.now());
      await vi.advanceTimersByTimeAsync(0);
      const { writes } = sink;
      for (const ms of until) await vi.advanceTimersByTimeAsync(ms);
      return [writes, sink.writes];
    };
    for (let i = 1; i < 20; i++) {
      await vi.advanceTimersByTimeAsync(19);
      await send(Audio, i, 21);
      await send(Video, i);
    }
    sink.messages.length = sink.writes = 0;
    await vi.advanceTimersByTimeAsync(4);
    expect(await send(Audio, 100, 20)).toEqual([1, 1]);
    expect(await send(Audio, 101, 16)).toEqual([1, 1]);
    expect(await send(Video, 102)).toEqual([2, 2]);
    expect(types(sink)).toEqual([Audio, Audio, Video]);
  });

  it('goes out at once with a window of 0', async () => {
    const { stream, sink } = await begun(0);
    stream.publish(Audio, 10, audioFrame(1), performance.now());
    await vi.advanceTimersByTimeAsync(0);
    expect(types(sink)).toEqual([Audio]);
  });

  it('does not hold up what is no audio, nor another stream', async () => {
    const { stream, sink } = await begun();
    const other = await begun();
    other.stream.publish(Audio, 10, audioFrame(1), performance.now());
    stream.publish(Audio, 10, audioFrame(1), performance.now());
    stream.publish(DataAmf0, 10, metadata(640), performance.now());
    await vi.advanceTimersByTimeAsync(0);
    expect(types(sink)).toEqual([Audio, DataAmf0]);
    stream.publish(Audio, 20, Buffer.from([0xaf, 0, 0x13, 0x90]), performance.now()); // another header
    await vi.advanceTimersByTimeAsync(0);
    expect(types(sink)).toEqual([Audio, DataAmf0, Audio]);
    expect(other.sink.writes).toBe(0);
  });

  it('counts while it waits: in the queue, for newcomers, and for who leaves', async () => {
    const { stream } = await begun();
    const { sink, outlet } = makeOutlet();
    stream.attach(outlet, performance.now());
    const already = sink.messages.length;
    stream.publish(Audio, 10, audioFrame(1), performance.now());
    expect(outlet.queueBytes).toBeGreaterThan(16);
    expect(outlet.drained).toBe(false);
    const newcomer = makeOutlet();
    stream.attach(newcomer.outlet, performance.now());
    expect(types(newcomer.sink).at(-1)).toBe(Audio);
    expect(newcomer.outlet.drained).toBe(true);
    outlet.flush(performance.now()); // as a push does before its goodbye
    expect(types(sink).slice(already)).toEqual([Audio]);
    expect(outlet.drained).toBe(true);
    expect(stream.keptBytes).toBeGreaterThan(16 + 64);
  });
});

it('who only waits for a window loses nothing where memory runs short: who is behind does, or newcomers wait', async () => {
  const { stream, sink } = await begun();
  stream.publish(Audio, 10, audioFrame(1), performance.now());
  stream.shed();
  expect(types(sink)).toEqual([Audio]);
  stream.publish(Video, 40, frame(1, false), performance.now());
  await vi.advanceTimersByTimeAsync(0);
  expect(types(sink)).toEqual([Audio, Video]);
  const { sink: newcomer, outlet } = makeOutlet();
  stream.attach(outlet, performance.now());
  expect(newcomer.messages).toEqual([]);
});

it('audio without video is not held', async () => {
  const stream = newStream();
  const { sink, outlet } = makeOutlet();
  stream.publish(Audio, 0, audioHeader(), performance.now());
  stream.attach(outlet, performance.now());
  for (let i = 1; i <= 20; i++) {
    await vi.advanceTimersByTimeAsync(21);
    stream.publish(Audio, i * 21, audioFrame(i), performance.now());
    await vi.advanceTimersByTimeAsync(0);
    expect(types(sink).filter((type) => type === Audio)).toHaveLength(i + 1);
  }
});

it('another source begins in the middle of a wait: what waited comes first', async () => {
  const { stream, sink } = await begun();
  stream.publish(Audio, 10, audioFrame(1), performance.now());
  stream.restart();
  stream.publish(Audio, 0, audioFrame(2), performance.now());
  await vi.advanceTimersByTimeAsync(windowMs);
  expect(sink.messages.map(({ payload }) => payload.at(-1))).toEqual([1, 2]);
});

describe('where much is read', () => {
  const cameras = 20;

  class Frozen extends Flushable {
    readonly sentMs: number[] = [];
    readonly #waitsMs: number[];

    constructor(waitsMs: number[]) {
      super();
      this.#waitsMs = waitsMs;
    }

    override flush(nowMs: number): void {
      for (const sentMs of this.sentMs.splice(0)) this.#waitsMs.push(nowMs - sentMs);
    }
  }

  /** Frozen cameras that send audio every 21 steps, and something that is read at each, for so long. */
  async function run(
    forMs: number,
    audioWindowMs = windowMs,
    stepMs = 1,
  ): Promise<{ timers: number; waitsMs: number[]; left: () => number }> {
    const scheduler = new FlushScheduler({ audioWindowMs });
    const waitsMs: number[] = [];
    const streams = Array.from({ length: cameras }, () => new Frozen(waitsMs));
    const timers = vi.spyOn(globalThis, 'setTimeout');
    for (let step = 0; step * stepMs < forMs; step++) {
      scheduler.beginReading();
      for (const [i, stream] of streams.entries()) {
        if ((step + i) % 21 !== 0) continue;
        stream.sentMs.push(performance.now());
        scheduler.ride(stream, performance.now());
      }
      scheduler.flushDue();
      await vi.advanceTimersByTimeAsync(stepMs);
    }
    const count = timers.mock.calls.length;
    timers.mockRestore();
    const left = (): number => streams.reduce((sum, { sentMs }) => sum + sentMs.length, 0);
    return { timers: count, waitsMs, left };
  }

  it('waits end in time with what is read, and the timer is seldom needed', async () => {
    const { timers, waitsMs } = await run(2000);
    expect(waitsMs.length).toBeGreaterThan(1500);
    expect(Math.max(...waitsMs)).toBeLessThanOrEqual(windowMs);
    // By the timer alone: one for nearly each millisecond.
    expect(timers).toBeLessThan(2000 / 3 + 10);
  });

  it('nothing stays behind where reads cease', async () => {
    const { waitsMs, left } = await run(100);
    expect(left()).toBeGreaterThan(0);
    await vi.advanceTimersByTimeAsync(windowMs + 8);
    expect(left()).toBe(0);
    expect(Math.max(...waitsMs)).toBeLessThanOrEqual(windowMs);
  });

  it.each([3, 5])('nor where the window is short: %i ms', async (shortMs) => {
    // The reads cease at any time since the timer was set.
    for (let forMs = 20; forMs < 30; forMs += 0.25) {
      const { waitsMs, left } = await run(forMs, shortMs, 0.25);
      await vi.advanceTimersByTimeAsync(shortMs + 8);
      expect(left()).toBe(0);
      expect(Math.max(...waitsMs)).toBeLessThanOrEqual(shortMs);
    }
  });
});

describe('under load, with a window for all', () => {
  class Waiting extends Flushable {
    sinceMs = Number.NaN;
    longestMs = 0;

    override flush(nowMs: number): void {
      if (!Number.isNaN(this.sinceMs)) this.longestMs = Math.max(this.longestMs, nowMs - this.sinceMs);
      this.sinceMs = Number.NaN;
    }
  }

  it.each([
    [5, 30],
    [20, 30],
    [30, 30],
    [100, 30],
    [350, 100],
  ])(
    'audio waits for the longer of both windows, not for their sum: %i and %i ms',
    async (flushWindowMs, audioWindowMs) => {
      const scheduler = new FlushScheduler({ windowMs: flushWindowMs, audioWindowMs });
      const [frozen, other] = [new Waiting(), new Waiting()];
      // Of its windows it meets every part.
      for (let ms = 0; ms < 4000; ms++) {
        scheduler.beginReading();
        scheduler.schedule(other, performance.now());
        if (ms % 47 === 0 && Number.isNaN(frozen.sinceMs)) {
          frozen.sinceMs = performance.now();
          scheduler.ride(frozen, frozen.sinceMs);
        }
        scheduler.flushDue();
        await vi.advanceTimersByTimeAsync(1);
      }
      expect(frozen.longestMs).toBeGreaterThan(0);
      expect(frozen.longestMs).toBeLessThanOrEqual(Math.max(flushWindowMs, audioWindowMs));
    },
  );
});

describe('what has nothing to ride with', () => {
  class Item extends Flushable {
    flushedMs = Number.NaN;

    override flush(nowMs: number): void {
      this.flushedMs = nowMs;
    }
  }

  /** A scheduler that hears of something each millisecond, and of audio that waits all the time. */
  async function loaded(): Promise<{ scheduler: FlushScheduler; read: (...items: Item[]) => void }> {
    const scheduler = new FlushScheduler({ audioWindowMs: windowMs });
    const waiting = Array.from({ length: 10 }, () => new Item());
    const read = (...items: Item[]): void => {
      scheduler.beginReading();
      for (const item of items) scheduler.schedule(item, performance.now());
      scheduler.flushDue();
    };
    for (let ms = 0; ms < 200; ms++) {
      scheduler.ride(waiting[ms % waiting.length]!, performance.now());
      read(new Item());
      await vi.advanceTimersByTimeAsync(1);
    }
    return { scheduler, read };
  }

  it('goes with the next round where much is read', async () => {
    const { scheduler, read } = await loaded();
    const [soon, other] = [new Item(), new Item()];
    scheduler.scheduleSoon(soon, performance.now());
    scheduler.scheduleSoon(soon, performance.now());
    read();
    expect(soon.flushedMs).toBeNaN();
    await vi.advanceTimersByTimeAsync(1);
    read(other);
    expect(soon.flushedMs).toBe(other.flushedMs);
    soon.flushedMs = Number.NaN;
    await vi.advanceTimersByTimeAsync(100);
    expect(soon.flushedMs).toBeNaN();
  });

  it('goes within some milliseconds where no round comes, and within the window where nothing more is read', async () => {
    for (const reads of [true, false]) {
      const { scheduler, read } = await loaded();
      const soon = new Item();
      const sinceMs = performance.now();
      scheduler.scheduleSoon(soon, sinceMs);
      for (let ms = 0; ms < windowMs; ms++) {
        await vi.advanceTimersByTimeAsync(1);
        if (reads) read();
      }
      expect(soon.flushedMs - sinceMs).toBeLessThanOrEqual(reads ? 5 : windowMs);
    }
  });

  it('goes at once where little is read, and where it has waited already', async () => {
    const quiet = new FlushScheduler({ audioWindowMs: windowMs });
    const { scheduler } = await loaded();
    for (const [each, rides] of [
      [quiet, false],
      [quiet, true],
      [scheduler, true],
    ] as const) {
      const item = new Item();
      if (rides) each.ride(item, performance.now());
      each.beginReading();
      each.scheduleSoon(item, performance.now());
      each.flushDue();
      expect(item.flushedMs).toBe(performance.now());
    }
  });
});

type Step = { readonly type: number; readonly pauseMs: number };

const step: fc.Arbitrary<Step> = fc.record({
  type: fc.constantFrom(Audio, Audio, Video, DataAmf0),
  pauseMs: fc.integer({ min: 0, max: 70 }),
});

it('whatever comes when: the order is kept, video goes in its turn, audio within its window, and writes are no more', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { maxLength: 60 }),
      fc.integer({ min: 2, max: 100 }),
      async (steps, audioWindowMs) => {
        const riding = await begun(audioWindowMs);
        const at = await begun(0);
        const dueMs: number[] = [];
        for (const [i, { type, pauseMs }] of steps.entries()) {
          for (let ms = 0; ms < pauseMs; ms++) {
            await vi.advanceTimersByTimeAsync(1);
            expectInTime(riding.sink, dueMs);
          }
          const payload = type === Video ? frame(i, i % 7 === 0) : type === Audio ? audioFrame(i) : metadata(i);
          for (const { stream } of [riding, at]) stream.publish(type, i * 20, payload, performance.now());
          dueMs.push(performance.now() + (type === Audio ? audioWindowMs : 0));
          await vi.advanceTimersByTimeAsync(0);
          expectInTime(riding.sink, dueMs);
        }
        await vi.advanceTimersByTimeAsync(audioWindowMs);
        expect(riding.sink.messages).toEqual(at.sink.messages);
        expect(riding.sink.messages).toHaveLength(steps.length);
        expect(riding.sink.writes).toBeLessThanOrEqual(at.sink.writes);
      },
    ),
    { numRuns: 60 },
  );
});

/** All that was due is there. The fake clock runs an immediate that a timer asked for a millisecond behind that timer. */
function expectInTime({ messages }: TestSink, dueMs: readonly number[]): void {
  for (let i = messages.length; i < dueMs.length; i++) expect(dueMs[i]).toBeGreaterThanOrEqual(performance.now());
}

it('an outlet that is blocked in the middle of a wait gets all of it when there is room', async () => {
  const { stream, sink } = await begun();
  sink.full = true;
  stream.publish(Video, 40, frame(1, false), performance.now());
  await vi.advanceTimersByTimeAsync(0);
  stream.publish(Audio, 45, audioFrame(1), performance.now());
  await vi.advanceTimersByTimeAsync(windowMs);
  sink.drain();
  const { outlet, sink: other } = makeOutlet(targetFormat, roomyLimits);
  stream.attach(outlet, performance.now());
  stream.publish(Video, 80, frame(2, false), performance.now());
  await vi.advanceTimersByTimeAsync(0);
  expect(types(other).slice(-3)).toEqual([Video, Audio, Video]);
});
