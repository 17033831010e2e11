import { expect, it, vi } from 'vitest';
import { FairGate, GateError, type GateLimits } from '../../src/fairness/fair-gate.js';

const limits: GateLimits = { atOnce: 2, atOncePerKey: 2, waiting: 6, waitingPerKey: 5, longestWaitMs: 60_000 };

/** Lets them come, and notes in which order they get in; each stays until it is told to go. */
function visitors(gate: FairGate) {
  const inside: { name: string; leave: () => void }[] = [];
  const refused: string[] = [];
  const come = (key: string, name: string): void => {
    gate.enter(key).then(
      (leave) => inside.push({ name, leave }),
      (error: unknown) => refused.push(`${name} ${error instanceof GateError ? error.why : error}`),
    );
  };
  const settle = () => new Promise((resolve) => setImmediate(resolve));
  return { inside, refused, come, settle };
}

it('who comes often waits behind itself, and who comes once is next', async () => {
  const gate = new FairGate(limits);
  const { inside, come, settle } = visitors(gate);
  for (const number of [1, 2, 3, 4, 5]) come('a', `a${number}`);
  come('b', 'b1');
  await settle();
  for (let left = 0; left < inside.length; left += 1) {
    inside[left]?.leave();
    inside[left]?.leave();
    await settle();
  }
  expect(inside.map(({ name }) => name)).toEqual(['a1', 'a2', 'a3', 'b1', 'a4', 'a5']);
  expect([gate.inside, gate.waiting]).toEqual([0, 0]);
});

it('no key has more inside than its share, also while there is room', async () => {
  const gate = new FairGate({ ...limits, atOnce: 10 });
  const { inside, come, settle } = visitors(gate);
  for (const number of [1, 2, 3]) come('a', `a${number}`);
  come('b', 'b1');
  await settle();
  expect(inside.map(({ name }) => name)).toEqual(['a1', 'a2', 'b1']);
  inside[2]?.leave();
  await settle();
  expect(inside).toHaveLength(3);
  inside[0]?.leave();
  await settle();
  expect(inside.at(-1)?.name).toBe('a3');
});

it('beyond what may wait the newest of the longest queue gives way, and a key to none but itself', async () => {
  const gate = new FairGate({ ...limits, atOnce: 1 });
  const { inside, refused, come, settle } = visitors(gate);
  for (const number of [1, 2, 3, 4, 5, 6, 7]) come('a', `a${number}`);
  for (const key of ['b', 'c', 'd']) come(key, key);
  await settle();
  expect(inside.map(({ name }) => name)).toEqual(['a1']);
  expect(refused).toEqual(['a7 full', 'a6 full', 'a5 full']);
  for (const key of ['e', 'f', 'g', 'h']) come(key, key);
  await settle();
  // By now nobody has more than one who waits: the next one gains nothing by pushing out another.
  expect(refused.slice(3)).toEqual(['a4 full', 'a3 full', 'g full', 'h full']);
  expect(gate.waiting).toBe(6);
});

it('who waits too long is turned away, and leaves no trace', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  try {
    const gate = new FairGate({ ...limits, atOnce: 1, longestWaitMs: 1000 });
    const { inside, refused, come, settle } = visitors(gate);
    come('a', 'a1');
    come('b', 'b1');
    await settle();
    vi.advanceTimersByTime(999);
    await settle();
    expect(refused).toEqual([]);
    vi.advanceTimersByTime(1);
    await settle();
    expect([refused, gate.waiting]).toEqual([['b1 late'], 0]);
    inside[0]?.leave();
    come('c', 'c1');
    await settle();
    expect(inside.at(-1)?.name).toBe('c1');
  } finally {
    vi.useRealTimers();
  }
});

it('once closed it turns away all who wait', async () => {
  const gate = new FairGate({ ...limits, atOnce: 1 });
  const { refused, come, settle } = visitors(gate);
  for (const key of ['a', 'b', 'c']) come(key, key);
  gate.close();
  await settle();
  expect(refused).toEqual(['b closed', 'c closed']);
});
