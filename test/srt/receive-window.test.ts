import { describe, expect, test } from 'vitest';
import { ReceiveWindow } from '../../src/srt/receive-window.js';

function windowFrom(sequence: number, latencyMs = 100) {
  const out: number[] = [];
  const window = new ReceiveWindow(sequence, latencyMs, (payload) => out.push(payload.readUInt32BE(0)));
  const take = (number: number, nowMs = 0) => {
    const payload = Buffer.alloc(4);
    payload.writeUInt32BE(number & 0x7fffffff);
    return window.take(number & 0x7fffffff, payload, nowMs);
  };
  return { out, window, take };
}

describe('the order of packets', () => {
  test('is made again, around the end of the numbers, and nothing is handed on twice', () => {
    const start = 0x7ffffffe;
    const { out, window, take } = windowFrom(start);
    take(start);
    expect(take(start + 3)).toBe(2);
    take(start + 3);
    expect(out).toHaveLength(1);
    const gaps: number[][] = [];
    window.eachGap((first, last) => gaps.push([first, last]) > 0);
    expect(gaps).toEqual([[0x7fffffff, 0]]);
    take(start + 2);
    take(start + 1);
    take(start + 1);
    expect(out).toEqual([0x7ffffffe, 0x7fffffff, 0, 1]);
    expect(window).toMatchObject({ next: 2, missing: 0, lost: 2, dropped: 0, belated: 2 });
  });

  test('goes on without what is missing for too long, or is given up by the sender', () => {
    const { out, window, take } = windowFrom(10);
    take(12, 0);
    window.expire(99);
    expect(out).toEqual([]);
    window.expire(100);
    expect(out).toEqual([12]);
    take(20, 200);
    window.giveUp(0, 0x3fffffff);
    expect(out).toEqual([12, 20]);
    expect(window).toMatchObject({ next: 21, missing: 0, dropped: 2 + 1 + 7 - 0 - 1 });
  });

  test('is followed over a gap that is longer than the window, and holds no more than the window', () => {
    const { out, window, take } = windowFrom(0);
    take(1);
    take(50_000);
    expect(out).toEqual([1, 50_000]);
    expect(window).toMatchObject({ next: 50_001, missing: 0, dropped: 49_999 });
    take(50_000 + 8000);
    expect(window.free).toBeLessThan(8192);
    expect(window.free).toBeGreaterThanOrEqual(0);
  });

  test('stays right with any numbers', () => {
    const { out, window, take } = windowFrom(0);
    let seed = 7;
    const random = (below: number) => {
      seed = (seed * 1103515245 + 12345) & 0x7fffffff;
      return seed % below;
    };
    let least = 0;
    for (let nowMs = 0; nowMs < 20_000; nowMs++) {
      const kind = random(100);
      take(kind === 0 ? random(0x7fffffff) : window.next + random(12) - 3, nowMs);
      if (kind === 1) window.giveUp(random(0x7fffffff), random(0x7fffffff));
      if (kind < 20) window.expire(nowMs);
      least = Math.min(least, window.missing, window.free);
    }
    expect(least).toBe(0);
    expect(out.length).toBeGreaterThan(1000);
    let gaps = 0;
    window.eachGap((first, last) => {
      gaps += last - first + 1;
      return true;
    });
    expect(gaps).toBe(window.missing);
  });
});
