import { expect, test } from 'vitest';
import { NodeLoad, StrainWatch, withPeaks } from '../../src/control/node-load.js';
import { type Logger, silentLogger } from '../../src/log/log.js';

const calm = { busyPercent: 60, lateMs: 12 };

test.each([
  ['has no time left', { busyPercent: 96, lateMs: 5 }],
  ['is late', { busyPercent: 40, lateMs: 140 }],
])('a node that %s for 30 s carries about as much as it can, until it does not for as long', (_, hard) => {
  const watch = new StrainWatch();
  const looks = (count: number, strain: typeof hard) => Array.from({ length: count }, () => watch.look(strain));
  expect(looks(5, hard)).not.toContain(true);
  // A moment that is better begins it anew.
  expect(looks(1, calm)).toEqual([false]);
  expect(looks(5, hard)).not.toContain(true);
  expect(watch.isStrained).toBe(false);
  expect(looks(1, hard)).toEqual([true]);
  expect(watch.isStrained).toBe(true);
  expect(looks(5, calm)).not.toContain(true);
  expect(looks(1, hard)).toEqual([false]);
  expect(looks(6, calm)).toEqual([false, false, false, false, false, true]);
  expect(watch.isStrained).toBe(false);
});

test('a node that is busy as ever, and on time, is never one', () => {
  const watch = new StrainWatch();
  for (let look = 0; look < 1000; look += 1) expect(watch.look({ busyPercent: 94, lateMs: 100 })).toBe(false);
});

test('what was carried while the loop was late is no proof of what the machine can do', () => {
  const figures = { cpuPercent: 10, loopDelayMs: 5, peakBitrateOutBps: 100, peakLiveCameras: 3 };
  const more = { bitrateOutBps: 200, liveCameras: 2 };
  expect(withPeaks(figures, more)).toMatchObject({ peakBitrateOutBps: 200, peakLiveCameras: 3 });
  expect(withPeaks({ ...figures, loopDelayMs: 120 }, more)).toMatchObject({ peakBitrateOutBps: 100 });
});

/** Has this thread busy until it is told of, or not. */
async function busyUntil(isEnough: () => boolean, limitMs: number): Promise<void> {
  const until = performance.now() + limitMs;
  while (!isEnough() && performance.now() < until) {
    const spinMs = performance.now() + 95;
    while (performance.now() < spinMs);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

test('a node that carries nothing is told of by nobody, however busy its machine is', async () => {
  const idle = { bitrateInBps: 0, bitrateOutBps: 0, liveCameras: 0, viewers: 0, connections: 0 };
  const load = new NodeLoad(() => idle, silentLogger, 50);
  try {
    await busyUntil(() => load.problems.length > 0, 1500);
    expect(load.problems).toEqual([]);
  } finally {
    load.close();
  }
});

test('a thread that has no time left is told of, with what it carries, without any limit', async () => {
  const lines: string[] = [];
  const log: Logger = { ...silentLogger, warn: (message) => void lines.push(message) };
  const totals = { bitrateInBps: 0, bitrateOutBps: 812e6, liveCameras: 210, viewers: 0, connections: 0 };
  const load = new NodeLoad(() => totals, log, 100);
  try {
    await busyUntil(() => load.problems.length > 0, 20_000);
    const [problem] = load.problems;
    expect(problem?.code).toBe('NODE_OVERLOADED');
    expect(problem?.message).toMatch(
      /busy \d+% of the time.* with 812 Mbit\/s out and 210 live cameras.*capacity-out-mbps/,
    );
    expect(lines).toHaveLength(1);
  } finally {
    load.close();
  }
});
