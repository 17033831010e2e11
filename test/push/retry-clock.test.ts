import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type ErrorCode, TargetError } from '../../src/errors.js';
import { RetryClock } from '../../src/push/retry-clock.js';
import type { TargetWatch } from '../../src/push/target-watch.js';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

/** What becomes of a try: media flows for so long, and then it fails in this way. */
interface Outcome {
  readonly flowedMs: number;
  readonly code: ErrorCode;
}

/** A push as the clock sees it, whose tries end as they are told. @param reopensMs when a watched target listens again */
function simulate(outcome: (attempt: number) => Outcome, reopensMs = Number.POSITIVE_INFINITY) {
  const attemptsMs: number[] = [];
  const watch = {
    watch: (_host: string, _port: number, onOpen: () => void) => {
      const timer = setTimeout(onOpen, Math.min(reopensMs, 2 ** 31 - 1));
      return () => clearTimeout(timer);
    },
  } as unknown as TargetWatch;
  let busy = false;
  const clock: RetryClock = new RetryClock({
    minMs: 250,
    maxMs: 15_000,
    watch,
    url: 'rtmp://host/live/cam',
    connect: () => {
      const { flowedMs, code } = outcome(attemptsMs.length);
      attemptsMs.push(performance.now());
      clock.began();
      busy = true;
      setTimeout(() => {
        busy = false;
        clock.failed(new TargetError(code, 'as told'), flowedMs);
      }, flowedMs + 1);
    },
  });
  return { clock, attemptsMs, waiting: () => !busy };
}

const perMinute = (attemptsMs: readonly number[], fromMs: number, minutes: number): number =>
  attemptsMs.filter((at) => at >= fromMs).length / minutes;

