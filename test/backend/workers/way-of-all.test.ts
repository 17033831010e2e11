import { expect, test } from 'vitest';
import { wayOfAll } from '../../../src/backend/workers/way-of-all.js';

const lost = 'io_uring was given up, since the kernel had no memory for its answers';

test.each([
  ['none has said yet', [], null],
  [
    'all the same',
    [
      { mode: 'uring', why: null },
      { mode: 'uring', why: null },
    ],
    { mode: 'uring', why: null },
  ],
  [
    'all the same, with a reason',
    [
      { mode: 'direct', why: lost },
      { mode: 'direct', why: lost },
    ],
    { mode: 'direct', why: lost },
  ],
  [
    'one is worse',
    [
      { mode: 'uring', why: null },
      { mode: 'direct', why: lost },
      { mode: 'uring', why: null },
    ],
    { mode: 'direct', why: `media workers 1, 3: uring; media worker 2: direct, since ${lost}` },
  ],
  [
    'the reasons differ',
    [
      { mode: 'plain', why: 'a' },
      { mode: 'plain', why: 'b' },
    ],
    { mode: 'plain', why: 'media worker 1: plain, since a; media worker 2: plain, since b' },
  ],
] as const)('the way of all media workers names who has a worse one, and why: %s', (_case, ways, all) => {
  expect(wayOfAll(ways.map((way, index) => ({ number: index + 1, ...way })))).toEqual(all);
});
