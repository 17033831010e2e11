import { expect, it } from 'vitest';
import { inStretches, Turns } from '../../src/fairness/turns.js';

/** Works so many steps of a millisecond, and notes each. */
function* work(name: string, steps: number, log: string[]): Generator<undefined, string> {
  for (let step = 0; step < steps; step += 1) {
    const endMs = performance.now() + 1;
    while (performance.now() < endMs);
    log.push(name);
    yield;
  }
  return name;
}

const switches = (log: readonly string[]): string[] => log.filter((name, index) => name !== log[index - 1]);

it('owners have their turns one after the other, and of one owner the oldest job works', async () => {
  const turns = new Turns();
  const log: string[] = [];
  const done = ['a1', 'a2', 'a3', 'b1'].map((name) => inStretches(work(name, 12, log), turns.begin(name.charAt(0))));
  expect(await Promise.all(done)).toEqual(['a1', 'a2', 'a3', 'b1']);
  // b has every other turn, whatever a asks for.
  const first = switches(log.slice(0, log.lastIndexOf('b1') + 1));
  expect(first.filter((name) => name === 'b1').length).toBeGreaterThanOrEqual(Math.floor(first.length / 2) - 1);
  const ofA = log.filter((name) => name.startsWith('a'));
  expect(switches(ofA)).toEqual(['a1', 'a2', 'a3']);
});

it('the event loop turns between two stretches', async () => {
  const turns = new Turns();
  const log: string[] = [];
  let ticks = 0;
  let isOver = false;
  const tick = (): void => {
    ticks++;
    if (!isOver) setImmediate(tick);
  };
  setImmediate(tick);
  await Promise.all(['a', 'b', 'c'].map((name) => inStretches(work(name, 20, log), turns.begin(name))));
  isOver = true;
  // Sixty milliseconds of work in stretches of about four.
  expect(ticks).toBeGreaterThanOrEqual(12);
});
