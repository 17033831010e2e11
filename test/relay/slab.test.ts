import { expect, test } from 'vitest';
import { Slab } from '../../src/relay/slab.js';

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

test('a reader at the end of a slab is told when the first message of the next one came', () => {
  const slab = new Slab(Buffer.alloc(1000), 0, 0, 10_000);
  slab.end = 1000;
  expect(slab.appendedMs(1000)).toBe(10_000);
  const next = new Slab(Buffer.alloc(1000), 1000, 0, 15_000);
  slab.next = next;
  next.end = 300;
  next.stamp(16_000);
  next.end = 400;
  expect([999, 1000, 1299, 1300].map((offset) => slab.appendedMs(offset))).toEqual([10_000, 15_000, 15_000, 16_000]);
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
