import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, it, vi } from 'vitest';
import { FlushScheduler } from '../../src/relay/flush-scheduler.js';
import { Flushable } from '../../src/relay/flushable.js';
import { until } from '../push/targets.js';

/** Counts the rounds in which it is flushed. */
class Stream extends Flushable {
  rounds = 0;
  override flush(): void {
    this.rounds++;
  }
}

/** Something new in every turn of the event loop, for so long. Returns the turns, and the rounds that were made. */
async function load(scheduler: FlushScheduler, forMs: number): Promise<{ turns: number; rounds: number }> {
  const stream = new Stream();
  let turns = 0;
  for (const endMs = performance.now() + forMs; performance.now() < endMs; await nextTurn()) {
    scheduler.schedule(stream, performance.now());
    scheduler.schedule(stream, performance.now());
    turns++;
  }
  return { turns, rounds: stream.rounds };
}

it('flushes once for all that was appended within a turn, at its end', async () => {
  const scheduler = new FlushScheduler();
  const streams = [new Stream(), new Stream()];
  for (const stream of [...streams, ...streams]) scheduler.schedule(stream, performance.now());
  expect(streams.map(({ rounds }) => rounds)).toEqual([0, 0]);
  await nextTurn();
  await nextTurn();
  expect(streams.map(({ rounds }) => rounds)).toEqual([1, 1]);
});

it.each([0, 5])('keeps nobody waiting for a caller whose clock is minutes old: window of %i ms', async (windowMs) => {
  const scheduler = new FlushScheduler({ windowMs });
  const [stale, healthy] = [new Stream(), new Stream()];
  scheduler.schedule(healthy, performance.now());
  await until(() => healthy.rounds === 1, 20_000, 'the first round');
  // The next round is for all: who asks first must not have the others wait.
  scheduler.schedule(stale, performance.now() - 120_000);
  scheduler.schedule(healthy, performance.now());
  await until(() => healthy.rounds === 2 && stale.rounds === 1, 20_000, 'the next round');
});

it('makes no more rounds under load than windows fit into the time', async () => {
  const { turns, rounds } = await load(new FlushScheduler({ windowMs: 8 }), 400);
  expect(rounds).toBeLessThanOrEqual(400 / 7 + 2);
  expect(rounds).toBeGreaterThan(0);
  expect(turns).toBeGreaterThan(rounds);
});

it('without a window makes a round in every turn', async () => {
  const { turns, rounds } = await load(new FlushScheduler(), 100);
  expect(rounds).toBeGreaterThan(0);
  expect(rounds).toBe(turns);
});

it('keeps nobody waiting where there is no load', async () => {
  const scheduler = new FlushScheduler({ windowMs: 10 });
  const stream = new Stream();
  const waitsMs: number[] = [];
  for (let i = 0; i < 10; i++) {
    await new Promise((resolve) => setTimeout(resolve, 30));
    const fromMs = performance.now();
    scheduler.schedule(stream, performance.now());
    await nextTurn();
    await nextTurn();
    waitsMs.push(performance.now() - fromMs);
  }
  expect(stream.rounds).toBe(10);
  waitsMs.sort((a, b) => a - b);
  expect(waitsMs[5]).toBeLessThan(5); // 10 and more, with the window each time
});

it('flushes what a read has appended at the end of the read, once, and nothing more at the end of the turn', async () => {
  const scheduler = new FlushScheduler();
  const [before, read] = [new Stream(), new Stream()];
  scheduler.schedule(before, performance.now());
  scheduler.beginReading();
  scheduler.schedule(read, performance.now());
  scheduler.schedule(read, performance.now());
  expect([before.rounds, read.rounds]).toEqual([0, 0]);
  scheduler.flushDue();
  expect([before.rounds, read.rounds]).toEqual([1, 1]);
  scheduler.beginReading();
  scheduler.flushDue();
  // Behind the read, turns count again.
  scheduler.schedule(before, performance.now());
  expect(before.rounds).toBe(1);
  await nextTurn();
  await nextTurn();
  expect([before.rounds, read.rounds]).toEqual([2, 1]);
});

it('has the end of a read wait for a window that is open', async () => {
  const scheduler = new FlushScheduler({ windowMs: 20 });
  const stream = new Stream();
  scheduler.beginReading();
  scheduler.schedule(stream, performance.now());
  scheduler.flushDue();
  expect(stream.rounds).toBe(1);
  scheduler.beginReading();
  scheduler.schedule(stream, performance.now());
  scheduler.flushDue();
  expect(stream.rounds).toBe(1);
  await until(() => stream.rounds === 2, 20_000, 'the end of the window');
});

it('flushes what a round itself asks for: in that round, or in the next', async () => {
  const scheduler = new FlushScheduler();
  class Asking extends Stream {
    asks: Stream | null = null;
    override flush(): void {
      super.flush();
      if (this.asks !== null) scheduler.schedule(this.asks, performance.now());
      this.asks = null;
    }
  }
  const [first, second, third] = [new Stream(), new Asking(), new Stream()];
  for (const asked of [first, second, third]) {
    const before = asked.rounds;
    second.asks = asked;
    for (const stream of [first, second, third]) scheduler.schedule(stream, performance.now());
    await until(
      () => second.asks === null && asked.rounds >= before + (asked === third ? 1 : 2),
      20_000,
      'what is asked',
    );
    await nextTurn();
    expect([first, second, third].some(({ isScheduled }) => isScheduled)).toBe(false);
  }
});

it('flushes the others in a later turn where one throws', () => {
  vi.useFakeTimers({ toFake: ['setImmediate', 'clearImmediate'] });
  try {
    const scheduler = new FlushScheduler();
    class Throwing extends Stream {
      override flush(): void {
        super.flush();
        throw new Error('no');
      }
    }
    const streams = [new Stream(), new Throwing(), new Stream()];
    for (const stream of streams) scheduler.schedule(stream, performance.now());
    expect(() => vi.runAllTimers()).toThrow('no');
    expect(streams.map(({ rounds }) => rounds)).toEqual([1, 1, 0]);
    vi.runAllTimers();
    expect(streams.map(({ rounds }) => rounds)).toEqual([1, 1, 1]);
  } finally {
    vi.useRealTimers();
  }
});
