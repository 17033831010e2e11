import { expect, test } from 'vitest';
import { Declarations } from '../../../src/backend/workers/declarations.js';

/** What became of a promise until now. */
async function outcomeOf(promise: Promise<void>): Promise<string> {
  const done = promise.then(
    () => 'done',
    (error: Error) => error.message,
  );
  return Promise.race([done, new Promise<string>((resolve) => setImmediate(() => resolve('open')))]);
}

test('the last order of a camera is the one that is waited for', async () => {
  const declarations = new Declarations();
  const first = declarations.expect('a', 1);
  const second = declarations.expect('a', 2);
  declarations.note('a', 1, null);
  expect(await outcomeOf(first)).toBe('open');
  declarations.note('a', 2, null);
  expect([await outcomeOf(first), await outcomeOf(second)]).toEqual(['done', 'done']);
});

test('a failure is that camera’s alone', async () => {
  const declarations = new Declarations();
  const [a, b] = [declarations.expect('a', 1), declarations.expect('b', 2)];
  declarations.note('a', 1, { code: 'INTERNAL', message: 'no' });
  expect([await outcomeOf(a), await outcomeOf(b)]).toEqual(['no', 'open']);
  expect(await outcomeOf(declarations.done('a'))).toBe('done');
});

test('what a worker that ended was told counts when its successor says so', async () => {
  const declarations = new Declarations();
  const promise = declarations.expect('a', 1);
  declarations.lost(['a']);
  // Late words of the one that ended.
  declarations.note('a', 1, null);
  expect(await outcomeOf(promise)).toBe('open');
  void declarations.expect('a', 7);
  declarations.note('a', 7, null);
  expect(await outcomeOf(promise)).toBe('done');
});

test('nobody waits for a camera that was removed, nor after the end', async () => {
  const declarations = new Declarations();
  const [a, b] = [declarations.expect('a', 0), declarations.expect('b', 3)];
  declarations.drop('a');
  expect([await outcomeOf(a), await outcomeOf(b)]).toEqual(['done', 'open']);
  declarations.close();
  expect(await outcomeOf(b)).toBe('done');
});
