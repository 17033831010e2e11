import { describe, expect, it } from 'vitest';
import { startPaced } from './paced-target.js';
import { until } from './targets.js';

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

// What is taken for a queue that is none grows for ten seconds; a busy machine may hold up all of this process for a few.
const queueMaxAgeMs = 5000;

describe.concurrent('a target that keeps up', { timeout: 60_000 }, () => {
  it('loses nothing when it stops acknowledging', async ({ onTestFinished }) => {
    const beganMs = performance.now();
    const { target, arrivals, status, sent } = await startPaced({
      cameraBytesPerSecond: 2_000_000,
      rate: () => 50_000_000,
      acknowledges: () => performance.now() - beganMs < 2000,
      queueMaxAgeMs,
      onTestFinished,
    });
    await pause(12_000);
    await until(() => arrivals.length > sent() - 30, 20_000, 'nearly all of what was sent');
    expect(target.connectedMs.length).toBe(1);
    expect(status()).toMatchObject({ state: 'active', droppedBy: { bytes: 0, age: 0, total: 0 } });
  });

  it('loses nothing when its acknowledgements count too little', async ({ onTestFinished }) => {
    const { target, arrivals, status, sent } = await startPaced({
      cameraBytesPerSecond: 4_000_000,
      rate: () => 50_000_000,
      // It counts every second byte of media, as one that leaves out what it drops.
      scale: 0.5,
      queueMaxAgeMs,
      onTestFinished,
    });
    await pause(12_000);
    await until(() => arrivals.length > sent() - 100, 20_000, 'nearly all of what was sent');
    expect(target.connectedMs.length).toBe(1);
    expect(status()).toMatchObject({ droppedBy: { bytes: 0, age: 0, total: 0 } });
  });

  it('loses nothing through pauses of its own that are shorter than the budget', async ({ onTestFinished }) => {
    const beganMs = performance.now();
    // Nothing for 0.7 s of every two.
    const rate = () => ((performance.now() - beganMs) % 2000 < 700 ? 0 : 50_000_000);
    const { target, arrivals, status, sent } = await startPaced({
      cameraBytesPerSecond: 1_000_000,
      rate,
      onTestFinished,
    });
    await pause(12_000);
    await until(() => arrivals.length > sent() - 60, 20_000, 'nearly all of what was sent');
    expect(target.connectedMs.length).toBe(1);
    expect(status()).toMatchObject({ droppedBy: { bytes: 0, age: 0, total: 0 } });
  });

  it('and then takes nothing any more is given up', async ({ onTestFinished }) => {
    const beganMs = performance.now();
    const rate = () => (performance.now() - beganMs > 3000 ? 0 : 50_000_000);
    const { status } = await startPaced({ cameraBytesPerSecond: 5_000_000, rate, onTestFinished });
    for (let second = 0; second < 50 && status().lastError === null; second++) await pause(500);
    expect(status().lastError?.code).toBe('TARGET_STALLED');
  });
});
