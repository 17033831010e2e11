import { describe, expect, it } from 'vitest';
import { type Arrival, startPaced } from './paced-target.js';
import { until } from './targets.js';

/** Every frame follows the one before it, or is a key frame. */
function brokenJumps(arrivals: readonly Arrival[]): Arrival[] {
  return arrivals.filter(({ number, isKey }, i) => i > 0 && !isKey && number !== (arrivals[i - 1]?.number ?? 0) + 1);
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

const onLinux = process.platform === 'linux';

describe.concurrent('a target that reads more slowly than its camera sends', { timeout: 60_000 }, () => {
  it('and acknowledges all the time: one publish, jumps to key frames, and latency within the budget', async ({
    onTestFinished,
  }) => {
    const { target, arrivals, status } = await startPaced({
      cameraBytesPerSecond: 330_000,
      rate: () => 66_000,
      onTestFinished,
    });
    const seen: ReturnType<typeof status>[] = [];
    await until(() => arrivals.length > 0, 20_000, 'a first frame');
    for (let second = 0; second < 14; second++) {
      await pause(1000);
      seen.push(status());
    }
    expect(target.connectedMs.length).toBe(1);
    expect(new Set(seen.map(({ state }) => state))).toEqual(new Set(['active']));
    expect(brokenJumps(arrivals)).toEqual([]);
    // 66 kB/s are ten frames a second: nearly all of them carry frames that arrive.
    expect(arrivals.length).toBeGreaterThan(105);
    // The first frames went before anything was known of the target.
    for (const { latencyMs } of arrivals.slice(40)) expect(latencyMs).toBeLessThan(4000);
    // What is under way is told of: the camera's 330 kB/s had left 4 MB by now.
    expect(Math.max(...seen.map(({ queueBytes }) => queueBytes))).toBeLessThan(1_000_000);
    expect(Math.min(...seen.slice(1).map(({ queueBytes, queueAgeMs }) => queueBytes * queueAgeMs))).toBeGreaterThan(0);
    expect(new Set(seen.map(({ roundTripMs }) => roundTripMs)).size).toBeGreaterThan(5);
    for (const { roundTripMs } of seen.slice(2)) expect(roundTripMs).toBeGreaterThan(300);
  });

  it.runIf(onLinux).for([
    ['none of it acknowledged', () => false],
    ['none after the first second', (elapsedMs: number) => elapsedMs < 1000],
  ] as [string, (elapsedMs: number) => boolean][])(
    '%s: the kernel tells',
    async ([, acknowledges], { onTestFinished }) => {
      const beganMs = performance.now();
      const { target, arrivals, status } = await startPaced({
        cameraBytesPerSecond: 5_000_000,
        rate: () => 1_000_000,
        acknowledges: () => acknowledges(performance.now() - beganMs),
        onTestFinished,
      });
      let mostBytes = 0;
      await until(() => arrivals.length > 0, 20_000, 'a first frame');
      for (let second = 0; second < 16; second++) {
        await pause(1000);
        mostBytes = Math.max(mostBytes, status().queueBytes);
      }
      expect(target.connectedMs.length).toBe(1);
      expect(brokenJumps(arrivals)).toEqual([]);
      expect(arrivals.length).toBeGreaterThan(80);
      expect(mostBytes).toBeGreaterThan(500_000);
    },
  );
});
