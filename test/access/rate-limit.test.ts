import { describe, expect, it } from 'vitest';
import { RateLimiter } from '../../src/access/rate-limit.js';

describe('a rate limiter', () => {
  it('grants a burst, then one for each part of a second, and costs the others nothing', () => {
    let nowMs = 0;
    const limiter = new RateLimiter({ perSecond: 2, burst: 3 }, () => nowMs);
    expect([1, 2, 3, 4].map(() => limiter.take('a'))).toEqual([0, 0, 0, 500]);
    expect(limiter.take('b')).toBe(0);
    nowMs = 250;
    expect(limiter.take('a')).toBe(250);
    nowMs = 500;
    expect([limiter.peek('a'), limiter.peek('a'), limiter.take('a'), limiter.take('a')]).toEqual([0, 0, 0, 500]);
    nowMs = 1e9;
    expect([1, 2, 3, 4].map(() => limiter.take('a'))).toEqual([0, 0, 0, 500]);
  });

  it('remembers ten thousand keys and no more, the ones in use rather than those that rest', () => {
    const limiter = new RateLimiter({ perSecond: 0.001, burst: 1 }, () => 0);
    for (let index = 0; index < 30_000; index += 1) {
      limiter.take(`k${index}`);
      limiter.take('busy');
    }
    expect(limiter.size).toBe(10_000);
    expect(limiter.peek('busy')).toBeGreaterThan(0);
    expect(limiter.peek('k29999')).toBeGreaterThan(0);
    expect(limiter.peek('k0')).toBe(0);
  });

  it('has who was charged wait until it has paid, and nobody for longer than a burst takes', () => {
    let nowMs = 0;
    const limiter = new RateLimiter({ perSecond: 10, burst: 100 }, () => nowMs);
    // A single call is never refused for what it costs.
    expect(limiter.take('a')).toBe(0);
    limiter.charge('a', 149);
    expect(limiter.take('a')).toBe(5100);
    expect(limiter.take('b')).toBe(0);
    nowMs = 5100;
    expect(limiter.take('a')).toBe(0);
    limiter.charge('a', 1e9);
    expect(limiter.peek('a')).toBe(10_100);
    limiter.charge('a', 1e9);
    expect(limiter.peek('a')).toBe(10_100);
    nowMs = 15_200;
    expect(limiter.take('a')).toBe(0);
  });
});
