import { expect, it } from 'vitest';
import { Shares } from '../../src/fairness/shares.js';

it('nobody takes more than a share, nor all together more than there is, and what is given back is free again', () => {
  const shares = new Shares({ inAll: 3, perKey: 2 });
  const [first] = [shares.take('a'), shares.take('a')];
  expect(shares.take('a')).toBe('share');
  const other = shares.take('b');
  expect([typeof other, shares.take('c'), shares.take('a'), shares.inAll]).toEqual(['function', 'all', 'share', 3]);
  if (typeof first === 'function') {
    first();
    first();
  }
  expect([shares.inAll, typeof shares.take('c'), shares.take('d')]).toEqual([2, 'function', 'all']);
});
