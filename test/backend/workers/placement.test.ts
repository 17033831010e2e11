import { describe, expect, it } from 'vitest';
import { shareBudget } from '../../../src/backend/workers/budget.js';
import { Placement } from '../../../src/backend/workers/placement.js';

function camera(name: string, pushes = 0, enabled = true) {
  return {
    name,
    pushes: Array.from({ length: pushes }, (_, index) => ({ id: `p-${index}`, url: 'rtmp://h/a/s', enabled })),
  };
}

describe('the homes of cameras', () => {
  it('go to the worker with the least to send, and stay', () => {
    const placement = new Placement(3);
    expect(placement.homeOf('a')).toBeUndefined();
    expect(placement.place(camera('a', 8))).toBe(0);
    expect(placement.place(camera('b', 1))).toBe(1);
    expect(placement.place(camera('c', 1))).toBe(2);
    expect(placement.place(camera('d'))).toBe(1);
    expect(placement.place(camera('e'))).toBe(2);
    // Asked again, with other pushes by now: it stays.
    expect(placement.place(camera('a'))).toBe(0);
    expect([...placement.camerasOf(1)]).toEqual(['b', 'd']);
    expect([0, 1, 2].map((worker) => placement.countOf(worker))).toEqual([1, 2, 2]);
  });

  it('count what is enabled, as it changes, and nothing of cameras that were removed', () => {
    const placement = new Placement(2);
    placement.place(camera('a', 5, false));
    expect(placement.place(camera('b', 1))).toBe(1);
    expect(placement.place(camera('c'))).toBe(0);
    placement.reweigh(camera('a', 5)); // 7 and 2
    expect(placement.place(camera('d', 2))).toBe(1);
    placement.remove('a'); // 1 and 5
    placement.remove('a');
    placement.reweigh(camera('a', 100));
    expect(placement.homeOf('a')).toBeUndefined();
    expect(placement.place(camera('e', 2))).toBe(0);
    expect(placement.place(camera('f'))).toBe(0);
  });
});

describe('the budget of media', () => {
  it('is shared by what each keeps and what is free, and never exceeded', () => {
    expect(shareBudget(1000, [0, 0])).toEqual([500, 500]);
    expect(shareBudget(1000, [600, 0])).toEqual([800, 200]);
    expect(shareBudget(1000, [1500, 500])).toEqual([750, 250]);
    expect(shareBudget(1000, [0])).toEqual([1000]);
    for (const kept of [
      [1, 2, 3],
      [999, 999, 1],
      [333, 333, 334],
    ]) {
      expect(shareBudget(1000, kept).reduce((sum, bytes) => sum + bytes, 0)).toBeLessThanOrEqual(1000);
    }
  });
});