describe('tries a minute, when a target fails in one way for ever', () => {
  const ways: [string, (attempt: number) => Outcome, number?][] = [
    ['closes at once', () => ({ flowedMs: 0, code: 'TARGET_CLOSED' })],
    ['closes after half a second of media', () => ({ flowedMs: 500, code: 'TARGET_CLOSED' })],
    ['closes after a second, and still listens', () => ({ flowedMs: 1000.5, code: 'TARGET_CLOSED' }), 400],
    ['closes after 2 s, and still listens', () => ({ flowedMs: 2000, code: 'TARGET_CLOSED' }), 400],
    ['closes after 6 s, and still listens', () => ({ flowedMs: 6000, code: 'TARGET_CLOSED' }), 400],
    ['closes after 29 s, and still listens', () => ({ flowedMs: 29_000, code: 'TARGET_CLOSED' }), 400],
    ['breaks the protocol after 6 s', () => ({ flowedMs: 6000, code: 'TARGET_PROTOCOL' })],
    ['stalls after 10 s', () => ({ flowedMs: 10_000, code: 'TARGET_STALLED' })],
    ['refuses every other connection', (n) => ({ flowedMs: 0, code: n % 2 ? 'TARGET_REFUSED' : 'TARGET_CLOSED' }), 100],
    ['refuses, while a bare connection is accepted', () => ({ flowedMs: 0, code: 'TARGET_REFUSED' }), 0],
    ['refuses TLS', () => ({ flowedMs: 0, code: 'TARGET_TLS' })],
  ];
  // Pauses are a quarter longer or shorter by chance. Eleven tries of the pauses fit into the first minute where all are
  // as short as may be, and six of those that come before their time.
  const chances: [string, (pause: number) => number][] = [
    ['the shortest pauses', () => 0],
    ['the longest pauses', () => 1 - Number.EPSILON],
    ['short and long pauses in turns', (pause) => pause % 2],
  ];
  describe.each(chances)('%s', (_chance, random) => {
    it.each(ways)('%s', (_way, outcome, reopensMs) => {
      let pauses = 0;
      vi.spyOn(Math, 'random').mockImplementation(() => random(pauses++));
      const { clock, attemptsMs } = simulate(outcome, reopensMs);
      clock.hurry('camera is back');
      vi.advanceTimersByTime(10 * 60_000);
      expect(attemptsMs.length).toBeGreaterThan(5);
      expect(attemptsMs.filter((at) => at - (attemptsMs[0] ?? 0) < 60_000).length).toBeLessThanOrEqual(17);
      expect(perMinute(attemptsMs, (attemptsMs[0] ?? 0) + 60_000, 9)).toBeLessThanOrEqual(6);
    });
  });

  it('a client that asks for a try ten times a second', () => {
    const { clock, attemptsMs, waiting } = simulate(() => ({ flowedMs: 0, code: 'TARGET_REFUSED' }));
    clock.hurry('camera is back');
    const client = setInterval(() => waiting() && clock.hurry('asked for'), 100);
    vi.advanceTimersByTime(10 * 60_000);
    clearInterval(client);
    expect(perMinute(attemptsMs, (attemptsMs[0] ?? 0) + 60_000, 9)).toBeLessThanOrEqual(13);
    expect(perMinute(attemptsMs, (attemptsMs[0] ?? 0) + 60_000, 9)).toBeGreaterThan(8);
  });

  it.each([300, 1500])('a camera that is there for %i ms, and away for as long', (lengthMs) => {
    const { clock, attemptsMs, waiting } = simulate(() => ({ flowedMs: 0, code: 'TARGET_TIMEOUT' }));
    const camera = setInterval(() => {
      if (!waiting()) return;
      clock.hurry('camera is back');
      setTimeout(() => clock.stop(), lengthMs);
    }, 2 * lengthMs);
    vi.advanceTimersByTime(10 * 60_000);
    clearInterval(camera);
    expect(perMinute(attemptsMs, (attemptsMs[0] ?? 0) + 60_000, 9)).toBeLessThanOrEqual(6);
  });

  it('tries that are given up before the target answers', () => {
    const attemptsMs: number[] = [];
    const clock: RetryClock = new RetryClock({
      minMs: 250,
      maxMs: 15_000,
      watch: {} as unknown as TargetWatch,
      url: 'rtmp://host/live/cam',
      connect: () => {
        attemptsMs.push(performance.now());
        clock.began();
        setTimeout(() => clock.abandoned(), 50);
      },
    });
    const toggle = setInterval(() => clock.hurry('asked for'), 200);
    vi.advanceTimersByTime(10 * 60_000);
    clearInterval(toggle);
    expect(perMinute(attemptsMs, (attemptsMs[0] ?? 0) + 60_000, 9)).toBeLessThanOrEqual(13);
  });
});

describe('a target that was well', () => {
  it('is tried at once when it listens again, each time it restarts', () => {
    // Well for a minute, away for 20 s, again and again.
    const { clock, attemptsMs } = simulate(
      (n) => (n % 2 === 0 ? { flowedMs: 60_000, code: 'TARGET_CLOSED' } : { flowedMs: 0, code: 'TARGET_REFUSED' }),
      20_000,
    );
    clock.hurry('camera is back');
    vi.advanceTimersByTime(10 * 60_000);
    // The try that is refused comes a quarter of a second after the end, the next one as soon as the target listens.
    const steps = attemptsMs.slice(1).map((at, i) => at - (attemptsMs[i] ?? 0));
    const backMs = steps.filter((_step, i) => i % 2 === 1);
    expect(backMs.length).toBeGreaterThan(4);
    for (const step of backMs) expect(step).toBeLessThan(20_100);
  });

  it('begins its pauses anew', () => {
    const { clock, attemptsMs } = simulate((n) => ({ flowedMs: n === 8 ? 40_000 : 0, code: 'TARGET_CLOSED' }));
    clock.hurry('camera is back');
    while (attemptsMs.length < 10) vi.advanceTimersByTime(1);
    expect((attemptsMs[9] ?? 0) - (attemptsMs[8] ?? 0) - 40_000).toBeLessThan(350);
    expect(clock.failures).toBe(1);
  });
});
