import { expect, it } from 'vitest';
import { prepareSockets, readEveryMs } from '../../../src/net/socket-way.js';

await prepareSockets('uring', { readEveryMs: 25 });

it('publishers are read in intervals, as with a long flush window', () => {
  expect(readEveryMs('uring')).toBe(25);
});

// What holds for publishers that are read whenever something comes.
await import('./returning.test.js');
