import { describe, expect, it } from 'vitest';
import { LifeDoubt } from '../../src/push/life-doubt.js';
import { startPaced } from './paced-target.js';
import { until } from './targets.js';

type Options = Omit<Parameters<typeof startPaced>[0], 'rate'>;

const fast = 50_000_000;
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/**
 * A target that lives for a while and then neither reads nor writes, as a program that was stopped: its TCP goes on taking
 * bytes. Returns how long it took to give it up, at a stall timeout of 4 s.
 */
async function freeze(options: Options, freezeAfterMs = 4000): Promise<number> {
  const beganMs = performance.now();
  let frozenMs = 0;
  const { status } = await startPaced({
    ...options,
    rate: () => {
      if (performance.now() - beganMs < freezeAfterMs) return fast;
      if (frozenMs === 0) frozenMs = performance.now();
      return 0;
    },
  });
  await until(() => status().lastError !== null, 60_000, 'given up');
  expect(status().lastError?.code).toBe('TARGET_STALLED');
  return performance.now() - frozenMs;
}

describe.concurrent('a target whose program froze is given up while its TCP goes on', { timeout: 90_000 }, () => {
  it.for([
    ['a camera of 5 MB/s', { cameraBytesPerSecond: 5_000_000 }],
    ['a camera of 330 kB/s', { cameraBytesPerSecond: 330_000 }],
    ['a camera of 66 kB/s', { cameraBytesPerSecond: 66_000 }],
    ['a camera of 12 kB/s', { cameraBytesPerSecond: 12_000 }],
    ['no answers to pings', { cameraBytesPerSecond: 330_000, answersPings: () => false }],
    ['no acknowledgements', { cameraBytesPerSecond: 330_000, acknowledges: () => false }],
  ] as [string, Omit<Options, 'onTestFinished'>][])('%s', async ([, options], { onTestFinished }) => {
    // By what its TCP took it was 8 s at 5 MB/s, 17 s at 330 kB/s, and more at less. It takes about 4.
    expect(await freeze({ ...options, onTestFinished })).toBeLessThan(15_000);
  });

  it('an idle camera', async ({ onTestFinished }) => {
    const beganMs = performance.now();
    const sends = () => performance.now() - beganMs < 2000;
    await freeze({ cameraBytesPerSecond: 330_000, sends, onTestFinished }, 7000);
  });
});

describe.concurrent('a target that lives is not taken for a frozen one', { timeout: 90_000 }, () => {
  it.for([
    ['that reads 66 kB/s of a sudden', { acknowledges: () => true }],
    ['and acknowledges nothing', { acknowledges: () => false }],
    ['and answers no pings', { answersPings: () => false }],
    ['and neither', { acknowledges: () => false, answersPings: () => false }],
  ] as [string, Partial<Options>][])('%s', async ([, options], { onTestFinished }) => {
    const beganMs = performance.now();
    const { target, status } = await startPaced({
      cameraBytesPerSecond: 330_000,
      ...options,
      rate: () => (performance.now() - beganMs < 4000 ? fast : 66_000),
      onTestFinished,
    });
    await pause(15_000);
    expect(status().lastError).toBeNull();
    expect(target.connectedMs.length).toBe(1);
  });

  it('whose acknowledgements and answers stop, and who reads on', async ({ onTestFinished }) => {
    const beganMs = performance.now();
    const isEarly = () => performance.now() - beganMs < 3000;
    const { target, status } = await startPaced({
      cameraBytesPerSecond: 330_000,
      acknowledges: isEarly,
      answersPings: isEarly,
      // Long enough that this process is not what stalls, on a machine that runs other tests.
      stallTimeoutMs: 3000,
      rate: () => fast,
      onTestFinished,
    });
    // It is given up once, since that is what a frozen one looks like; and is then found to live.
    await until(() => target.connectedMs.length === 2 && status().state === 'active', 40_000, 'connected again');
    await pause(9000);
    expect(target.connectedMs.length).toBe(2);
  });
});

describe('what a push learns of its target', () => {
  it('waits longer for signs of life of one that accepts the next connection at once, and in the end does without', () => {
    const doubt = new LifeDoubt();
    const patience: number[] = [];
    for (let i = 0; i < 4; i++) {
      patience.push(doubt.patience);
      doubt.gaveUp();
      doubt.ended(false, true);
      doubt.began(i * 10_000);
      doubt.published(i * 10_000 + 300);
    }
    expect(patience).toEqual([1, 2, 4, Number.POSITIVE_INFINITY]);
  });

  it.each([
    ['refuses the next connection', (doubt: LifeDoubt) => doubt.ended(false, false), 100],
    ['accepts the next one late', () => {}, 3000],
  ])('keeps its patience with one that %s', (_, meanwhile, tookMs) => {
    const doubt = new LifeDoubt();
    doubt.gaveUp();
    doubt.ended(false, true);
    doubt.began(1000);
    meanwhile(doubt);
    doubt.published(1000 + tookMs);
    expect(doubt.patience).toBe(1);
  });

  it('pings no more after two connections in a row that ended on it', () => {
    const doubt = new LifeDoubt();
    const seen: boolean[] = [];
    for (const died of [true, false, true, true]) {
      doubt.ended(died, true);
      seen.push(doubt.mayPing);
    }
    expect(seen).toEqual([true, true, true, false]);
    doubt.ended(false, true);
    expect(doubt.mayPing).toBe(false);
  });
});
