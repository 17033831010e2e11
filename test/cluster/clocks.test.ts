import { describe, expect, test, vi } from 'vitest';
import { aheadMs, NodeClocks } from '../../src/cluster/clocks.js';
import type { ClusterNode } from '../../src/cluster/node-record.js';
import { type Logger, silentLogger } from '../../src/log/log.js';

const nowMs = Date.UTC(2030, 0, 1);
const dateOf = (ms: number): string => new Date(ms).toUTCString();

function clocksOf(...ids: string[]): NodeClocks {
  return clocksIn(ids.map(nodeOf), silentLogger);
}

const nodeOf = (id: string): ClusterNode => ({ id, rtmp: '', api: '', version: '', startedAt: '' });

/** @param all the list, which may change */
function clocksIn(all: readonly ClusterNode[], log: Logger): NodeClocks {
  const clocks = new NodeClocks({ self: all[0]!, all, onChange: () => undefined }, async () => undefined, log);
  clocks.close();
  return clocks;
}

test('a clock is ahead or behind by what whole seconds and a slow answer leave sure', () => {
  expect(aheadMs(10_000, 10_000, 10_400)).toBe(0);
  expect(aheadMs(9000, 9900, 10_100)).toBe(0);
  expect(aheadMs(70_000, 10_000, 10_400)).toBe(59_600);
  expect(aheadMs(1000, 61_000, 61_200)).toBe(-59_000);
});

describe('clocks of nodes that differ', () => {
  test('the node whose clock it is is named, and no more when it is right again', () => {
    const clocks = clocksOf('a', 'b', 'c');
    clocks.note('b', dateOf(nowMs), nowMs, nowMs + 10);
    clocks.note('c', dateOf(nowMs + 60_000), nowMs, nowMs + 10);
    expect(clocks.problems).toMatchObject([
      { code: 'NODE_CLOCK_DIFFERS', message: expect.stringMatching(/node c is 59 s ahead of .*refuse.*RELAY_REFUSED/) },
    ]);
    clocks.note('c', dateOf(nowMs), nowMs, nowMs + 10);
    expect(clocks.problems).toEqual([]);
  });

  test('where most others say so, it is this one, and before anything is refused', () => {
    const clocks = clocksOf('a', 'b', 'c', 'd');
    clocks.note('b', dateOf(nowMs + 10_000), nowMs, nowMs + 10);
    clocks.note('c', dateOf(nowMs + 11_000), nowMs, nowMs + 10);
    clocks.note('d', dateOf(nowMs), nowMs, nowMs + 10);
    expect(clocks.problems.map(({ message }) => message)).toEqual([
      expect.stringMatching(/this node is 9 s behind those of 2 of 3 other nodes; from 30 s on/),
    ]);
  });

  test('they agree again only when they do, not when another one turns out to be wrong, or is gone', () => {
    const said: string[] = [];
    const all = ['a', 'b', 'c'].map(nodeOf);
    const clocks = clocksIn(all, {
      ...silentLogger,
      info: (message, { node } = {}) => said.push(`${node}: ${message}`),
    });
    const note = (node: string, aheadMs: number) => clocks.note(node, dateOf(nowMs + aheadMs), nowMs, nowMs + 10);
    note('b', 60_000);
    note('c', 60_000);
    expect(clocks.problems.map(({ message }) => message)).toEqual([expect.stringContaining('the clock of this node')]);
    note('b', 0);
    expect(clocks.problems.map(({ message }) => message)).toEqual([expect.stringContaining('the clock of node c')]);
    all.pop();
    note('b', 0);
    expect(clocks.problems).toEqual([]);
    expect(said).toEqual([]);
    note('b', 60_000);
    note('b', 0);
    expect(said).toEqual(['b: the clocks of the nodes agree again']);
  });

  test('a difference is told until the node is asked again, however many nodes there are', () => {
    vi.useFakeTimers({ toFake: ['performance'] });
    const clocks = clocksOf(...Array.from({ length: 300 }, (_, index) => `n${index}`));
    clocks.note('n1', dateOf(nowMs + 60_000), nowMs, nowMs + 10);
    vi.advanceTimersByTime(25 * 60_000);
    expect(clocks.problems).toHaveLength(1);
    vi.advanceTimersByTime(60 * 60_000);
    expect(clocks.problems).toEqual([]);
    vi.useRealTimers();
  });

  test('no date, a clock that was set while it was asked, and a very slow answer say nothing', () => {
    const clocks = clocksOf('a', 'b');
    clocks.note('b', null, nowMs, nowMs + 10);
    clocks.note('b', 'yesterday', nowMs, nowMs + 10);
    clocks.note('b', dateOf(nowMs), nowMs + 100_000, nowMs);
    clocks.note('b', dateOf(nowMs + 60_000), nowMs, nowMs + 9000);
    expect(clocks.problems).toEqual([]);
  });
});
