import { expect, test } from 'vitest';
import { DialGate } from '../../src/pull/dial-gate.js';
import { waitFor } from '../support/wait.js';

test('two hundred sources are dialled in their order, a few at a time, and none is lost', async () => {
  const gate = new DialGate(8);
  const dialled: number[] = [];
  let most = 0;
  for (let index = 0; index < 200; index++) {
    gate.enter((done) => {
      dialled.push(index);
      most = Math.max(most, gate.underWay);
      setTimeout(done, 100 + (index % 5));
      // Calling it again frees no other place.
      if (index % 7 === 0) setTimeout(done, 100);
    });
  }
  expect(dialled).toEqual([]);
  await waitFor(() => dialled.length === 200 && gate.underWay === 0, { what: 'all of them' });
  expect(dialled).toEqual([...dialled].sort((one, other) => one - other));
  expect(most).toBe(8);
});

test('who leaves the line is not dialled', async () => {
  const gate = new DialGate(1);
  const dialled: string[] = [];
  let end: () => void = () => {};
  gate.enter((done) => {
    dialled.push('first');
    end = done;
  });
  const leave = gate.enter(() => dialled.push('second'));
  gate.enter(() => dialled.push('third'));
  await waitFor(() => dialled.length === 1, { what: 'the first' });
  leave();
  end();
  await waitFor(() => dialled.length === 2, { what: 'the next' });
  expect(dialled).toEqual(['first', 'third']);
});
