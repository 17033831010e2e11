import { expect, test } from 'vitest';
import { heardMs } from '../../src/process/standstill.js';
import { Flight } from '../../src/rtmp/flight.js';
import { SendTimes } from '../../src/rtmp/send-times.js';
import { TargetAcknowledgements } from '../../src/rtmp/target-acknowledgements.js';

/** Nothing turns meanwhile: as a stopped process. */
function standStill(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

test('a standstill of this process is no slowness of a target: neither overdue, nor old, nor a round trip, nor a rate', () => {
  const times = new SendTimes();
  const acknowledgements = new TargetAcknowledgements(times);
  const flight = new Flight(times, { queueMaxBytes: 8 << 20, queueMaxAgeMs: 2000 });
  let written = 0;
  const write = (bytes: number): void => {
    written += bytes;
    times.note(written, performance.now());
  };
  const acknowledge = (): void => {
    acknowledgements.received(written, written, performance.now());
    flight.news(written, written, acknowledgements.stepBytes, performance.now());
  };
  for (let i = 0; i < 5; i++) {
    write(64 * 1024);
    acknowledge();
  }
  write(600 * 1024);
  const sinceMs = performance.now();
  heardMs(sinceMs); // a look just before
  standStill(1500);
  const nowMs = performance.now();
  expect(nowMs - sinceMs).toBeGreaterThan(1400);
  expect(acknowledgements.overdueMs(written, nowMs)).toBeLessThan(300);
  expect(flight.ageMs(written, nowMs)).toBeLessThan(300);
  expect(flight.doubt(written, nowMs)).toBe(false);
  acknowledge();
  expect(acknowledgements.roundTripMs).toBeLessThan(300);
  // Had the standstill counted, the target would be thought slow: 600 KB in 1.5 s.
  expect(flight.bytesPerSecond === null || flight.bytesPerSecond > 2_000_000).toBe(true);
});
