import { afterEach, beforeEach, expect, it } from 'vitest';
import { forgetServerDates, noteServerDate, offsetMs, serverNow } from '../../web/src/state/clock.js';

beforeEach(forgetServerDates);
afterEach(forgetServerDates);

/** An answer of a server whose clock is ahead by so much, made between two moments of ours. */
function answer(aheadMs: number, askedMs: number, tookMs = 20): void {
  const madeMs = askedMs + tookMs / 2 + aheadMs;
  noteServerDate(new Date(Math.floor(madeMs / 1000) * 1000).toUTCString(), askedMs, askedMs + tookMs);
}

const startMs = Date.parse('2026-03-04T05:06:07.300Z');

it('is our own before the first answer', () => {
  expect(offsetMs()).toBe(0);
  expect(Math.abs(serverNow() - Date.now())).toBeLessThan(100);
});

for (const aheadMs of [0, 3_600_000, -7_200_000, 86_400_000 * 400, 2_345]) {
  it(`is found for a clock that is off by ${aheadMs} ms, ever better`, () => {
    answer(aheadMs, startMs);
    expect(Math.abs(offsetMs() - aheadMs)).toBeLessThanOrEqual(550);
    for (let i = 1; i < 40; i++) answer(aheadMs, startMs + i * 1_137);
    expect(Math.abs(offsetMs() - aheadMs)).toBeLessThanOrEqual(60);
  });
}

it('follows when one of the clocks is set', () => {
  for (let i = 0; i < 20; i++) answer(0, startMs + i * 1_137);
  answer(600_000, startMs + 60_000);
  expect(Math.abs(offsetMs() - 600_000)).toBeLessThanOrEqual(550);
});

it('learns nothing from answers without a date, with nonsense, or that took long', () => {
  noteServerDate(null, startMs, startMs + 10);
  noteServerDate('yesterday', startMs, startMs + 10);
  answer(3_600_000, startMs, 60_000);
  noteServerDate(new Date(startMs).toUTCString(), startMs + 10, startMs);
  expect(offsetMs()).toBe(0);
});
