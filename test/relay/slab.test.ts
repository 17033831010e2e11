import { expect, test } from 'vitest';
import { Slab } from '../../src/relay/media-log.js';

test('a slab knows to 100 ms when each of its messages came', () => {
  for (const stepMs of [0, 7, 40, 99.5, 100, 130, 2500]) {
    const slab = new Slab(Buffer.alloc(1000), 5000, 0, 10_000);
    const came: [offset: number, atMs: number][] = [];
    for (let i = 0; i < 20; i++) {
      const nowMs = 10_000 + i * stepMs;
      slab.stamp(nowMs);
      came.push([slab.end, nowMs]);
      slab.end += 50;
    }
    for (const [offset, atMs] of came) {
      expect(atMs - slab.appendedMs(offset)).toBeGreaterThanOrEqual(0);
      expect(atMs - slab.appendedMs(offset + 49)).toBeLessThan(100);
    }
  }
});

test('those who read from the same place share a view, until it is forgotten', () => {
  const slab = new Slab(Buffer.alloc(100), 0, 0, 0);
  slab.end = 60;
  const view = slab.viewFrom(20);
  expect(view).toHaveLength(40);
  expect(slab.viewFrom(20)).toBe(view);
  slab.end = 80;
  expect(slab.viewFrom(20)).toHaveLength(60);
  slab.forgetView();
  expect(view).toHaveLength(40);
  expect(slab.viewFrom(60)).toHaveLength(20);
});
