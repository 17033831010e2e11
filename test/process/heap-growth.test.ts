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

it.each([[['--heap-growing-percent=40']], [['--enable-source-maps', '--heap_growing_percent', '40']]])(
  'leaves a flag that the operator set as it is: %j',
  (given) => {
    const flags: string[] = [];
    const growth = new HeapGrowth((flag) => void flags.push(flag), given);
    growth.note(10_000);
    expect(flags).toEqual([]);
  },
);
