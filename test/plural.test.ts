import { expect, test } from 'vitest';
import { plural } from '../src/plural.js';

test('one thing is not many', () => {
  expect([0, 1, 2].map((n) => plural(n, 'camera'))).toEqual(['0 cameras', '1 camera', '2 cameras']);
  expect([0, 1, 2].map((n) => plural(n, 'push', 'pushes'))).toEqual(['0 pushes', '1 push', '2 pushes']);
});
