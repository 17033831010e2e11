import { expect, test } from 'vitest';
import { readerGone } from '../../src/cli/follow/reader-gone.js';
import { kernelCalls } from '../../src/net/uring/kernel-calls.js';
import { waitFor } from '../support/wait.js';

const calls = kernelCalls();

test.skipIf(typeof calls === 'string')(
  'a pipe whose reader goes away is noticed, though nothing is written',
  async () => {
    if (typeof calls === 'string') return;
    const [reading, writing] = calls.pipe();
    const gone = readerGone(writing);
    try {
      expect(calls.trouble(writing)).toBe(0);
      expect(gone.aborted).toBe(false);
    } finally {
      calls.close(reading);
    }
    await waitFor(() => gone.aborted, { what: 'the signal', timeoutMs: 20_000 });
    calls.close(writing);
  },
);

test('what is no descriptor never ends', () => {
  expect(readerGone(undefined).aborted).toBe(false);
});
