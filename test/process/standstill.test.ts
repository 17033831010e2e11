import { expect, test } from 'vitest';
import { heardMs, setHeardTimeout } from '../../src/process/standstill.js';
import { sleep, waitFor } from '../support/wait.js';

/** Holds up the event loop. */
function block(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

test('time in which the event loop was held up counts in no deadline', async () => {
  await sleep(150);
  const sinceMs = performance.now();
  block(900);
  const nowMs = performance.now();
  expect(nowMs - sinceMs).toBeGreaterThan(890);
  expect(heardMs(sinceMs, nowMs)).toBeLessThan(300);
  // Nor does it in one that began before, or later: then it is none of its time.
  expect(heardMs(sinceMs - 1000, nowMs)).toBeLessThan(1300);
  expect(Math.abs(heardMs(nowMs + 20, nowMs + 70) - 50)).toBeLessThan(10);
});

test('a deadline gets its whole time anew, once', async () => {
  await sleep(150);
  let firedAtMs = 0;
  const startedAtMs = performance.now();
  setHeardTimeout(() => {
    firedAtMs = performance.now();
  }, 500);
  await sleep(200);
  block(1000);
  await sleep(250);
  expect(firedAtMs).toBe(0);
  await waitFor(() => firedAtMs > 0, { what: 'the deadline' });
  expect(firedAtMs - startedAtMs).toBeGreaterThan(1600);
  let cleared = true;
  const timer = setHeardTimeout(() => {
    cleared = false;
  }, 50);
  clearTimeout(timer);
  await sleep(200);
  expect(cleared).toBe(true);
});
