import type { FastifyRequest } from 'fastify';
import { describe, expect, it } from 'vitest';
import { CostlyCalls } from '../../src/api/costly-calls.js';

function requestFrom(remoteAddress: string, charged: number[]): FastifyRequest {
  const charge = (units: number): void => void charged.push(units);
  return { caller: null, charge, raw: { socket: { remoteAddress } } } as unknown as FastifyRequest;
}

/** In how many turns of the event loop these were answered. */
async function turnsOf(asked: readonly (() => Promise<void>)[]): Promise<number> {
  let turn = 0;
  let isOver = false;
  const count = (): void => {
    turn++;
    if (!isOver) setImmediate(count);
  };
  setImmediate(count);
  const seen = new Set<number>();
  await Promise.all(asked.map((ask) => ask().then(() => void seen.add(turn))));
  isOver = true;
  return seen.size;
}

describe('an answer that is made at once', () => {
  it('of many things is made in a turn of its own, however many ask at once, from however many addresses', async () => {
    const calls = new CostlyCalls();
    const charged: number[] = [];
    const asked = Array.from(
      { length: 60 },
      (_, i) => () => calls.turnFor(requestFrom(`127.0.0.${1 + (i % 7)}`, charged), 1000),
    );
    expect(await turnsOf(asked)).toBe(60);
    expect(charged).toEqual(Array.from({ length: 60 }, () => 10));
    calls.close();
  });

  it('of few things waits for nothing', async () => {
    const calls = new CostlyCalls();
    const asked = Array.from({ length: 60 }, () => () => calls.turnFor(requestFrom('127.0.0.1', []), 3));
    expect(await turnsOf(asked)).toBe(1);
    calls.close();
  });
});
