import { expect, it } from 'vitest';
import { IngestMeter } from '../../src/ingest/ingest-meter.js';
import { MessageType } from '../../src/wire/message.js';

it.each([10, 50, 54, 57, 60, 100])('finds the usual step again after %d frames of one timestamp', (frames) => {
  const meter = new IngestMeter();
  let timestampMs = 0;
  let nowMs = 1000;
  const feed = (count: number, stepMs: number): void => {
    for (let n = 0; n < count; n++) {
      timestampMs += stepMs;
      nowMs += 40;
      meter.note(MessageType.Video, timestampMs, false, nowMs);
    }
  };
  feed(50, 40);
  expect(meter.videoStepMs).toBe(40);
  feed(frames, 0);
  expect(meter.videoStepMs).toBeLessThan(40);
  feed(200, 2000);
  expect(meter.videoStepMs).toBeGreaterThan(1990);
  expect(meter.videoStepMs).toBeLessThanOrEqual(2000);
});
