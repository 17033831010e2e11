import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

const hour = 3_600_000;

/** The module remembers how the clock was set, so each test begins with it anew. */
async function freshClock() {
  vi.resetModules();
  return import('../../src/process/wall-clock.js');
}

/** Sets the clock of the machine, and leaves the monotonic one. */
function setClock(byMs: number): void {
  vi.setSystemTime(Date.now() + byMs);
}

// A faked `Date` stands still; what passes is the monotonic clock alone, so the tests allow for that much.
beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() });
});
afterEach(() => {
  vi.useRealTimers();
});

describe('a wall time is as long ago as it is', () => {
  it.each([
    ['the clock is not set', 0],
    ['it is set an hour on', hour],
    ['it is set an hour back', -hour],
    ['it is set from 1970 to now', 56 * 365 * 24 * hour],
    ['it is set by two seconds', 2000],
  ])('when %s', async (_, byMs) => {
    const { elapsedMs } = await freshClock();
    const notedMs = Date.now() - 5 * 60_000;
    expect(Math.abs(elapsedMs(notedMs) - 5 * 60_000)).toBeLessThan(900);
    setClock(byMs);
    expect(Math.abs(elapsedMs(notedMs) - 5 * 60_000)).toBeLessThan(900);
    // What is noted from now on is noted by the new setting.
    expect(elapsedMs(Date.now())).toBeLessThan(900);
    expect(elapsedMs(Date.now() + 2 * hour)).toBe(0);
  });

  it('when it is set several times', async () => {
    const { elapsedMs } = await freshClock();
    const noted: number[] = [];
    for (const byMs of [hour, -3 * hour, 7 * hour, -2 * hour]) {
      noted.push(Date.now());
      setClock(byMs);
      elapsedMs(0);
    }
    for (const each of noted) expect(elapsedMs(each)).toBeLessThan(900);
  });
});

describe('what is shown', () => {
  it('is right by the clock as it is set now, and steady time never jumps', async () => {
    const { steadyMs, wallMsAt, wallMsOfSteady } = await freshClock();
    const dueMs = performance.now() + 60_000;
    const steady = steadyMs();
    setClock(5 * hour);
    expect(Math.abs(wallMsAt(dueMs) - (Date.now() + 60_000))).toBeLessThan(900);
    expect(steadyMs() - steady).toBeLessThan(900);
    expect(Math.abs(wallMsOfSteady(steady) - Date.now())).toBeLessThan(900);
    expect(wallMsAt(dueMs)).toBe(wallMsAt(dueMs));
  });
});
