import { expect, test } from 'vitest';
import { whyDown } from '../../src/cli/troubles.js';

const error = (code: string, message: string) => ({ code, message, at: '2026-01-01T00:00:00.000Z' });

test('a push that waits says why, what came last, and when it is tried again', () => {
  const push = {
    state: 'waiting' as const,
    downSince: '2026-01-01T00:00:00.000Z',
    firstError: error('TARGET_CLOSED', 'the target ended the stream'),
    lastError: error('TARGET_REFUSED', 'nothing listens there'),
  };
  const words = 'TARGET_CLOSED: the target ended the stream; last: TARGET_REFUSED';
  expect(whyDown({ ...push, nextRetryAt: null })).toBe(words);
  const inTime = whyDown({ ...push, nextRetryAt: new Date(Date.now() + 8200).toISOString() });
  expect(inTime).toMatch(/^TARGET_CLOSED: .*; last: TARGET_REFUSED; next try in [78] s$/);
  // The clock of another machine may be behind.
  expect(whyDown({ ...push, nextRetryAt: '2026-01-01T00:00:00.000Z' })).toBe(`${words}; next try in 0 s`);
});
