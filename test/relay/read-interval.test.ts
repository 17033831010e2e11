import { expect, it } from 'vitest';
import { readIntervalMs } from '../../src/relay/read-interval.js';

it('media is read in intervals only where it waits for a long window, and these are a small part of it', () => {
  expect([0, 30, 99].map(readIntervalMs)).toEqual([0, 0, 0]);
  expect([100, 150, 350].map(readIntervalMs)).toEqual([12, 18, 25]);
});
