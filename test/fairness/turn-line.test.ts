import { setImmediate as turnOver } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { TurnLine } from '../../src/fairness/turn-line.js';

describe('the number of a turn', () => {
  it('is the same throughout a turn of the event loop, and another one in the next', async () => {
    const line = new TurnLine();
    const first = line.turn;
    expect(line.turn).toBe(first);
    await turnOver();
    expect(line.turn).not.toBe(first);
  });

  it('is another one from where a turn is said to begin, and goes on by itself behind its end', async () => {
    const line = new TurnLine();
    const before = line.turn;
    line.beginTurn();
    const told = line.turn;
    expect(told).not.toBe(before);
    expect(line.turn).toBe(told);
    line.beginTurn();
    expect(line.turn).not.toBe(told);
    line.endTurn();
    await turnOver();
    const after = line.turn;
    await turnOver();
    expect(line.turn).not.toBe(after);
  });
});
