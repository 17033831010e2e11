import { expect, it } from 'vitest';
import { HeapGrowth } from '../../src/process/heap-growth.js';

it('lets the heap grow once there is much state, and not before', () => {
  const flags: string[] = [];
  const growth = new HeapGrowth((flag) => void flags.push(flag));
  for (const cameras of [0, 50, 1999]) growth.note(cameras);
  expect(flags).toEqual([]);
  for (const cameras of [2000, 10_000, 5, 3000]) growth.note(cameras);
  expect(flags).toEqual(['--heap-growing-percent=100']);
});
